// Limits on a cluster of three nodes, which refuses each script whose keys are not in one slot: the contract holds there, and
// routes are spread.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { limitsSuite } from "../../../adapters/conformance/index.ts";
import { freshRoute } from "../../../adapters/conformance/limits-under-test.ts";
import type { SharedLimits } from "../../../adapters/limits/redis/index.ts";
import { probeKey } from "../../../adapters/limits/redis/keys.ts";
import { clusterLimits } from "../../examples/cluster-limits.ts";
import { until } from "../standalone/harness.ts";
import { startCluster } from "./redis-cluster.ts";
import type { RedisServer } from "./redis-server.ts";

const NODES = 3;
const CLIENTS = 64;
const ROUTES = 60;

let nodes: readonly RedisServer[] = [];
before(async () => {
  nodes = await startCluster(NODES);
});
const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends) await end();
  for (const node of nodes) await node.end();
});

let processes = 0;
const open = async (prefix?: string): Promise<SharedLimits> => {
  processes += 1;
  const name = `process-${String(processes)}`;
  const urls = nodes.map(({ url }) => url);
  const limits = await clusterLimits(urls, { name, prefix, maxClients: CLIENTS });
  await until(() => limits.isShared, "the cluster does not answer");
  return limits;
};

/** The route's part of a key. */
const tagOf = (key: string): string => /\{[^}]*\}/u.exec(key)?.[0] ?? key;

describe("LIMIT-14, LIMIT-16: the contract of limits, by two processes' views on a cluster", () => {
  limitsSuite(test, {
    open: () => open(),
    another: () => open(),
    close: (limits) => (limits as SharedLimits).close(),
    maxClients: CLIENTS,
    runs: Math.ceil(Number(process.env["FC_RUNS"] ?? 100) / 4),
  });
});

test("LIMIT-16: a cluster has all keys of a route on one node, and routes on each of its nodes", async () => {
  const limits = await open("spread:");
  ends.push(() => limits.close());
  for (let route = 0; route < ROUTES; route += 1) {
    const { request } = freshRoute({ isSigned: route % 2 === 0 });
    // a known client with its slots, and a stranger
    const [known, stranger] = [request(1), request(2)];
    assert.equal((await limits.admit(known, 0)).kind, "admitted");
    assert.equal(await limits.confirm(known, 0), true);
    assert.equal((await limits.admit(stranger, 0)).kind, "admitted");
  }
  const nodesOf = new Map<string, Set<number>>();
  const keysOf = new Map<string, number>();
  const tagsOn: Set<string>[] = [];
  for (const [at, node] of nodes.entries()) {
    const keys = (await node.ask("KEYS", "spread:{*")) as string[];
    const tags = keys.filter((key) => key !== probeKey("spread:")).map(tagOf);
    tagsOn.push(new Set(tags));
    for (const tag of tags) {
      nodesOf.set(tag, (nodesOf.get(tag) ?? new Set()).add(at));
      keysOf.set(tag, (keysOf.get(tag) ?? 0) + 1);
    }
  }
  assert.equal(nodesOf.size, ROUTES);
  assert.deepEqual(new Set([...nodesOf.values()].map(({ size }) => size)), new Set([1]));
  // strangers, known clients, and the slots of two clients and of their peers
  assert.ok([...keysOf.values()].every((count) => count >= 4));
  console.log(`routes on the nodes: ${tagsOn.map(({ size }) => String(size)).join(", ")}`);
  for (const { size } of tagsOn) assert.ok(size > 0);
});

test("LIMIT-16: keys of two routes in one command are refused there, so a step without its hash tag would be seen", async () => {
  const refused = Promise.all(nodes.map((node) => node.ask("DEL", "p:{a}:client:x", "p:{b}:client:x")));
  await assert.rejects(refused, /CROSSSLOT/u);
});
