// What a reload takes over and what it keeps, and when files count as changed; in this process, with real files.

import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { err, ok, type Result } from "neverthrow";
import { afterAll, expect, test } from "vitest";
import { Live, type ReloadOptions } from "../../../adapters/cli/commands/reload.ts";
import { demoRoutes, readServed } from "../../../adapters/cli/commands/served.ts";
import { type Prints, printsOf, watchFiles } from "../../../adapters/cli/watch.ts";
import { cli } from "../../support/cli.ts";

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
    expect.stringMatching(
      /^error not reloaded; what was served before is still served\. Route a: secret is empty or could not be resolved\. Set/u,
    ),
  ]);
  expect(await reload({ routes: { a: route("short") } })).toEqual([
    "a",
    expect.stringMatching(/^warn route a advice/u),
    "info reloaded: 1 route",
  ]);
  expect(await reload({})).toEqual(["a", expect.stringContaining("not reloaded")]);
  expect(await reload({ trustedProxies: ["x"], routes: { a: route(GOOD) } })).toEqual([
    "a",
    expect.stringContaining("not reloaded; what was served before is still served. trustedProxies x"),
  ]);
});

test("SERVE-3, AUDIT-1: a reload says which rules are new and which are gone, once and without the session key", async () => {
  const ruled = (...keys: readonly string[]) => {
    const deliveries = keys.map((key) => ({ when: { "payload.k": key }, key, do: { action: "finish_flow" } }));
    return { routes: { a: { sessionKey: "agent:main:a", secret: GOOD, deliveries } } };
  };
  const line = (place: number, key: string): string =>
    `route a: deliveries[${String(place)}]: when payload.k is "${key}": finish_flow of the flow that is bound to key "${key}"`;
  const { reload } = await begin(ruled("one", "two"));
  expect(await reload(ruled("one", "two"))).toEqual(["a", "info reloaded: 1 route"]);
  expect(await reload(ruled("one", "agent:main:a"))).toEqual([
    "a",
    "info reloaded: 1 route",
    `info no longer: ${line(1, "two")}`,
    `info ${line(1, "[hidden]")}`,
  ]);
  expect(await reload({ routes: { a: route(GOOD) } })).toEqual([
    "a",
    "info reloaded: 1 route",
    "info no longer: route a: takes deliveries with its secret",
    `info no longer: ${line(0, "one")}`,
    `info no longer: ${line(1, "[hidden]")}`,
  ]);
});

const GATEWAY = { plugins: { entries: { webhooks: { config: { routes: { a: route(GOOD) } } } } } };
const OFF = { plugins: { entries: { webhooks: { enabled: false, config: { routes: { a: route(GOOD) } } } } } };

test.each([
  [
    "disabled",
    { routes: { a: { ...route(GOOD), enabled: false } } },
    /^warn No route can be served\. Every route has /u,
  ],
  ["removed", { routes: {} }, /^warn No route can be served\. No route is configured\. Add one under routes\.$/u],
  ["switched off", OFF, /^warn \S+ has enabled: false in plugins\.entries\.webhooks/u],
])(
  "SERVE-3: routes that were all %s are not served any more; a start without one is an error",
  async (_, next, warned) => {
    const { reload, live } = await begin(GATEWAY);
    expect(await reload(next)).toEqual(["", "info reloaded: 0 routes", expect.stringMatching(warned)]);
    expect(live.served.idle).toBe(String((await reload(next))[2]).slice("warn ".length));
    const started = await cli(["serve", "--config", join(folder, "routes.json"), "--db", join(folder, "never.db")]);
    expect(started).toEqual({ status: 1, out: "", error: `${live.served.idle}\n` });
    expect(await reload(GATEWAY)).toEqual(["a", "info reloaded: 1 route"]);
  },
);

test("SERVE-3: why a route keeps all from being reloaded is said whole, and without what only a start does", async () => {
  const { reload } = await begin({ routes: { a: route(GOOD) } });
  const ref = { source: "env", provider: "default", id: "NOT_SET" };
  const next = {
    routes: { a: { ...route(ref) }, b: route("xxxxxxxxxxxxxxxx"), c: { ...route(GOOD), sesionKey: "" } },
  };
  const [served, line = "", ...more] = await reload(next);
  expect([served, more]).toEqual(["a", []]);
  for (const reason of [
    "Route a: secret could not be resolved: the environment variable NOT_SET is not set or empty: set it.",
    "Route b: secret is one character, or a few, repeated. ",
    "Set a long random string, such as openssl rand -base64 32 prints.",
    "Route c: sesionKey is not a field of a route. Remove it or correct its name.",
  ])
    expect(line).toContain(reason);
  expect(line).not.toMatch(/callers get 404|route \S+ skipped/u);
});

test("SERVE-3: what was read at a signal is not read again by the watch, whole or broken", async () => {
  const { live, options, lines } = await begin({ routes: { a: route(GOOD) } });
  let looks = 0;
  const known = (): Prints | undefined => {
    looks += 1;
    return live.prints;
  };
  const end = watchFiles({ known, onChange: () => void live.reload(options), everyMs: 2 });
  for (const [text, said] of [
    [JSON.stringify({ routes: { a: route(`${GOOD}2`) } }), "info reloaded: 1 route"],
    ["{ routes:", expect.stringMatching(/^error not reloaded/u)],
  ] as const) {
    writeFileSync(join(folder, "routes.json"), text);
    await live.reload(options);
    const seen = looks;
    await expect.poll(() => looks).toBeGreaterThan(seen + 8);
    expect(lines.splice(0)).toEqual([said]);
  }
  writeFileSync(join(folder, "routes.json"), "{ broken by itself");
  await expect.poll(() => lines.length).toBe(1);
  const seen = looks;
  await expect.poll(() => looks).toBeGreaterThan(seen + 8);
  expect(lines).toEqual([expect.stringMatching(/^error not reloaded/u)]);
  end();
});

test("SERVE-3: each reason that keeps all from being reloaded is a sentence of its own, also one that is of no route", async () => {
  const { reload } = await begin({ routes: { a: route(GOOD) } });
  const kept = "error not reloaded; what was served before is still served. ";
  const [, ...two] = await reload({ routes: { a: { ...route(GOOD), x: 1 }, b: { ...route(GOOD), y: 1 } } });
  const reason = (id: string, field: string): string =>
    `Route ${id}: ${field} is not a field of a route. Remove it or correct its name.`;
  expect(two).toEqual([`${kept}${reason("a", "x")} ${reason("b", "y")}`]);
  const [, none = ""] = await reload({ routes: 7 });
  expect(none.startsWith(kept)).toBe(true);
  expect(none).not.toMatch(/skipped|undefined/u);
});

test("SERVE-3: advice that was given at the start is not given again", async () => {
  const { reload } = await begin({ routes: { a: route("short") } });
  expect(await reload({ routes: { a: route("short") } })).toEqual(["a", "info reloaded: 1 route"]);
  expect(await reload({ routes: { a: route("short"), b: route("brief") } })).toEqual([
    "a,b",
    expect.stringMatching(/^warn route b advice: /u),
    "info reloaded: 2 routes",
  ]);
});

test("SERVE-3: only a server with a certificate takes a new one, and then goes on with the rest", async () => {
  const taken: unknown[] = [];
  const renew = (tls: unknown) => {
    taken.push(tls);
    return tls === undefined ? err("none") : ok();
  };
  const { live, options, lines, reload } = await begin({ routes: { a: route(GOOD) } }, renew);
  expect(await reload({ routes: { a: route(GOOD), b: route(`${GOOD}b`) } })).toEqual([
    "a,b",
    "info reloaded: 2 routes",
  ]);
  expect(taken).toEqual([]);
  const tls = { cert: "c", key: "k" };
  await live.reload({ ...options, read: async () => ok({ ...live.served, tls }) });
  expect([taken, lines, live.served.tls]).toEqual([[tls], ["info reloaded: 2 routes"], tls]);
});

test("SERVE-3: a certificate that the server does not take keeps all that is served", async () => {
  const { live, options, lines } = await begin({ routes: { a: route(GOOD) } }, () => err("no"));
  const tls = { cert: "c", key: "k" };
  const fresh = { ...live.served, tls, config: { ...live.served.config, routes: new Map() } };
  await live.reload({ ...options, read: async () => ok(fresh) });
  expect([live.served.config.routes.size, lines]).toEqual([1, [expect.stringContaining("The certificate")]]);
});

test("STATUS-4: a reload that is refused is told with its time and reason until one succeeds", async () => {
  const { live, options } = await begin({ routes: { a: route(GOOD) } });
  const timed = new Live(live.served, () => 1_700_000_000_123);
  const load = async (next: unknown): Promise<string | undefined> => {
    write("routes.json", next);
    await timed.reload(options);
    return timed.refused;
  };
  expect(timed.refused).toBeUndefined();
  expect(await load({ routes: { a: route("") } })).toMatch(
    /^the configuration was not taken over at 2023-11-14T22:13:20Z: Route a: secret is empty .+\. What was served before is still served\.$/u,
  );
  expect(await load({ routes: { a: route(GOOD), b: { ...route(`${GOOD}b`), path: "x" } } })).toContain("Route b: path");
  expect(await load({ routes: { a: route(GOOD) } })).toBeUndefined();
  expect(await load({ routes: {} })).toBeUndefined();
  expect(await load(7)).toContain("the configuration was not taken over at ");
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

test("SERVE-3, CONFIG-2: a route that breaks is not taken for a broken one whose id begins alike", async () => {
  const [known, other] = [`${"r".repeat(100)}1`, `${"r".repeat(100)}2`];
  const missing = { source: "env", provider: "default", id: "NOT_SET" };
  for (const broken of [route(""), route(missing), { sessionKey: "s", path: "x", secret: GOOD }, 7]) {
    const { reload } = await begin({ routes: { [known]: broken, [other]: route(GOOD) } });
    const [served, line] = await reload({ routes: { [known]: broken, [other]: broken } });
    expect([served, line?.startsWith("error not reloaded"), line?.includes(other)]).toEqual([other, true, true]);
  }
  const { reload } = await begin({ routes: { [known]: route(missing), [other]: route(GOOD) } });
  expect((await reload({ routes: { [known]: route(missing), [other]: route("") } }))[0]).toBe(other);
});

test("SERVE-2: once a stop has begun, nothing is read any more, and what is being read is not taken over", async () => {
  const { live, options, lines } = await begin({ routes: { a: route(GOOD) } });
  const gate = Promise.withResolvers<void>();
  const before = live.served;
  let reads = 0;
  const read = async (): ReturnType<ReloadOptions["read"]> => {
    reads += 1;
    await gate.promise;
    return options.read();
  };
  const all = [live.reload({ ...options, read }), live.reload({ ...options, read })];
  live.end();
  gate.resolve();
  await Promise.all(all);
  await live.reload({ ...options, read });
  expect([reads, live.served === before, lines]).toEqual([1, true, []]);
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
  let read: Prints | undefined = await printsOf([file]);
  const known = (): Prints | undefined => {
    looks += 1;
    return read;
  };
  const onChange = async (): Promise<void> => {
    changes += 1;
    read = undefined;
    read = await printsOf([file]);
  };
  const end = watchFiles({ known, onChange, everyMs: 2 });
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

test("SERVE-3: a file that changes at every look is read after five of them, and then again", async () => {
  const file = join(folder, "restless");
  let [looks, seen] = [0, [] as number[]];
  let read = await printsOf([file]);
  const known = () => {
    writeFileSync(file, String(looks).repeat(looks % 7));
    utimesSync(file, looks, (looks += 1));
    return read;
  };
  const onChange = (): void => void (seen = [...seen, looks]);
  const end = watchFiles({ known, onChange, everyMs: 1 });
  await expect.poll(() => seen.length).toBeGreaterThan(1);
  end();
  expect(seen.slice(0, 2).map((at) => at <= 12)).toEqual([true, true]);
});
