// Redis servers that are one cluster, each with a part of its slots.

import { until } from "../standalone/harness.ts";
import { freePort } from "../../support/free-port.ts";
import { RedisServer } from "./redis-server.ts";

/** Hash slots of a cluster, however many nodes it has. */
const SLOTS = 16_384;

type Node = { readonly server: RedisServer; readonly busPort: number };

const startNode = async (at: number, count: number): Promise<Node> => {
  // by default it is the port plus 10,000, which may be too high
  const busPort = await freePort();
  const server = await RedisServer.start("--cluster-enabled", "yes", "--cluster-port", String(busPort));
  const firstOf = (node: number): number => Math.floor((node * SLOTS) / count);
  await server.ask("CLUSTER", "SET-CONFIG-EPOCH", String(at + 1));
  await server.ask("CLUSTER", "ADDSLOTSRANGE", String(firstOf(at)), String(firstOf(at + 1) - 1));
  return { server, busPort };
};

const isComplete = async (server: RedisServer, count: number): Promise<boolean> => {
  const info = String(await server.ask("CLUSTER", "INFO"));
  return info.includes("cluster_state:ok") && info.includes(`cluster_size:${String(count)}`);
};

/** Resolves once each node knows where all slots are. Nodes are to be ended one by one. */
export const startCluster = async (count: number): Promise<readonly RedisServer[]> => {
  const nodes: Node[] = [];
  for (let at = 0; at < count; at += 1) nodes.push(await startNode(at, count));
  const [first, ...others] = nodes;
  for (const { server, busPort } of others)
    await first?.server.ask("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(busPort));
  for (const { server } of nodes)
    await until(() => isComplete(server, count), "a node does not know the others of its cluster");
  return nodes.map(({ server }) => server);
};
