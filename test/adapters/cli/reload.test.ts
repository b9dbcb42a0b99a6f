// What a reload takes over and what it keeps, and when files count as changed; in this process, with real files.

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { err, ok, type Result } from "neverthrow";
import { afterAll, expect, test } from "vitest";
import { Live, type ReloadOptions } from "../../../adapters/cli/commands/reload.ts";
import { demoRoutes, readServed } from "../../../adapters/cli/commands/served.ts";
import { printsOf, watchFiles } from "../../../adapters/cli/watch.ts";

const folder = mkdtempSync(join(tmpdir(), "reload-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const demo = demoRoutes().server;
const route = (secret: unknown) => ({ sessionKey: "s", secret });
const GOOD = "a-secret-0123456789abcdef";

const write = (name: string, content: unknown): string => {
  const file = join(folder, name);
  writeFileSync(`${file}.new`, JSON.stringify(content), { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return file;
};

/** What is served first, and how a reload goes on from there. */
const begin = async (content: unknown, renew: ReloadOptions["renew"] = () => ok()) => {
  const config = write("routes.json", content);
  const lines: string[] = [];
  const say = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  const logger = { info: say("info"), warn: say("warn"), error: say("error") };
  let reads = 0;
  const read = () => {
    reads += 1;
    return readServed({ config }, demo, {});
  };
  const live = new Live((await read())._unsafeUnwrap());
  const reload = async (next: unknown): Promise<readonly string[]> => {
    write("routes.json", next);
    await live.reload({ read, renew, logger });
    return [[...live.served.config.routes.values()].map(({ id }) => id).join(), ...lines.splice(0)];
  };
  return { live, reload, lines, options: { read, renew, logger }, reads: () => reads };
};

test("SERVE-3: a new problem keeps all that is served; one that was known, and advice, do not", async () => {
  const cold = route("");
  const { reload } = await begin({ routes: { a: route(GOOD), cold } });
  expect(await reload({ routes: { a: route(GOOD), b: route(`${GOOD}b`), cold } })).toEqual([
    "a,b",
    "info reloaded: 2 routes",
  ]);
  const refused = await reload({ routes: { a: route(""), b: route(`${GOOD}b`), c: route(`${GOOD}c`), cold } });
  expect(refused).toEqual([
    "a,b",
    expect.stringMatching(/^error not reloaded, what was served before still is: route a /u),
  ]);
  expect(await reload({ routes: { a: route("short") } })).toEqual([
    "a",
    expect.stringMatching(/^warn route a advice/u),
    "info reloaded: 1 route",
  ]);
  expect(await reload({})).toEqual(["a", expect.stringContaining("not reloaded")]);
  expect(await reload({ trustedProxies: ["x"], routes: { a: route(GOOD) } })).toEqual([
    "a",
    expect.stringContaining("not reloaded, what was served before still is: trustedProxies x"),
  ]);
});

test("SERVE-3: a certificate that the server does not take keeps all that is served", async () => {
  const { live, options, lines } = await begin({ routes: { a: route(GOOD) } }, () => err("no"));
  const tls = { cert: "c", key: "k" };
  const fresh = { ...live.served, tls, config: { ...live.served.config, routes: new Map() } };
  await live.reload({ ...options, read: async () => ok(fresh) });
  expect([live.served.config.routes.size, lines]).toEqual([1, [expect.stringContaining("the certificate")]]);
});

test("SERVE-3: reloads go one after another, and any number of wishes meanwhile is one more", async () => {
  const { live, options } = await begin({ routes: { a: route(GOOD) } });
  const gate = Promise.withResolvers<void>();
  let [reading, reads, most] = [0, 0, 0];
  const read = async (): ReturnType<ReloadOptions["read"]> => {
    most = Math.max(most, (reading += 1));
    reads += 1;
    await gate.promise;
    reading -= 1;
    return options.read();
  };
  const all = Array.from({ length: 5 }, () => live.reload({ ...options, read }));
  gate.resolve();
  await Promise.all(all);
  expect([reads, most]).toEqual([2, 1]);
  await live.reload({ ...options, read });
  expect(reads).toBe(3);
});

test("SERVE-3: secrets in files are watched with the rest", async () => {
  const secret = join(folder, "a.secret");
  writeFileSync(secret, GOOD, { mode: 0o600 });
  const mine = { source: "file", path: secret, mode: "singleValue" };
  const config = write("with-file.json", {
    secrets: { providers: { mine, other: { source: "exec", command: "/none" } } },
    routes: { a: route({ source: "file", provider: "mine", id: "value" }) },
  });
  const served: Result<{ readonly prints: ReadonlyMap<string, string> }, unknown> = await readServed(
    { config },
    demo,
    {},
  );
  expect([...served._unsafeUnwrap().prints.keys()]).toEqual([config, secret]);
});

const FILE_CHANGES: Readonly<Record<string, (at: string, file: string) => void>> = {
  "is written": (_, file) => writeFileSync(file, "other"),
  "is replaced by one of the same size": (_, file) => {
    writeFileSync(`${file}.new`, "first");
    renameSync(`${file}.new`, file);
  },
  "is gone": (_, file) => unlinkSync(file),
  "stands behind a link that is exchanged": (at) => {
    mkdirSync(join(at, "v2"));
    writeFileSync(join(at, "v2", "file"), "first");
    symlinkSync("v2", join(at, "..tmp"));
    renameSync(join(at, "..tmp"), join(at, "..data"));
  },
};

test.each(Object.entries(FILE_CHANGES))("SERVE-3: a file that %s is noticed once", async (_, change) => {
  const at = mkdtempSync(join(folder, "watched-"));
  mkdirSync(join(at, "v1"));
  writeFileSync(join(at, "v1", "file"), "first");
  symlinkSync("v1", join(at, "..data"));
  const file = join(at, "..data", "file");
  let [changes, looks] = [0, 0];
  const files = (): readonly string[] => {
    looks += 1;
    return [file];
  };
  const end = watchFiles({ files, known: await printsOf([file]), onChange: () => (changes += 1), everyMs: 2 });
  await expect.poll(() => looks).toBeGreaterThan(3);
  expect(changes).toBe(0);
  change(at, file);
  await expect.poll(() => changes).toBe(1);
  const seen = looks;
  await expect.poll(() => looks).toBeGreaterThan(seen + 5);
  expect(changes).toBe(1);
  end();
  const last = looks;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(looks).toBeLessThanOrEqual(last + 1);
});
