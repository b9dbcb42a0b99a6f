// Three replicas on one redis-server, and what befalls them: no window above its limit, no request that hangs or passes
// uncounted, and nobody has to start anything again but what has ended.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { DEADLINE_MS } from "../../../adapters/limits/redis/gate.ts";
import { LEASE_MS } from "../../../adapters/limits/redis/leases.ts";
import { until } from "../standalone/harness.ts";
import { RedisServer } from "./redis-server.ts";
import { Replicas, type Seen, tally } from "./replicas.ts";

/** Steps of a request that wait for the server: it is counted, and its client confirmed. */
const STEPS = 2;

/** Milliseconds for an answer: what a request may wait, and far more than a busy machine adds. */
const PROMPT_MS = STEPS * DEADLINE_MS + 10_000;

const LIMIT = 50;

let server: RedisServer;
let replicas: Replicas | undefined;
before(async () => {
  server = await RedisServer.start();
});
after(() => server.end());
afterEach(async () => {
  await replicas?.end();
  replicas = undefined;
});

let clients = 0;
beforeEach(() => void (clients += 1));
/** A client that no other test has asked for. */
const client = (): string => `10.1.1.${String(clients)}`;

const passed = (seen: readonly Seen[]): number => seen.filter(({ status }) => status === 200).length;

/** A load from before the fault until after it. Says what was seen, and milliseconds from the repair to the first good answer. */
const through = async (
  running: Replicas,
  fault: () => Promise<void> | void,
  repair: () => Promise<void> | void,
): Promise<{ readonly seen: readonly Seen[]; readonly backMs: number }> => {
  let isOver = false;
  const seen: Seen[] = [];
  const loading = running.load(client(), () => isOver, seen);
  // some pass first
  await until(async () => (await running.ask(0, "10.9.9.9")).status === 200);
  await fault();
  const goneAt = performance.now();
  await until(
    async () => (await running.ask(0, "10.9.9.9")).code === "admission_unavailable",
    "no request was refused",
  );
  await until(() => running.areReady(false), "a replica says that it is ready");
  // each replica has answered what it was asked before and since, while the server still says nothing
  const hasAnswered = (at: number): boolean => seen.some((one) => one.at === at && one.begunAt > goneAt);
  await until(() => running.servers.every((_, at) => hasAnswered(at)), "a request waits for the server");
  await repair();
  const repairedAt = performance.now();
  await until(async () => (await running.ask(0, "10.9.9.9")).status === 200, "it did not come back");
  const backMs = performance.now() - repairedAt;
  await until(() => running.areReady(true), "a replica says that it is not ready");
  // what is left of the window is used up
  await until(async () => (await running.ask(1, client())).status === 429);
  isOver = true;
  await loading;
  return { seen, backMs };
};

const expectFailClosed = (seen: readonly Seen[]): void => {
  const kinds = Object.keys(tally(seen)).toSorted();
  assert.deepEqual(
    kinds.filter((kind) => !["200", "429 rate_limited", "503 admission_unavailable"].includes(kind)),
    [],
  );
  assert.ok(kinds.includes("503 admission_unavailable"), JSON.stringify(kinds));
  assert.ok(passed(seen) <= LIMIT, `${String(passed(seen))} passed in one window of ${String(LIMIT)}`);
  for (const { status, retryAfter, rateLimit, ms } of seen) {
    assert.ok(ms < PROMPT_MS, `an answer took ${String(ms)} ms`);
    if (status !== 200) assert.match(String(retryAfter), /^[1-9]\d*$/u);
    assert.equal(rateLimit === null, status !== 200);
  }
};

const report = (what: string, { seen, backMs }: { readonly seen: readonly Seen[]; readonly backMs: number }): void => {
  const slowest = Math.max(...seen.map(({ ms }) => ms));
  const line = `${what}: ${JSON.stringify(tally(seen))}, slowest ${slowest.toFixed(0)} ms, back after ${backMs.toFixed(0)} ms`;
  console.log(line);
};

const limits = (): readonly string[] => ["--limits", server.url];

test("LIMIT-14, LIMIT-15, LIMIT-17: redis is killed and starts again: refused meanwhile, and no window above its limit", async () => {
  replicas = await Replicas.start({ perMinute: LIMIT }, limits());
  const result = await through(
    replicas,
    () => server.kill(),
    () => server.again(),
  );
  report("kill -9 of redis", result);
  expectFailClosed(result.seen);
});

test("LIMIT-14, LIMIT-15, LIMIT-17: redis stands still and goes on: no request waits for it, and none is lost in a queue", async () => {
  replicas = await Replicas.start({ perMinute: LIMIT }, limits());
  const result = await through(
    replicas,
    () => server.signal("SIGSTOP"),
    () => server.signal("SIGCONT"),
  );
  report("SIGSTOP of redis", result);
  expectFailClosed(result.seen);
});

/** A replica whose clocks are so many hours ahead. */
const ahead = (hours: number): object => {
  const ms = hours * 3_600_000;
  const code = `const now = Date.now; Date.now = () => now() + ${String(ms)}; const ticks = performance.now.bind(performance); performance.now = () => ticks() + ${String(ms)};`;
  return { NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(code)}` };
};

test("LIMIT-14, LIMIT-11: replicas whose clocks are an hour apart count one window", async () => {
  replicas = await Replicas.start({ perMinute: LIMIT }, limits(), [ahead(0), ahead(1), ahead(-1)]);
  const seen: Seen[] = [];
  while (seen.filter(({ status }) => status === 429).length < 3)
    seen.push(await replicas.ask(seen.length % 3, client()));
  assert.equal(passed(seen), LIMIT);
  for (const [index, { rateLimit, status, retryAfter }] of seen.entries()) {
    if (status !== 200) assert.ok(Number(retryAfter) <= 60);
    else
      assert.match(
        String(rateLimit),
        new RegExp(`^"default";r=${String(LIMIT - 1 - index)};t=(?:[1-9]|[1-5]\\d|60)$`, "u"),
      );
  }
});

test("SLOT-6, SLOT-1: a replica that holds slots is killed: they are held until their lease ends, and free then", async () => {
  const running = (replicas = await Replicas.start({ perMinute: 6000, inFlight: 4 }, limits()));
  for (let held = 0; held < 4; held += 1) running.hold(0, client());
  const key = `openclaw-webhooks:{ci}:client:${client()}`;
  await until(async () => (await server.ask("ZCARD", key)) === 4, "the slots are not held");
  const killedAt = performance.now();
  await running.servers[0]?.end("SIGKILL");
  assert.ok(Number(await server.ask("PTTL", key)) <= LEASE_MS);
  assert.equal((await running.ask(1, client())).code, "too_many_in_flight");
  await until(async () => (await running.ask(1, client())).status === 200, "the slots are not free");
  const freeMs = performance.now() - killedAt;
  console.log(`kill -9 of a replica: its slots are free after ${freeMs.toFixed(0)} ms`);
});

test("LIMIT-15: by the operator's word replicas count alone while redis is gone, and together again when it is back", async () => {
  replicas = await Replicas.start({ perMinute: LIMIT }, [...limits(), "--limits-when-gone", "local"]);
  const running = replicas;
  await server.kill();
  let isOver = false;
  const seen: Seen[] = [];
  const loading = running.load(client(), () => isOver, seen);
  await until(async () => (await running.ask(2, client())).status === 429);
  await until(async () => (await running.ask(0, client())).status === 429);
  await until(async () => (await running.ask(1, client())).status === 429);
  assert.equal(await running.areReady(true), true);
  isOver = true;
  await loading;
  assert.ok(passed(seen) <= 3 * LIMIT, `${String(passed(seen))} passed`);
  assert.deepEqual(Object.keys(tally(seen)).toSorted(), ["200", "429 rate_limited"]);
  await server.again();
  await until(async () => (await running.ask(0, "10.9.9.8")).status === 200);
  await Promise.all(running.servers.map((one) => one.says("answer again")));
  const shared: Seen[] = [];
  while (shared.filter(({ status }) => status === 429).length < 3)
    shared.push(await running.ask(shared.length % 3, "10.9.9.7"));
  assert.equal(passed(shared), LIMIT);
});
