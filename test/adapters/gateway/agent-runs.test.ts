// The runs of a Gateway: which configuration they go by, and what the plugin says where no agent can be started.

import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test, vi } from "vitest";
import { Log } from "../../../adapters/bridge/log.ts";
import { AgentRuns, type AgentRunsOptions } from "../../../adapters/gateway/agent-runs.ts";
import { type AgentRuntime, canRun, type Fence } from "../../../adapters/gateway/agents.ts";
import { flowTool } from "../../../adapters/gateway/flow-tool.ts";
import { LiveRoutes } from "../../../adapters/gateway/live-routes.ts";
import { Runs } from "../../../adapters/managed-flows/runs-table.ts";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import { CREATE, Lab, OWNER } from "../managed-flows/lab.ts";

const PLAIN = { routeId: "r", once: undefined, bind: undefined };

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
  "RUN-10: a Gateway that cannot says so once if a route has run (%s), its routes live, and no flow waits for an agent",
  async (hasRun) => {
    const lab = new Lab();
    const lines: string[] = [];
    const sink = { info: () => undefined, warn: (line: string) => void lines.push(line), error: call };
    const log = new Log(sink, () => 0);
    const route = { sessionKey: "agent:main:hook", secret: "a-long-enough-secret" };
    const config = { routes: { r: { ...route, ...(hasRun ? { run: { message: "Do {{flow.goal}}" } } : {}) } } };
    const live = liveOf(config, undefined);
    const runs = runsOf(lab, { runtime: runtimeWithout(...CALLS), importFence: call, live, log });
    lab.canStart = () => runs.canStart();
    runs.start();
    for (const starts of [hasRun, false, hasRun]) await lab.ask(CREATE, { ...PLAIN, starts });
    runs.wake();
    await runs.stop();
    expect([lab.host.flows.length, lab.claims.file.exists()]).toEqual([3, false]);
    expect(lines.map((line) => line.includes("cannot start agents for flows"))).toEqual(hasRun ? [true] : []);
    expect(live.config.routes.size).toBe(1);
  },
);

/** A Gateway whose agents answer at once; `begun` gets what each turn was begun with. */
const answeringRuntime = (begun: unknown[]): AgentRuntime => {
  const runtime: unknown = {
    subagent: {
      run: (params: unknown) => Promise.resolve(begun.push(params)),
      waitForRun: () => Promise.resolve({ status: "ok", terminalReply: { text: "Done." } }),
      getSessionMessages: () => Promise.resolve({ messages: [] }),
    },
    tasks: {
      runs: { bindSession: call },
      async: {
        runs: { bindSession: () => ({ resolve: () => Promise.resolve(undefined) }) },
        managedFlows: { bindSession: () => ({ runTask: () => Promise.resolve({ created: true }) }) },
      },
    },
  };
  return runtime as AgentRuntime;
};

const SILENT = new Log({ info: call, warn: call, error: call }, () => 0);

/** The runs of a laboratory, by a Gateway whose configuration stays as it is. */
const runsOf = (
  lab: Lab,
  given: Pick<AgentRunsOptions, "runtime" | "importFence" | "live"> & Partial<AgentRunsOptions>,
) =>
  new AgentRuns({
    outside: AsyncLocalStorage.snapshot(),
    follow: () => undefined,
    hostConfig: call,
    file: lab.claims.file,
    flows: lab.store,
    log: SILENT,
    ...given,
  });

const liveOf = (config: unknown, snapshot: unknown): LiveRoutes => {
  const { sha256 } = nodePrimitives;
  return new LiveRoutes({ sha256, onProblems: () => undefined, onRules: () => undefined }, config, snapshot);
};

const snapshotOf = (config: unknown): unknown => ({ plugins: { entries: { webhooks: { config } } } });

const routesWith = (run: object | undefined) => ({
  routes: { r: { sessionKey: OWNER, secret: "a-long-enough-secret", ...(run && { run }) } },
});

test.each([
  ["without run", undefined],
  ["with tools", { message: "Do {{flow.goal}}", tools: true }],
])(
  "RUN-2, RUN-7: while a reload replaces the plugin, runs go by the configuration that it was registered with, and not by the live one (%s)",
  async (_, before) => {
    const lab = new Lab();
    await lab.ask(CREATE, { ...PLAIN, starts: true });
    const snapshot = snapshotOf(routesWith(before));
    const live = liveOf(routesWith({ message: "Do {{flow.goal}}" }), snapshot);
    const begun: unknown[] = [];
    const runs = runsOf(lab, {
      runtime: answeringRuntime(begun),
      importFence: () => Promise.resolve((text) => text),
      live,
      follow: () => live.follow(snapshot),
    });
    runs.start();
    const rows = new Runs(lab.claims.file);
    await vi.waitUntil(() => rows.list()._unsafeUnwrap().length === 0, { interval: 1 });
    await runs.stop();
    expect(lab.host.flows).toMatchObject([
      { status: "succeeded", stateJson: { run: { status: "succeeded", reply: "Done." } } },
    ]);
    expect(begun).toEqual([expect.objectContaining({ disableTools: true })]);
  },
);

test("RUN-2, RUN-9: runs that are started while they are being stopped go on, and their agents keep their tool", async () => {
  const lab = new Lab();
  const config = routesWith({ message: "Do {{flow.goal}}", tools: true });
  const begun: unknown[] = [];
  const runtime = answeringRuntime(begun);
  let answer: (said: unknown) => void = () => undefined;
  const waitForRun: unknown = () => new Promise((resolve) => (answer = resolve));
  const fences: ((fence: Fence) => void)[] = [];
  const runs = runsOf(lab, {
    // boundary: a model of the Gateway's own type
    runtime: { ...runtime, subagent: { ...runtime.subagent, waitForRun } } as AgentRuntime,
    importFence: () => new Promise((resolve) => void fences.push(resolve)),
    live: liveOf(config, snapshotOf(config)),
  });
  runs.start();
  const stopped = runs.stop();
  runs.start();
  // the runner that was given up is there last
  for (const tell of fences.toReversed()) tell((text) => text);
  await stopped;
  await lab.ask(CREATE, { ...PLAIN, starts: true });
  runs.wake();
  await vi.waitUntil(() => begun.length === 1, { interval: 1 });
  const { sessionKey } = begun[0] as { readonly sessionKey: string };
  expect(flowTool({ sessionKey })?.name).toBe("webhooks_flow");
  answer({ status: "ok", terminalReply: { text: "Done." } });
  await vi.waitUntil(() => new Runs(lab.claims.file).list()._unsafeUnwrap().length === 0, { interval: 1 });
  await runs.stop();
  expect([flowTool({ sessionKey }), lab.host.flows]).toMatchObject([null, [{ status: "succeeded" }]]);
});

test("RUN-2: rows that are left are taken up by a start during a stop, without another request", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, { ...PLAIN, starts: true });
  const config = routesWith({ message: "Do {{flow.goal}}" });
  const begun: unknown[] = [];
  const runs = runsOf(lab, {
    runtime: answeringRuntime(begun),
    importFence: () => Promise.resolve((text) => text),
    live: liveOf(config, snapshotOf(config)),
  });
  runs.start();
  const stopped = runs.stop();
  runs.start();
  await stopped;
  await vi.waitUntil(() => new Runs(lab.claims.file).list()._unsafeUnwrap().length === 0, { interval: 1 });
  await runs.stop();
  expect([begun.length, lab.host.flows]).toMatchObject([1, [{ status: "succeeded" }]]);
});
