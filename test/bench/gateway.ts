// In a real Gateway: what a route more costs every request, and a start. The figures are in units of the Gateway's own
// `/healthz` in the same run, for a Gateway's cost differs from start to start.

import { Gateway, gatewayConfig, pack } from "../systems/gateway/harness.ts";
import { medianOf } from "./paired.ts";
import { configOf, PATH, PLUGINS, type PluginName, SECRET } from "./plugins.ts";

/** Requests until the Gateway's code is warm: its `/healthz` costs four times as much at first. */
const WARM_UP = 4000;

/** Requests of one batch; a client sends a hundred of them, less than the limit of 120 a minute. */
const BATCH = 1000;
const REQUESTS_OF_A_CLIENT = 100;
const BATCHES = 5;
const CONNECTIONS = 8;

const startOf = async (plugin: PluginName, routes: number, tarball: string): Promise<Gateway> =>
  Gateway.start("host", gatewayConfig(configOf(routes).routes), plugin === "ours" ? [tarball] : []);

let clients = 0;

type Asked = { readonly path: string; readonly status: number; readonly init: (client: string) => RequestInit };

/** Milliseconds of CPU time for one request. */
const costOf = async (gateway: Gateway, { path, status, init }: Asked, requests = BATCH): Promise<number> => {
  let left = requests;
  const before = gateway.cpu();
  const drive = async (): Promise<void> => {
    let client = "";
    for (let sent = 0; left > 0; sent += 1) {
      left -= 1;
      if (sent % REQUESTS_OF_A_CLIENT === 0) {
        clients += 1;
        client = `10.1.${String(clients >> 8)}.${String(clients & 255)}`;
      }
      const response = await fetch(gateway.base + path, init(client));
      await response.arrayBuffer();
      if (response.status !== status) throw new Error(`${path} answered ${String(response.status)}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, drive));
  return (gateway.cpu() - before) / requests;
};

const post =
  (secret: string, body: object): Asked["init"] =>
  (client) => ({
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${secret}`, "x-forwarded-for": client },
    body: JSON.stringify(body),
  });

/** The three in turns, for what a Gateway does besides changes from minute to minute. */
const measureTurns = async (gateway: Gateway, asked: readonly Asked[]): Promise<readonly number[]> => {
  for (const one of asked) await costOf(gateway, one, WARM_UP);
  const costs: number[][] = asked.map(() => []);
  for (let batch = 0; batch < BATCHES; batch += 1) {
    for (const [index, one] of asked.entries()) costs[index]?.push(await costOf(gateway, one));
  }
  return costs.map(medianOf);
};

export type InGateway = {
  readonly plugin: PluginName;
  readonly routes: number;
  /** CPU in units of `/healthz`. */
  readonly unauthorized: number;
  readonly get: number;
};

const measureAt = async (plugin: PluginName, routes: number, tarball: string): Promise<InGateway> => {
  const gateway = await startOf(plugin, routes, tarball);
  try {
    const created = await gateway.post(PATH, SECRET, { action: "create_flow", goal: "Review inbound queue" });
    const { flow } = created.json["result"] as { readonly flow: { readonly flowId: string } };
    const body = { action: "get_flow", flowId: flow.flowId };
    const [health = 0, refused = 0, get = 0] = await measureTurns(gateway, [
      { path: "/healthz", status: 200, init: () => ({}) },
      { path: PATH, status: 401, init: post("wrong-secret-0123456789", body) },
      { path: PATH, status: 200, init: post(SECRET, body) },
    ]);
    return { plugin, routes, unauthorized: refused / health, get: get / health };
  } finally {
    await gateway.discard();
  }
};

/** Gives each figure when it is there: a run takes minutes. */
export async function* measureGateway(counts: readonly number[]): AsyncGenerator<InGateway> {
  const tarball = await pack();
  for (const routes of counts) {
    for (const plugin of PLUGINS) yield measureAt(plugin, routes, tarball);
  }
}

export type Start = { readonly routes: number; readonly seconds: readonly number[] };

/** Seconds until ready, each start after a stop of the same Gateway; the numbers of routes take turns. */
export const measureStarts = async (counts: readonly number[], rounds: number): Promise<readonly Start[]> => {
  const tarball = await pack();
  const starts = counts.map((routes) => ({ routes, seconds: [] as number[] }));
  const gateways: Gateway[] = [];
  for (const routes of counts) {
    const gateway = await startOf("ours", routes, tarball);
    await gateway.kill();
    gateways.push(gateway);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, gateway] of gateways.entries()) {
      const began = performance.now();
      await gateway.boot();
      starts[index]?.seconds.push((performance.now() - began) / 1000);
      await gateway.kill();
    }
  }
  for (const gateway of gateways) await gateway.discard();
  return starts;
};
