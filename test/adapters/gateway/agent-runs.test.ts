// A Gateway that cannot start agents: what the plugin says, and when it is asked for nothing.

import { AsyncLocalStorage } from "node:async_hooks";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Log } from "../../../adapters/bridge/log.ts";
import { AgentRuns } from "../../../adapters/gateway/agent-runs.ts";
import { type AgentRuntime, canRun } from "../../../adapters/gateway/agents.ts";
import { LiveRoutes } from "../../../adapters/gateway/live-routes.ts";
import { PluginFile } from "../../../adapters/managed-flows/plugin-file.ts";
import type { GatewayFlows } from "../../../adapters/managed-flows/store.ts";
import { nodePrimitives } from "../../../adapters/node/index.ts";

const folder = mkdtempSync(join(tmpdir(), "agent-runs-"));
afterAll(() => rmSync(folder, { recursive: true }));

const call = (): never => expect.fail("nothing is asked for");

/** All that runs need, less the calls at `missing`. */
const runtimeWithout = (...missing: readonly string[]): AgentRuntime => {
  const has = (name: string) => (missing.includes(name) ? {} : { [name.split(".").at(-1) ?? ""]: call });
  const runtime: unknown = {
    subagent: { ...has("subagent.run"), ...has("subagent.waitForRun"), ...has("subagent.getSessionMessages") },
    tasks: {
      runs: has("tasks.runs.bindSession"),
      async: { runs: has("async.runs.bindSession"), managedFlows: has("async.managedFlows.bindSession") },
    },
  };
  return runtime as AgentRuntime;
};

const CALLS = [
  "subagent.run",
  "subagent.waitForRun",
  "subagent.getSessionMessages",
  "tasks.runs.bindSession",
  "async.runs.bindSession",
  "async.managedFlows.bindSession",
];

test("RUN-10: a Gateway can start agents only with every call that runs need", () => {
  expect(canRun(runtimeWithout())).toBe(true);
  for (const name of CALLS) expect([name, canRun(runtimeWithout(name))]).toEqual([name, false]);
});

test.each([true, false])(
  "RUN-10: a Gateway that cannot says so once if a route has run (%s), and its routes live",
  async (hasRun) => {
    const lines: string[] = [];
    const sink = { info: () => undefined, warn: (line: string) => void lines.push(line), error: call };
    const log = new Log(sink, () => 0);
    const route = { sessionKey: "agent:main:hook", secret: "a-long-enough-secret" };
    const config = { routes: { r: { ...route, ...(hasRun ? { run: { message: "Do {{flow.goal}}" } } : {}) } } };
    const { sha256 } = nodePrimitives;
    const live = new LiveRoutes({ sha256, onProblems: () => undefined, onRules: () => undefined }, config);
    const runs = new AgentRuns({
      runtime: runtimeWithout(...CALLS),
      outside: AsyncLocalStorage.snapshot(),
      live,
      follow: () => undefined,
      hostConfig: call,
      file: new PluginFile({ file: () => join(folder, "deliveries.sqlite") }),
      log,
      // boundary: its flows are not asked for anything.
      flows: {} as GatewayFlows,
    });
    runs.start();
    runs.wake();
    runs.wake();
    await runs.stop();
    expect(lines.map((line) => line.includes("cannot start agents for flows"))).toEqual(hasRun ? [true] : []);
    expect(live.config.routes.size).toBe(1);
  },
);
