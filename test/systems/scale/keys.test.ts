// What is kept on a redis-server: bounded, with an expiry, in one slot of a cluster for each route; and what a request costs there.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openRedisLimits, type RedisLimits } from "../../../adapters/limits/redis/index.ts";
import { freshRoute } from "../../../adapters/conformance/limits-under-test.ts";
import { until } from "../standalone/harness.ts";
import { startCluster } from "./redis-cluster.ts";
import { RedisServer } from "./redis-server.ts";

let server: RedisServer;
before(async () => {
  // a cluster of one, which refuses a script whose keys are not in one slot
  [server] = (await startCluster(1)) as [RedisServer];
});
const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends) await end();
  await server.end();
});

const open = async (more: object = {}): Promise<RedisLimits> => {
  const limits = await openRedisLimits({ url: server.url, maxClients: 64, ...more });
  ends.push(() => limits.close());
  await limits.answered(5000);
  return limits;
};

const another = async (...args: readonly string[]): Promise<RedisServer> => {
  const made = await RedisServer.start(...args);
  ends.push(() => made.end());
  return made;
};

const keys = async (pattern: string): Promise<readonly string[]> => (await server.ask("KEYS", pattern)) as string[];

/** The route's keys, whatever its id is. */
const newKeys = async (prefix: string, run: () => Promise<void>): Promise<readonly string[]> => {
  const known = new Set(await keys(`${prefix}*`));
  await run();
  return (await keys(`${prefix}*`)).filter((key) => !known.has(key));
};

describe("keys", { concurrency: 2 }, () => {
  test("LIMIT-16: strangers, known clients and requests without end leave bounded keys, each of which expires", async () => {
    const limits = await open({ prefix: "bounded:" });
    const { request } = freshRoute({ limits: { perMinute: 6000 } });
    const made = await newKeys("bounded:", async () => {
      for (let client = 0; client < 1000; client += 1) {
        const located = request(client, client);
        const verdict = await limits.admit(located, 0);
        if (verdict.kind !== "admitted") continue;
        if (client % 3 === 0) await limits.confirm(located, 0);
        if (client % 50 !== 0) await limits.release(located, true);
      }
    });
    const sizes = await Promise.all(
      made.filter((key) => /:(?:strangers|known)$/u.test(key)).map(async (key) => server.ask("ZCARD", key)),
    );
    assert.deepEqual(new Set(sizes), new Set([64, 128]));
    const lives = await Promise.all(made.map((key) => server.ask("PTTL", key)));
    assert.ok(
      lives.every((ms) => Number(ms) > 0 && Number(ms) <= 86_460_000),
      JSON.stringify(lives),
    );
    const slots = await Promise.all(made.map((key) => server.ask("CLUSTER", "KEYSLOT", key)));
    assert.equal(new Set(slots).size, 1);
    // beside the tables, keys of held slots only
    const held = made.filter((key) => /:(?:client|peer):/u.test(key));
    assert.ok(held.length <= 2 * 20, String(held.length));
    assert.deepEqual(made.length - held.length, 3);
  });

  test("LIMIT-16: two prefixes count apart, and ids of routes that no key can hold do, too", async () => {
    const [one, other] = [await open({ prefix: "one:" }), await open({ prefix: "two:" })];
    const { request } = freshRoute({ limits: { perMinute: 1 } });
    const kinds: string[] = [];
    for (const limits of [one, other, one, other]) kinds.push((await limits.admit(request(1), 0)).kind);
    assert.deepEqual(kinds, ["admitted", "admitted", "rate_limited", "rate_limited"]);
    const odd = ["a}b", "a{b", "{a}", "a b", "ä", "~", `${"x".repeat(65)}`, `${"x".repeat(66)}`];
    for (const id of odd) {
      const located = request(2);
      const named = {
        ...located,
        route: { ...located.route, id },
        clientKey: `10.0.0.2 ${id}`,
        peerKey: `11.0.0.2 ${id}`,
      };
      assert.deepEqual([id, (await one.admit(named, 0)).kind], [id, "admitted"]);
      assert.deepEqual([id, (await one.admit(named, 0)).kind], [id, "rate_limited"]);
    }
  });

  test("SLOT-6: a slot is held for as long as its request lives, and free as soon as it ends", async () => {
    const [limits, second] = [await open({ prefix: "lives:" }), await open({ prefix: "lives:" })];
    const { request } = freshRoute({ limits: { perMinute: 6000, inFlight: 1 } });
    const long = request(1);
    const begunAt = performance.now();
    assert.equal((await limits.admit(long, 0)).kind, "admitted");
    // longer than a lease, which ends by itself after 15 seconds
    const seen = new Set<string>();
    while (performance.now() - begunAt < 17_000) {
      seen.add((await second.admit(request(1), 0)).kind);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual([...seen], ["too_many_in_flight"]);
    await limits.release(long, true);
    await until(async () => (await second.admit(request(1), 0)).kind === "admitted");
  });

  test("SLOT-6: a server that has forgotten everything is told of the slots that are held, before anything new is asked", async () => {
    const forgetful = await another("--appendonly", "no");
    const changes: (string | undefined)[] = [];
    const limits = await open({ url: forgetful.url, onChange: (reason: string | undefined) => changes.push(reason) });
    const { request } = freshRoute({ limits: { inFlight: 1 } });
    const held = request(1);
    assert.equal((await limits.admit(held, 0)).kind, "admitted");
    await forgetful.kill();
    await until(() => changes.length === 2);
    assert.deepEqual(await limits.admit(request(1), 0), { kind: "admission_unavailable", retryAfterMs: 1000 });
    await forgetful.again();
    await until(() => changes.length === 3);
    assert.equal((await limits.admit(request(1), 0)).kind, "too_many_in_flight");
  });

  test("LIMIT-14: a request of a known client is two commands, of which it waits for one", async () => {
    const own = await another();
    const limits = await open({ url: own.url });
    const { request } = freshRoute({ limits: { perMinute: 6000 } });
    const pass = async (): Promise<void> => {
      const located = request(1);
      await limits.admit(located, 0);
      await limits.confirm(located, 0);
      await limits.release(located, true);
    };
    const stats = async (): Promise<readonly number[]> => {
      const info = `${String(await own.ask("INFO", "commandstats"))}${String(await own.ask("INFO", "stats"))}`;
      return [/cmdstat_evalsha:calls=(\d+)/u, /total_net_input_bytes:(\d+)/u, /total_net_output_bytes:(\d+)/u].map(
        (pattern) => Number(pattern.exec(info)?.[1] ?? 0),
      );
    };
    for (let n = 0; n < 10; n += 1) await pass();
    const [calls = 0, read = 0, written = 0] = await stats();
    for (let n = 0; n < 1000; n += 1) await pass();
    const [callsAfter = 0, readAfter = 0, writtenAfter = 0] = await stats();
    const each = (value: number): number => value / 1000;
    console.log(
      `a request: ${String(each(callsAfter - calls))} commands, ${String(each(readAfter - read))} bytes to the server, ${String(each(writtenAfter - written))} from it`,
    );
    assert.ok(callsAfter - calls >= 2000 && callsAfter - calls <= 2010, String(callsAfter - calls));
  });
});
