// A world with flows, a file and a host, in which processes come and go.

import { expect, vi } from "vitest";
import { type FlowAction, type FlowView, loadConfig, type Outcome, type RunRow } from "../../core/index.ts";
import { Log } from "../../adapters/bridge/log.ts";
import { FlowChanges } from "../../adapters/flows/changes.ts";
import type { FlowStore } from "../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { nodePrimitives } from "../../adapters/node/index.ts";
import type { Agents } from "../../adapters/runs/agents.ts";
import type { RunFile } from "../../adapters/runs/run-file.ts";
import { Runner, type RunnerOptions } from "../../adapters/runs/runner.ts";
import { ModelHost, Process } from "./model-agents.ts";

export const OWNER = "agent:main:hook";

export const routesWith = (run: object) =>
  loadConfig(
    {
      routes: {
        r: { sessionKey: OWNER, secret: "a-long-enough-secret", run: { message: "Do {{flow.goal}}", ...run } },
      },
    },
    nodePrimitives.sha256,
  ).routes;

export class World {
  readonly host = new ModelHost();
  readonly store = memoryFlows();
  readonly changes = new FlowChanges();
  routes = routesWith({ timeoutSeconds: 60 });
  readonly log: string[] = [];
  now = 1_700_000_000_000;
  /** Of the runners. */
  clocks: Pick<RunnerOptions, "now" | "steady"> = { now: () => this.now, steady: () => this.now };
  /** What a process's host does in place of what it should. */
  trouble: Partial<Agents> = {};
  fileTrouble: Partial<RunFile> = {};
  /** What the flows answer a runner in place of what they should; undefined where they do that. */
  flowTrouble: (action: FlowAction) => ReturnType<FlowStore["execute"]> | undefined = () => undefined;
  #boots = 0;
  #rows = 0;

  async ask(action: FlowAction): Promise<Outcome> {
    return (await this.store.execute(OWNER, action, () => undefined))._unsafeUnwrap();
  }

  async create(goal: string, more: object = {}): Promise<string> {
    const made = await this.ask({ action: "create_flow", controllerId: "c", goal, ...more });
    const flowId = made.kind === "created" ? String(made.flow.json["flowId"]) : expect.fail("not created");
    const seq = (this.#rows += 1);
    const plan = { does: "create_flow", controllerId: "c", goal } as const;
    const fresh = { turn: 1, tries: 0, boot: undefined, at: this.now, result: undefined };
    const row: RunRow = { seq, routeId: "r", owner: OWNER, stamp: seq, plan, flowId, state: "queued", ...fresh };
    this.host.rows.set(seq, row);
    return flowId;
  }

  async flow(flowId: string): Promise<FlowView> {
    const found = await this.ask({ action: "get_flow", flowId });
    return found.kind === "flow" && found.flow !== null ? found.flow : expect.fail("no such flow");
  }

  /** The flows as a process has them: its writes stop with it. */
  storeOf(process: Process): FlowStore {
    const { store, changes } = this;
    return {
      execute: async (owner, action, report) => {
        const asked = () => this.flowTrouble(action) ?? store.execute(owner, action, report);
        const answer = await process.step(asked);
        if ("flowId" in action && action.action !== "get_flow") changes.tell(owner, action.flowId);
        return answer;
      },
    };
  }

  runnerOf(process: Process): Runner {
    this.#boots += 1;
    const say = (line: string): void => void this.log.push(line);
    return new Runner({
      rows: { ...this.host.fileOf(process), ...this.fileTrouble },
      flows: this.storeOf(process),
      changes: this.changes,
      agents: { ...this.host.agentsOf(process), ...this.trouble },
      routeOf: (id) => [...this.routes.values()].find((route) => route.id === id),
      boot: `boot-${String(this.#boots)}-${String(Math.random())}`,
      bootedAt: this.now,
      log: new Log({ info: say, warn: say, error: say }, () => 0),
      ...this.clocks,
    });
  }

  get isIdle(): boolean {
    return [...this.host.rows.values()].every(({ state }) => state === "waiting");
  }

  get isEmpty(): boolean {
    return this.host.rows.size === 0;
  }

  /** Lets a process run until nothing is left to do, or until it ends. */
  async live(process: Process, isDone: () => boolean = () => this.isIdle): Promise<void> {
    const runner = this.runnerOf(process);
    runner.wake();
    await Promise.race([process.ended, vi.waitUntil(isDone, { interval: 1, timeout: 3000 })]);
    void runner.stop();
  }
}

export const stateOf = async (world: World, flowId: string) => {
  const { json } = await world.flow(flowId);
  const run = (json["stateJson"] as { run?: { status: string; reply?: string; code?: string } } | undefined)?.run;
  return { status: json["status"], run };
};
