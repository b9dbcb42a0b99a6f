// What the plugin API of a real Gateway costs a plugin, beside the stand-in for it: the same probe asks both.

import { join } from "node:path";
import { Gateway, gatewayConfig, pack } from "../systems/gateway/harness.ts";
import { runUnderRequest } from "./gateway-scope.ts";
import { FreshAnswers, standInRuntime } from "./stand-in-gateway.ts";
import { scenarioOf } from "./scenarios.ts";

/** Microseconds by what was done. */
type Costs = Readonly<Record<string, number>>;

const FOLDER = join(import.meta.dirname, "probe");

const probeGateway = async (): Promise<Costs> => {
  const config = gatewayConfig({}, { plugins: { entries: { "bench-probe": { enabled: true } } } });
  const gateway = await Gateway.start("host", config, [await pack(FOLDER)]);
  try {
    // the first time is for the compiler
    for (let times = 0; times < 2; times += 1) {
      const response = await fetch(`${gateway.base}/bench-probe`, { method: "POST" });
      const said = await response.text();
      if (response.status !== 200) throw new Error(`the probe failed: ${said}`);
      if (times === 1) return JSON.parse(said) as Costs;
    }
    throw new Error("never");
  } finally {
    await gateway.discard();
  }
};

const probeStandIn = async (): Promise<Costs> => {
  const { probe }: { readonly probe: (runtime: object) => Promise<Costs> } = await import(join(FOLDER, "index.js"));
  const flow = scenarioOf("get_flow").host?.gives as { readonly flowId: string };
  // whatever is asked, the answer does for both a record and a change of one
  const runtime = standInRuntime(new FreshAnswers({ ...flow, applied: true, flow }), {});
  await runUnderRequest("10.0.0.1", () => probe(runtime));
  return runUnderRequest("10.0.0.1", () => probe(runtime));
};

export type HostCost = { readonly name: string; readonly gateway: number; readonly standIn: number };

export const measureHost = async (): Promise<readonly HostCost[]> => {
  const standIn = await probeStandIn();
  const gateway = await probeGateway();
  return Object.entries(gateway).map(([name, cost]) => ({ name, gateway: cost, standIn: standIn[name] ?? Number.NaN }));
};
