// The file with a line for each request.

import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { AuditFile, type AuditFileOptions } from "../../../adapters/audit/audit-file.ts";
import type { RequestEvent } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "audit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
const fresh = (): string => join(folder, `audit-${String((made += 1))}.jsonl`);

const open = (options: Partial<AuditFileOptions> & { readonly file: string }) => {
  const said: string[] = [];
  const solved: string[] = [];
  const audit = AuditFile.open({
    maxBytes: 65_536,
    files: 3,
    onFault: (sentence) => void said.push(sentence),
    onSolved: (sentence) => void solved.push(sentence),
    ...options,
  });
  return { audit, said, solved };
};

const event = (more: Partial<RequestEvent> = {}): RequestEvent => ({ time: 1, durationMs: 0.5, status: 200, ...more });

const linesOf = (file: string): readonly unknown[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line): unknown => JSON.parse(line));

/** From the oldest file that is there to the present one. */
const allLines = (file: string, files: number): readonly unknown[] =>
  Array.from({ length: files }, (_, place) => `${file}.${String(files - place)}`)
    .concat(file)
    .filter((one) => existsSync(one))
    .flatMap(linesOf);

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const events = fc.array(
  fc.record(
    { routeId: text, client: text, flowId: text, status: fc.constantFrom(200, 401, 503) },
    { requiredKeys: ["status"] },
  ),
  { maxLength: 60 },
);

test("AUDIT-5, AUDIT-7: each event is a line of ASCII that says what it is, whole in one of the files, in its order", () => {
  fc.assert(
    fc.property(events, fc.integer({ min: 200, max: 2000 }), (all, maxBytes) => {
      const file = fresh();
      const { audit, said } = open({ file, maxBytes, files: 100 });
      const written = all.map((one) => event(one));
      for (const one of written) audit._unsafeUnwrap().write(one);
      audit._unsafeUnwrap().close();
      expect(allLines(file, 100)).toEqual(written.map((one): unknown => JSON.parse(JSON.stringify(one))));
      expect(readFileSync(file, "utf8")).toMatch(/^[\x20-\x7e\n]*$/u);
      expect(said).toEqual([]);
    }),
    { numRuns: runs(60) },
  );
});

test("AUDIT-7: of the files that were put aside as many are kept as were asked for, the oldest gives way, all for the user alone", () => {
  const file = fresh();
  const { audit } = open({ file, maxBytes: 1, files: 2 });
  for (const time of [1, 2, 3, 4, 5]) audit._unsafeUnwrap().write(event({ time }));
  expect(allLines(file, 5).map((line) => (line as RequestEvent).time)).toEqual([3, 4, 5]);
  for (const one of [file, `${file}.1`, `${file}.2`]) expect(statSync(one).mode & 0o777).toBe(0o600);
  expect(existsSync(`${file}.3`)).toBe(false);
  audit._unsafeUnwrap().close();
});

test("AUDIT-7: a symlink, a folder, a second hard link, a file or folder that all may change and a missing folder are refused", () => {
  const target = fresh();
  writeFileSync(target, "");
  const link = fresh();
  symlinkSync(target, link);
  const directory = fresh();
  mkdirSync(directory);
  const linked = fresh();
  writeFileSync(linked, "");
  linkSync(linked, fresh());
  const shared = fresh();
  writeFileSync(shared, "");
  chmodSync(shared, 0o666);
  const anyones = fresh();
  mkdirSync(anyones);
  chmodSync(anyones, 0o777);
  for (const [file, sentence] of [
    [link, "is a symlink"],
    [directory, "is a folder"],
    [linked, "has more than one hard link"],
    [shared, "can be changed by all users"],
    [join(anyones, "audit.jsonl"), "is in a folder that all users can change"],
    [join(folder, "none", "audit.jsonl"), "is in a folder that does not exist"],
  ] as const) {
    expect(open({ file }).audit._unsafeUnwrapErr().sentence).toContain(sentence);
  }
});

test("AUDIT-8: a line that cannot be written is counted and told, costs nothing else, and the file names the number later", () => {
  const place = fresh();
  mkdirSync(place);
  const file = join(place, "audit.jsonl");
  const { audit, said, solved } = open({ file, maxBytes: 1, files: 2 });
  const one = audit._unsafeUnwrap();
  one.write(event({ time: 1 }));
  one.close();
  one.write(event({ time: 2 }));
  one.write(event({ time: 3 }));
  expect([one.lost, one.isBroken, said.length, solved]).toEqual([2, true, 2, []]);
  expect(allLines(file, 2).map((line) => (line as RequestEvent).time)).toEqual([1]);
});

test("AUDIT-7: whoever puts the file aside by hand gets a new one, and no line is lost", () => {
  const file = fresh();
  const { audit } = open({ file });
  const one = audit._unsafeUnwrap();
  one.write(event({ time: 1 }));
  rmSync(file);
  one.reopen();
  one.write(event({ time: 2 }));
  expect(linesOf(file).map((line) => (line as RequestEvent).time)).toEqual([2]);
  one.close();
});
