// The audit file: every line whole, in bounded files, in the order of the requests; and what happens when it cannot be written.

import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditFile, type AuditFileOptions } from "../../../adapters/audit/audit-file.ts";
import { auditJsonLine } from "../../../adapters/audit/audit-line.ts";
import type { RequestEvent } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "audit-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const EVENT: RequestEvent = { time: 1_790_000_000_000, status: 200, durationMs: 1.5 };

/** An audit file, and what it has said. */
const opened = (changes: Partial<AuditFileOptions> = {}) => {
  const said: string[] = [];
  const tell = (sentence: string): void => void said.push(sentence);
  const options = {
    file: join(folder, "audit.jsonl"),
    maxBytes: 65_536,
    files: 3,
    onFault: tell,
    onSolved: tell,
    ...changes,
  };
  return { said, ...options, result: AuditFile.open(options) };
};

const numbered = (n: number): RequestEvent => ({ ...EVENT, time: n });

type Line = { readonly time?: number; readonly lost?: number };

const linesIn = (file: string): readonly Line[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.string({ maxLength: 40 }));

test("AUDIT-2, AUDIT-5: the line of an event is printable ASCII, and as JSON the event", () => {
  const event = fc.record(
    {
      time: fc.nat(),
      status: fc.integer({ min: 200, max: 599 }),
      code: fc.constantFrom("ok", "unauthorized"),
      routeId: text,
      action: fc.constantFrom("create_flow" as const, "get_flow" as const),
      client: text,
      secret: fc.constantFrom("current" as const, "previous" as const),
      flowId: text,
      rule: fc.constant("deliveries[3]"),
      replayed: fc.constant(true as const),
      traceparent: text,
      fault: text,
      durationMs: fc.double({ min: 0, max: 60_000, noNaN: true }).map((ms) => Math.round(ms * 1000) / 1000),
    },
    { requiredKeys: ["time", "status", "durationMs"] },
  );
  fc.assert(
    fc.property(event, (one) => {
      const line = auditJsonLine(one);
      expect(line).toMatch(/^[\x20-\x7e]*\n$/u);
      expect(JSON.parse(line)).toEqual(one);
    }),
    { numRuns: runs(300) },
  );
});

test("AUDIT-5, AUDIT-7: every line is in one of the files, whole and in order; only the oldest file is given up", () => {
  const padded = fc.array(fc.nat({ max: 4000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      padded,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 20 }),
      (lengths, files, restartEvery, together) => {
        rmSync(folder, { recursive: true });
        mkdirSync(folder);
        const maxBytes = 10_000;
        let audit = opened({ maxBytes, files }).result._unsafeUnwrap();
        const events = lengths.map((length, n) => ({ ...numbered(n), fault: "x".repeat(length) }));
        for (let n = 0; n < events.length; n += together) {
          if (n % restartEvery === 0) {
            audit.close();
            audit = opened({ maxBytes, files }).result._unsafeUnwrap();
          }
          audit.write(events.slice(n, n + together));
        }
        audit.close();
        const names = readdirSync(folder).toSorted();
        const aside = Array.from({ length: files }, (_, place) => `audit.jsonl.${String(place + 1)}`);
        expect(["audit.jsonl", ...aside]).toEqual(expect.arrayContaining(names));
        for (const name of names) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(maxBytes);
        const times = names
          .toSorted((a, b) => b.length - a.length || (a < b ? 1 : -1))
          .flatMap((name) => linesIn(join(folder, name)).map(({ time }) => time));
        const first = lengths.length - times.length;
        expect(times).toEqual(lengths.map((_, n) => n).slice(first));
        if (names.length <= files) expect(first).toBe(0);
      },
    ),
    { numRuns: runs(30) },
  );
});

test("AUDIT-7: whatever part of a line stands at the end when a file is opened, each later line is whole, in that file and the next", () => {
  const part = fc.oneof(
    fc.constantFrom("", "\n", '{"time":1}\n', '{"time":2,"routeId":"r', "x"),
    fc.string({ maxLength: 9 }),
  );
  fc.assert(
    fc.property(part, fc.boolean(), fc.constantFrom(120, 65_536), (left, isReopened, maxBytes) => {
      rmSync(folder, { recursive: true });
      mkdirSync(folder);
      const { file } = opened({ maxBytes });
      const early = opened({ maxBytes }).result._unsafeUnwrap();
      appendFileSync(file, left);
      const audit = isReopened ? early : opened({ maxBytes }).result._unsafeUnwrap();
      audit.reopen();
      for (const n of [7, 8, 9]) audit.write([numbered(n)]);
      audit.close();
      const names = readdirSync(folder).toSorted().toReversed();
      const texts = names.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"));
      const whole = texts.filter((line) => line.startsWith('{"time":') && line.endsWith("}"));
      expect(whole.slice(-3).map((line) => (JSON.parse(line) as Line).time)).toEqual([7, 8, 9]);
    }),
    { numRuns: runs(60) },
  );
});

test("AUDIT-7: a part of a line that the last process has left stands on a line of its own", () => {
  const { file } = opened();
  writeFileSync(file, '{"time":1}\n{"time":2,"rou', { mode: 0o600 });
  const audit = opened().result._unsafeUnwrap();
  audit.write([numbered(3)]);
  audit.close();
  expect(readFileSync(file, "utf8")).toBe('{"time":1}\n{"time":2,"rou\n{"time":3,"status":200,"durationMs":1.5}\n');
});

test("AUDIT-7: old files beyond a number that was lowered are given up when the file is put aside; what is not a file stays", () => {
  const { file, result } = opened({ maxBytes: 100, files: 8 });
  const audit = result._unsafeUnwrap();
  for (let n = 0; n < 30; n += 1) audit.write([numbered(n)]);
  audit.close();
  mkdirSync(`${file}.50`);
  const fewer = opened({ maxBytes: 100, files: 2 }).result._unsafeUnwrap();
  // nothing is removed before: these may be files of another program that puts this one aside
  expect(existsSync(`${file}.8`)).toBe(true);
  for (let n = 30; n < 40; n += 1) fewer.write([numbered(n)]);
  fewer.close();
  const names = ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2", "audit.jsonl.50"];
  expect(readdirSync(folder).toSorted()).toEqual(names);
  const times = ["audit.jsonl.2", "audit.jsonl.1", "audit.jsonl"].flatMap((name) => linesIn(join(folder, name)));
  expect(times.at(-1)).toMatchObject({ time: 39 });
});

test("a file that is deleted is made anew within a second, and while that fails lines are lost and counted", () => {
  const inner = join(folder, "inner");
  mkdirSync(inner);
  const { file, said, result } = opened({ file: join(inner, "audit.jsonl") });
  const audit = result._unsafeUnwrap();
  audit.write([numbered(0)]);
  rmSync(file);
  for (const n of [999, 1000, 1001]) audit.write([numbered(n)]);
  expect(linesIn(file).map(({ time }) => time)).toEqual([1000, 1001]);
  rmSync(inner, { recursive: true });
  for (const n of [2000, 2001]) audit.write([numbered(n)]);
  expect([audit.lost, audit.isBroken, said.at(-1)]).toEqual([2, true, expect.stringContaining("does not exist")]);
  mkdirSync(inner);
  // also when the clock goes back
  audit.write([numbered(500)]);
  audit.close();
  expect(linesIn(file)).toEqual([{ time: 500, lost: 2 }, expect.objectContaining({ time: 500 })]);
});

test("AUDIT-7: a new file is the current user's alone; one that is there keeps its mode, also in the file after it", () => {
  const { file, result } = opened({ maxBytes: 200 });
  const audit = result._unsafeUnwrap();
  const modeOf = (name: string): number => statSync(name).mode & 0o777;
  expect(modeOf(file)).toBe(0o600);
  chmodSync(file, 0o640);
  audit.close();
  const again = opened({ maxBytes: 200 }).result._unsafeUnwrap();
  for (let n = 0; n < 20; n += 1) again.write([numbered(n)]);
  again.close();
  expect([modeOf(file), modeOf(`${file}.1`)]).toEqual([0o640, 0o640]);
});

test.each<[string, () => string, string]>([
  ["a symlink", () => (symlinkSync(join(folder, "other"), join(folder, "x")), "x"), "is a symlink"],
  ["a folder", () => (mkdirSync(join(folder, "x")), "x"), "is a folder"],
  ["a missing folder", () => "none/x", "is in a folder that does not exist"],
  ["a file in place of a folder", () => (writeFileSync(join(folder, "y"), ""), "y/x"), "is not in a folder"],
  [
    "a file with a second name",
    () => {
      writeFileSync(join(folder, "x"), "");
      linkSync(join(folder, "x"), join(folder, "second"));
      return "x";
    },
    "has more than one hard link",
  ],
  [
    "a file that all may write",
    () => {
      writeFileSync(join(folder, "x"), "");
      chmodSync(join(folder, "x"), 0o666);
      return "x";
    },
    "can be changed by all users",
  ],
  ["a folder that all may change", () => (chmodSync(folder, 0o777), "x"), "is in a folder that all users can change"],
])("AUDIT-7: %s is refused with what to do, and nothing is written", (_, prepare, reason) => {
  const name = prepare();
  const { result } = opened({ file: join(folder, name) });
  expect(result._unsafeUnwrapErr().sentence).toContain(reason);
  expect(existsSync(join(folder, "other"))).toBe(false);
});

test.skipIf(!existsSync("/dev/full"))(
  "AUDIT-7: a device is refused, so that nothing is taken for a file that keeps no line",
  () => {
    expect(opened({ file: "/dev/full" }).result._unsafeUnwrapErr().sentence).toContain("is not a regular file");
  },
);

test("AUDIT-7: a file that cannot be put aside grows on, no line is lost and no old file; it is put aside once that works", () => {
  const { file, said, result } = opened({ maxBytes: 400, files: 2 });
  const audit = result._unsafeUnwrap();
  // the file that comes next cannot be made
  mkdirSync(`${file}.next`);
  for (let n = 0; n < 40; n += 1) audit.write([numbered(n)]);
  expect(linesIn(file).map(({ time }) => time)).toEqual(Array.from({ length: 40 }, (_, n) => n));
  expect(said[0]).toContain("could not be put aside and grows on");
  expect(audit.lost).toBe(0);
  rmSync(`${file}.next`, { recursive: true });
  for (let n = 40; n < 45; n += 1) audit.write([numbered(n)]);
  audit.close();
  expect(readdirSync(folder).toSorted()).toEqual(["audit.jsonl", "audit.jsonl.1"]);
  expect([...linesIn(`${file}.1`), ...linesIn(file)]).toHaveLength(45);
});

const isRoot = process.geteuid?.() === 0;

test.runIf(isRoot).each([1, 3, 40])(
  "AUDIT-8: on a full disk lines are lost, counted and told; once there is room the file says how many, and goes on: %i at once",
  (together) => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    try {
      const ballast = join(disk, "ballast");
      writeFileSync(ballast, "x".repeat(50_000));
      const { file, said, result } = opened({ file: join(disk, "audit.jsonl") });
      const audit = result._unsafeUnwrap();
      const write = (first: number, count: number): void =>
        audit.write(Array.from({ length: count }, (_, n) => ({ ...numbered(first + n), fault: "y".repeat(1000) })));
      for (let n = 0; n < 40; n += together) expect(() => write(n, Math.min(together, 40 - n))).not.toThrow();
      const { lost } = audit;
      expect(lost).toBeGreaterThan(10);
      expect(audit.isBroken).toBe(true);
      expect(said.length).toBeGreaterThanOrEqual(Math.ceil(lost / together));
      expect(said).toEqual(said.map(() => expect.stringContaining("does not fit on its disk")));
      rmSync(ballast);
      write(40, 1);
      expect([audit.lost, audit.isBroken]).toEqual([lost, false]);
      expect(said.at(-1)).toContain(`${String(lost)} lines are missing`);
      audit.close();
      // the part of a line that the disk still took stands on a line of its own
      const texts = readFileSync(file, "utf8").trimEnd().split("\n");
      const whole = texts.filter((line) => line.endsWith("}")).map((line) => JSON.parse(line) as Line);
      expect(texts.length - whole.length).toBeLessThanOrEqual(1);
      const told = whole.filter((line) => line.lost === undefined).map(({ time }) => time);
      expect(told).toEqual([...Array.from({ length: 40 - lost }, (_, n) => n), 40]);
      expect(whole.filter((line) => line.lost !== undefined)).toEqual([{ time: 40, lost }]);
    } finally {
      execFileSync("umount", [disk]);
    }
  },
);

test("AUDIT-8: after its end a file takes no line, and a descriptor that has become another file's is not written", () => {
  const { said, result } = opened();
  const audit = result._unsafeUnwrap();
  audit.close();
  const other = join(folder, "other");
  const descriptor = openSync(other, "w");
  audit.write([numbered(1)]);
  audit.close();
  closeSync(descriptor);
  expect(readFileSync(other, "utf8")).toBe("");
  expect([audit.lost, audit.isBroken, said.length]).toEqual([1, true, 1]);
});

test("AUDIT-7: a file that another program has moved away is written until it is opened anew; then there is a new one", () => {
  const { file, result } = opened();
  const audit = result._unsafeUnwrap();
  audit.write([numbered(0)]);
  renameSync(file, `${file}.moved`);
  audit.write([numbered(1)]);
  audit.reopen();
  audit.write([numbered(2)]);
  audit.close();
  expect([linesIn(`${file}.moved`), linesIn(file)].map((lines) => lines.map(({ time }) => time))).toEqual([
    [0, 1],
    [2],
  ]);
});

test("AUDIT-7: a file that another program has emptied is written on, without a hole", () => {
  const { file, result } = opened();
  const audit = result._unsafeUnwrap();
  for (let n = 0; n < 5; n += 1) audit.write([numbered(n)]);
  truncateSync(file, 0);
  audit.write([numbered(5)]);
  audit.close();
  expect(linesIn(file)).toEqual([expect.objectContaining({ time: 5 })]);
});
