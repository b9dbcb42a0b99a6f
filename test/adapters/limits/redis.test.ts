// This side of the limits on a server: what is asked, what becomes of requests while the server is silent or gone, and the leases.
// The clock and the link belong to the test; test/systems/scale has a real server.

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openLimits } from "../../../adapters/cli/commands/limits.ts";
import { freshRoute } from "../../../adapters/conformance/limits-under-test.ts";
import { parseServer, shownServer } from "../../../adapters/limits/redis/connect.ts";
import { adviceOf, tooOld } from "../../../adapters/limits/redis/facts.ts";
import type { Trouble } from "../../../adapters/limits/redis/gate.ts";
import { DEFAULT_PREFIX, keysOf } from "../../../adapters/limits/redis/keys.ts";
import { type Link, scriptRunner } from "../../../adapters/limits/redis/link.ts";
import { ADMIT, CONFIRM, PROBE, RELEASE, RENEW, type Script } from "../../../adapters/limits/redis/scripts.ts";
import { SharedLimits, type SharedOptions } from "../../../adapters/limits/redis/shared-limits.ts";
import { reasonOf } from "../../../adapters/limits/redis/trouble.ts";
import type { Located } from "../../../core/index.ts";
import { RUNS } from "../../support/runs.ts";

type Call = { readonly script: Script; readonly keys: readonly string[]; readonly args: readonly (string | number)[] };

/** A server in the hands of the test: it answers, says nothing, or is gone. */
class TestLink implements Link {
  state: "answers" | "silent" | "gone" = "answers";
  readonly calls: Call[] = [];
  readonly #waiting: (() => void)[] = [];
  /** What ADMIT gives: admitted, the first of its window. */
  said: readonly number[] = [0, 1, 60_000, 0];
  confirmed = 1;
  /** What it answers to all, if anything. */
  wrong: readonly unknown[] = [];
  /** Milliseconds after which it answers the next steps of requests. */
  delays: number[] = [];

  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    if (this.state === "gone") return Promise.reject(new Error("connect ECONNREFUSED 127.0.0.1:6379"));
    this.calls.push({ script, keys, args });
    if (this.wrong.length > 0) return Promise.resolve(this.wrong[0]);
    const reply = script === ADMIT ? this.said : script === CONFIRM ? this.confirmed : 1;
    const delay = script === ADMIT || script === CONFIRM ? this.delays.shift() : undefined;
    if (delay !== undefined) return new Promise((resolve) => void setTimeout(() => resolve(reply), delay));
    if (this.state === "answers") return Promise.resolve(reply);
    return new Promise((resolve) => void this.#waiting.push(() => resolve(reply)));
  }

  /** It answers again, first what it was asked meanwhile. */
  wake(): void {
    this.state = "answers";
    for (const answer of this.#waiting.splice(0)) answer();
  }

  close(): void {
    this.state = "gone";
  }

  of(script: Script): readonly Call[] {
    return this.calls.filter((call) => call.script === script);
  }
}

beforeEach(() => void vi.useFakeTimers());
const opened: SharedLimits[] = [];
afterEach(() => {
  for (const limits of opened.splice(0)) limits.close();
  vi.useRealTimers();
});

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

const rig = async (more: Partial<SharedOptions> = {}) => {
  const link = new TestLink();
  const changes: (string | undefined)[] = [];
  const onChange = (trouble: Trouble | undefined): void => void changes.push(trouble && reasonOf(trouble));
  const limits = new SharedLimits({ link, name: "r", onChange, ...more });
  opened.push(limits);
  await pass(0);
  return { link, limits, changes };
};

/** The deadline, and a turn in which what has come is read. */
const LATE_MS = 252;

const GONE = { kind: "admission_unavailable", retryAfterMs: 1000 };

test("LIMIT-14, LIMIT-11: the server is asked by the numbers of the route, and what it says is told", async () => {
  const { link, limits } = await rig();
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6000 }),
      fc.integer({ min: 1, max: 64 }),
      fc.integer({ min: 1, max: 6000 }),
      fc.boolean(),
      async (perMinute, inFlight, count, isSigned) => {
        const located = freshRoute({ limits: { perMinute, inFlight }, isSigned }).request(1, 2);
        link.said = [0, count, 1234, 2];
        const verdict = await limits.admit(located, 0);
        const { keys, args } = link.of(ADMIT).at(-1) ?? { keys: [], args: [] };
        const { strangers, known, overflow, client, peer } = keysOf(DEFAULT_PREFIX, located);
        expect(keys).toEqual([strangers, known, overflow, client, peer]);
        const ofPeer = isSigned ? 0 : Math.max(64, 8 * inFlight);
        expect(args.slice(0, 6)).toEqual(["10.0.0.1", perMinute, 60_000, inFlight, ofPeer, 4096]);
        const allowance = {
          limit: perMinute,
          windowMs: 60_000,
          remaining: Math.max(0, perMinute - count),
          endsInMs: 1234,
          inFlight,
        };
        expect(verdict).toEqual({ kind: "admitted", allowance, ...(isSigned ? { isKnown: true } : {}) });
      },
    ),
  );
  for (const [said, told] of [
    [[1, 5, 777, 0], { kind: "rate_limited", retryAfterMs: 777 }],
    [[2, 5, 777, 0], { kind: "too_many_in_flight", retryAfterMs: 1000 }],
    ["nonsense", GONE],
    [[], GONE],
  ] as const) {
    link.said = said as readonly number[];
    expect(await limits.admit(freshRoute().request(1), 0)).toEqual(told);
  }
});

test("LIMIT-15, LIMIT-17: a server whose answers are not those of the scripts is one that does not answer", async () => {
  for (const wrong of ["OK", null, [], ["a", "b", "c", "d"], 2] as const) {
    const { link, limits, changes } = await rig();
    const located = freshRoute({ isSigned: true }).request(1);
    await limits.admit(located, 0);
    link.wrong = [wrong];
    expect(await limits.confirm(located, 0)).toEqual(GONE);
    await pass(50);
    expect(limits.isReady).toBe(false);
    expect(await limits.admit(freshRoute().request(1), 0)).toEqual(GONE);
    link.wrong = [];
    await pass(50);
    expect([limits.isReady, changes.length]).toEqual([true, 3]);
    link.wrong = [wrong];
    expect(await limits.admit(freshRoute().request(1), 0)).toEqual(GONE);
    expect(limits.isReady).toBe(false);
  }
});

test("LIMIT-14: a known client of a route with a secret is confirmed without a call, any other one with one", async () => {
  const { link, limits } = await rig();
  for (const [known, isSigned, calls] of [
    [0, false, 1],
    [1, false, 0],
    [2, false, 0],
    [2, true, 1],
  ] as const) {
    link.said = [0, 1, 60_000, known];
    const located = freshRoute({ isSigned }).request(1);
    await limits.admit(located, 0);
    const before = link.of(CONFIRM).length;
    expect(await limits.confirm(located, 0)).toBe(true);
    expect([known, isSigned, link.of(CONFIRM).length - before]).toEqual([known, isSigned, calls]);
  }
  link.confirmed = 0;
  const signed = freshRoute({ isSigned: true }).request(1);
  await limits.admit(signed, 0);
  expect(await limits.confirm(signed, 0)).toBe(false);
});

test("LIMIT-15: a step waits for 250 ms and no longer, and further ones do not wait at all", async () => {
  const { link, limits, changes } = await rig();
  const { request } = freshRoute();
  link.state = "silent";
  const verdicts: unknown[] = [];
  const waiting = Promise.resolve(limits.admit(request(1), 0)).then((verdict) => verdicts.push(verdict));
  await pass(249);
  expect(verdicts).toEqual([]);
  await pass(LATE_MS - 249);
  await waiting;
  expect(verdicts).toEqual([GONE]);
  const asked = link.calls.length;
  expect([1, 2, 3].map((client) => limits.admit(request(client), 0))).toEqual([GONE, GONE, GONE]);
  await pass(60_000);
  // one probe, which is not answered either
  expect([link.calls.length - asked, link.of(PROBE).length]).toEqual([0, 2]);
  expect([limits.isReady, changes]).toEqual([false, [undefined, "no answer within 250 ms"]]);
});

test("LIMIT-15: whenever the server answers, a request waits for its two steps, for 250 ms each at most", async () => {
  const delay = fc.integer({ min: 0, max: 1000 });
  await fc.assert(
    fc.asyncProperty(delay, delay, fc.boolean(), async (first, second, isSigned) => {
      const { link, limits } = await rig();
      const located = freshRoute({ isSigned }).request(1);
      link.delays = [first, second];
      const begunAt = Date.now();
      const asked = async (): Promise<number> => {
        const { kind } = await limits.admit(located, 0);
        if (kind === "admitted") await limits.confirm(located, 0);
        return Date.now() - begunAt;
      };
      const waited = asked();
      await pass(3000);
      limits.close();
      expect(await waited).toBeLessThanOrEqual(Math.min(first, LATE_MS) + Math.min(second, LATE_MS));
    }),
    { numRuns: RUNS },
  );
});

test("LIMIT-15, SLOT-6: a slot that is given too late goes back, and the late request was refused", async () => {
  const { link, limits } = await rig();
  link.state = "silent";
  const late = Promise.resolve(limits.admit(freshRoute().request(1), 0));
  await pass(LATE_MS);
  expect(await late).toEqual(GONE);
  link.wake();
  await pass(0);
  await pass(RENEWED_BY);
  const [asked] = link.of(ADMIT);
  expect(link.of(RELEASE).map(({ args }) => args[0])).toEqual([asked?.args[6]]);
  expect(link.of(RENEW)).toEqual([]);
});

test("LIMIT-15: a server that refuses, or a connection that is gone, refuses requests at once", async () => {
  const { link, limits, changes } = await rig();
  const { request } = freshRoute();
  link.state = "gone";
  expect(await limits.admit(request(1), 0)).toEqual(GONE);
  expect(limits.admit(request(1), 0)).toEqual(GONE);
  expect(changes.at(-1)).toBe("connect ECONNREFUSED 127.0.0.1:6379");
  const signed = freshRoute({ isSigned: true });
  expect(await limits.confirm(signed.request(1), 0)).toEqual(GONE);
});

test("LIMIT-15: a signed request whose slot cannot be taken is told so", async () => {
  const { link, limits } = await rig();
  const located = freshRoute({ isSigned: true }).request(1);
  await limits.admit(located, 0);
  link.state = "gone";
  expect(await limits.confirm(located, 0)).toEqual(GONE);
});

test("LIMIT-15: by the operator's word a process counts alone, in no case without a limit", async () => {
  const { link, limits } = await rig({ whenGone: "local" });
  link.state = "gone";
  const { request } = freshRoute({ limits: { perMinute: 9, inFlight: 2 } });
  const kinds: string[] = [];
  for (let n = 0; n < 12; n += 1) {
    const located = request(1);
    const verdict = await limits.admit(located, n);
    kinds.push(verdict.kind);
    if (verdict.kind === "admitted") {
      expect(await limits.confirm(located, n)).toBe(true);
      limits.release(located, true);
    }
  }
  expect(kinds).toEqual([
    ...Array.from({ length: 9 }, () => "admitted"),
    "rate_limited",
    "rate_limited",
    "rate_limited",
  ]);
  const [one, two, three] = [request(2), request(2), request(2)];
  for (const located of [one, two]) expect(limits.admit(located, 20)).toMatchObject({ kind: "admitted" });
  expect(limits.admit(three, 20)).toMatchObject({ kind: "too_many_in_flight" });
  limits.release(one, false);
  expect(limits.admit(three, 20)).toMatchObject({ kind: "admitted" });
  expect([limits.isReady, limits.isShared]).toEqual([true, false]);
});

test("LIMIT-17: once a probe is answered in time, the server is asked again; what is held is renewed first", async () => {
  const { link, limits, changes } = await rig();
  const { request } = freshRoute();
  const held = request(1);
  await limits.admit(held, 0);
  link.state = "gone";
  await limits.admit(request(2), 0);
  expect([limits.isReady, limits.trouble?.kind]).toEqual([false, "failed"]);
  await pass(10_000);
  expect(limits.isReady).toBe(false);
  const before = link.calls.length;
  link.state = "answers";
  await pass(50);
  expect([limits.isReady, limits.trouble, changes.at(-1)]).toEqual([true, undefined, undefined]);
  expect(await limits.admit(request(2), 0)).toMatchObject({ kind: "admitted" });
  expect(link.calls.slice(before).map(({ script }) => [PROBE, RENEW, ADMIT].indexOf(script))).toEqual([0, 1, 2]);
});

test("LIMIT-17: a server that answers a probe too late is not back yet; one that falls silent unasked is missed", async () => {
  const { link, limits, changes } = await rig();
  link.state = "silent";
  await pass(1000);
  expect([limits.isReady, changes.length]).toEqual([true, 1]);
  await pass(LATE_MS);
  expect([limits.isReady, changes.at(-1)]).toEqual([false, "no answer within 250 ms"]);
  await pass(1000);
  // the first probe is answered after more than 250 ms, and the next one at once
  const probes = link.of(PROBE).length;
  link.wake();
  await pass(0);
  expect([limits.isReady, link.of(PROBE).length - probes]).toEqual([true, 1]);
});

const RENEWED_BY = 7500;

test("SLOT-6: whoever waits for a slot to be given back knows that the server has it, or is gone", async () => {
  const { link, limits } = await rig();
  const { request } = freshRoute();
  const [one, two] = [request(1), request(2)];
  await limits.admit(one, 0);
  await limits.admit(two, 0);
  link.state = "silent";
  const ended: number[] = [];
  const first = Promise.resolve(limits.release(one, true)).then(() => ended.push(1));
  await pass(100);
  expect(ended).toEqual([]);
  link.wake();
  await first;
  link.state = "gone";
  expect(await limits.release(two, true)).toBeUndefined();
});

test("SLOT-6: a slot is renewed while its request lives, with that of its peer, and given back once", async () => {
  const { link, limits } = await rig();
  const located = freshRoute().request(1, 2);
  await limits.admit(located, 0);
  const { client, peer } = keysOf(DEFAULT_PREFIX, located);
  const id = link.of(ADMIT)[0]?.args[6];
  expect(link.of(ADMIT)[0]?.args[7]).toBe(15_000);
  await pass(RENEWED_BY);
  expect(link.of(RENEW)).toEqual([{ script: RENEW, keys: [client, peer], args: [id, 15_000] }]);
  await pass(60_000);
  const renewals = link.of(RENEW).length;
  expect(renewals).toBeGreaterThanOrEqual(8);
  limits.release(located, true);
  limits.release(located, true);
  await pass(60_000);
  expect(link.of(RELEASE)).toEqual([{ script: RELEASE, keys: [client, peer], args: [id] }]);
  expect(link.of(RENEW).length).toBe(renewals);
});

test("SLOT-6: of a signed request the slot of the peer is renewed once it has one; no two slots have one id", async () => {
  const { link, limits } = await rig();
  const located = freshRoute({ isSigned: true }).request(1, 2);
  const { client, peer } = keysOf(DEFAULT_PREFIX, located);
  await limits.admit(located, 0);
  await pass(RENEWED_BY);
  expect(link.of(RENEW).at(-1)?.keys).toEqual([client]);
  await limits.confirm(located, 0);
  await pass(RENEWED_BY);
  expect(link.of(RENEW).at(-1)?.keys).toEqual([client, peer]);
  for (let n = 0; n < 100; n += 1) await limits.admit(located, 0);
  expect(new Set(link.of(ADMIT).map(({ args }) => args[6])).size).toBe(101);
});

test("LIMIT-16: whatever a route is called, its keys begin with the prefix and have its own hash tag", () => {
  const located = freshRoute().request(1, 2);
  const named = (id: string): Located => ({
    ...located,
    route: { ...located.route, id },
    clientKey: `10.0.0.1 ${id}`,
    peerKey: `11.0.0.2 ${id}`,
  });
  const tagOf = (key: string): string | undefined => /\{(.+?)\}/u.exec(key)?.[1];
  const ids = fc.oneof(
    fc.string({ unit: "binary", minLength: 1 }),
    fc.constantFrom("a}", "{a}", "a", "{}", "a b", "~"),
  );
  fc.assert(
    fc.property(ids, ids, (one, other) => {
      const keys = Object.values(keysOf("p:", named(one)));
      expect(new Set(keys.map((key) => tagOf(key))).size).toBe(1);
      expect(new Set(keys).size).toBe(5);
      for (const key of keys)
        expect(key).toMatch(/^p:\{[^{}]{1,64}\}:(?:strangers|known|overflow|client:10\.0\.0\.1|peer:11\.0\.0\.2)$/u);
      expect(keysOf("p:", named(one)).known === keysOf("p:", named(other)).known).toBe(one === other);
    }),
  );
});

test("LIMIT-18: an address is read as it is meant, and neither a log nor a fault has its password", () => {
  const read = (url: string): unknown => parseServer(url).unwrapOr(undefined);
  expect(read("redis://localhost")).toMatchObject({ host: "localhost", port: 6379, isTls: false, database: undefined });
  expect(read("rediss://user:p%40ss@[::1]:7000/3")).toMatchObject({
    host: "::1",
    port: 7000,
    isTls: true,
    username: "user",
    password: "p@ss",
    database: 3,
  });
  for (const bad of [
    "",
    "localhost:6379",
    "http://a",
    "redis://",
    "redis://a/x",
    "redis://a/1?b",
    "redis://a#b",
    "redis://%zz@a",
  ])
    expect([bad, parseServer(bad).isErr()]).toEqual([bad, true]);
  const secret = fc.stringMatching(/^[A-Za-z0-9]{12,30}$/u);
  fc.assert(
    fc.property(
      secret,
      fc.constantFrom("redis", "rediss", "http"),
      fc.constantFrom("", "/0", "/x", "?y"),
      (word, scheme, rest) => {
        const said = parseServer(`${scheme}://u:${word}@host:1${rest}`).match(shownServer, (hint) => hint);
        expect(said).not.toContain(word);
      },
    ),
  );
  expect(shownServer({ host: "::1", port: 1, isTls: true, password: "x", database: 2 })).toBe("rediss://[::1]:1/2");
});

test("LIMIT-18: a password in the address of the command line is refused", async () => {
  const options = {
    maxClients: 4096,
    limitsPasswordEnv: "REDISCLI_AUTH",
    limitsPrefix: DEFAULT_PREFIX,
    limitsWhenGone: "refuse" as const,
  };
  const refused = await openLimits({ ...options, limits: "redis://:a-long-password@127.0.0.1" }, {});
  const sentence = refused.match(
    () => "",
    (fault) => fault.sentence,
  );
  expect([sentence.includes("must have no password"), sentence.includes("a-long-password")]).toEqual([true, false]);
  const empty = await openLimits({ ...options, limits: "redis://127.0.0.1", limitsPasswordFile: "/no/such/file" }, {});
  expect(
    empty.match(
      () => "",
      (fault) => fault.sentence,
    ),
  ).toContain("/no/such/file");
});

test("LIMIT-17: what a server says of itself: too old, without an append-only file, with keys that may be dropped", () => {
  const info = (version: string, aof: number, most: number, policy: string): string =>
    `# Server\r\nredis_version:${version}\r\naof_enabled:${String(aof)}\r\nmaxmemory:${String(most)}\r\nmaxmemory_policy:${policy}\r\n`;
  expect(
    ["6.2.14", "7.0.0", "7.2.4", "8.0.1", "10.0.0"].map((version) => tooOld(info(version, 1, 0, "noeviction")) ?? ""),
  ).toEqual(["is Redis 6.2.14. Use Redis 7 or Valkey 8, or a later one", "", "", "", ""]);
  expect([tooOld("nothing"), adviceOf("nothing")]).toEqual([undefined, []]);
  expect(adviceOf(info("7.0.0", 1, 0, "allkeys-lru"))).toEqual([]);
  expect(adviceOf(info("7.0.0", 1, 5, "noeviction"))).toEqual([]);
  expect(adviceOf(info("7.0.0", 0, 5, "volatile-lru")).length).toBe(2);
});

test("LIMIT-14: a script is named by its digest, and its text is sent to a server that does not know it", async () => {
  const sent: (readonly string[])[] = [];
  const known = new Set<string>();
  const run = scriptRunner((key, words) => {
    sent.push([key, ...words.slice(0, 2)]);
    if (words[0] === "EVAL") known.add(PROBE.sha);
    return words[0] === "EVALSHA" && !known.has(String(words[1]))
      ? Promise.reject(new Error("NOSCRIPT No matching script"))
      : Promise.resolve(words.slice(2));
  });
  expect(await run(PROBE, ["k"], [7])).toEqual(["1", "k", "7"]);
  expect(await run(PROBE, ["k"], [7])).toEqual(["1", "k", "7"]);
  expect(sent.map(([key, name]) => [key, name])).toEqual([
    ["k", "EVALSHA"],
    ["k", "EVAL"],
    ["k", "EVALSHA"],
  ]);
  await expect(scriptRunner(() => Promise.reject(new Error("OOM")))(PROBE, ["k"], [])).rejects.toThrow("OOM");
});
