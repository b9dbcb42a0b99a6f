// The runs of this Gateway's flows: a runner for as long as a route starts agents, or runs are left in the file.

import type { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import { ok } from "neverthrow";
import type { Log } from "../bridge/log.ts";
import type { PluginFile } from "../managed-flows/plugin-file.ts";
import { Runs } from "../managed-flows/runs-table.ts";
import type { GatewayFlows } from "../managed-flows/store.ts";
import { Runner } from "../runs/runner.ts";
import type { RunsStanding } from "../status/document.ts";
import { type AgentRuntime, canRun, type Fence, GatewayAgents } from "./agents.ts";
import { offerFlowTool } from "./flow-tool.ts";
import type { LiveRoutes } from "./live-routes.ts";

/** Belongs to the process and not to this copy of the code, because a Gateway loads the plugin anew while runs go on. */
const BOOT = Symbol.for("openclaw-webhooks.boot.1");

const process_: { [BOOT]?: string; readonly Symbol: unknown } = globalThis;

const boot: string = (process_[BOOT] ??= randomUUID());

export type AgentRunsOptions = {
  readonly runtime: AgentRuntime;
  /** The Gateway's own fence; undefined when it has none. */
  readonly importFence: () => Promise<Fence | undefined>;
  /** Out of any request. */
  readonly outside: ReturnType<typeof AsyncLocalStorage.snapshot>;
  readonly live: LiveRoutes;
  /** Takes over what the live configuration has become. */
  readonly follow: () => void;
  readonly hostConfig: () => unknown;
  readonly file: PluginFile;
  readonly flows: GatewayFlows;
  readonly log: Log;
};

const CANNOT =
  "this Gateway cannot start agents for flows, which needs OpenClaw 2026.9.5 or later. Routes with run live without it";

export class AgentRuns {
  readonly #options: AgentRunsOptions;
  readonly #rows: Runs;
  #runner: Promise<Runner | undefined> | undefined;
  #withdraw: () => void = () => undefined;
  #isStopped = true;
  #canStart = true;

  constructor(options: AgentRunsOptions) {
    this.#options = options;
    this.#rows = new Runs(options.file);
  }

  get #hasRoute(): boolean {
    return [...this.#options.live.config.routes.values()].some(({ run }) => run !== undefined);
  }

  get #isWanted(): boolean {
    return this.#hasRoute || this.#options.file.exists();
  }

  /** No file, no runs. Where no route starts agents, a file that cannot be read is told by the requests that want it. */
  #listed(): ReturnType<Runs["list"]> {
    if (!this.#options.file.exists()) return ok([]);
    const listed = this.#rows.list();
    return listed.isErr() && !this.#hasRoute ? ok([]) : listed;
  }

  /** Goes on with what the file holds. */
  start(): void {
    this.#isStopped = false;
    this.follow();
  }

  /** Takes over what the configuration has become, also for runs that wait. */
  follow(): void {
    if (!this.#isStopped && this.#isWanted) this.wake();
  }

  /** How the runs stand, by state. */
  standings(): readonly RunsStanding[] {
    const rows = this.#listed().unwrapOr([]);
    return [...Map.groupBy(rows, ({ state }) => state)].map(([state, some]) => ({
      state,
      count: some.length,
      oldestAt: Math.min(...some.map(({ at }) => at)),
    }));
  }

  //= RUN-10
  /** Whether a new flow can start an agent here. Where it cannot, no run waits for ever. */
  canStart(): boolean {
    if (this.#runner === undefined) this.wake();
    return this.#canStart;
  }

  wake(): void {
    if (this.#isStopped) return;
    const made = (this.#runner ??= this.#begin());
    void made.then((runner) => {
      if (this.#runner === made) runner?.wake();
    });
  }

  /** Lets the runs go on in the Gateway. Resolves once nothing is written any more. */
  async stop(): Promise<void> {
    const runner = this.#runner;
    this.#isStopped = true;
    // a start may come before this runner has ended, and makes another one
    this.#runner = undefined;
    this.#withdraw();
    await (await runner)?.stop();
  }

  /** Only the runner that is in use offers the tool. */
  #begin(): Promise<Runner | undefined> {
    const made = this.#made().then((runner) => {
      if (runner !== undefined && this.#runner === made) this.#offer(runner);
      return runner;
    });
    return made;
  }

  //= RUN-9
  #offer(runner: Runner): void {
    this.#withdraw = offerFlowTool({
      has: (session) => runner.isAt(session),
      use: (session, parameters) => runner.useTool(session, parameters),
    });
  }

  //= RUN-10
  async #made(): Promise<Runner | undefined> {
    const { runtime, importFence, outside, live, follow, hostConfig, flows, log } = this.#options;
    const fence = canRun(runtime) ? await importFence() : undefined;
    this.#canStart = fence !== undefined;
    if (fence === undefined) {
      if (this.#hasRoute) log.write("warn", CANNOT);
      return undefined;
    }
    const rows = this.#rows;
    return new Runner({
      rows: {
        list: () => this.#listed(),
        save: (row) => rows.save(row),
        remove: (seq) => rows.remove(seq),
        resolve: (row) => flows.resolveRun(row),
      },
      flows,
      changes: flows.changes,
      agents: new GatewayAgents(runtime, fence, hostConfig, outside),
      routeOf: (id) => {
        follow();
        const { routes, paths } = live.config;
        const found = [...routes.values()].find((route) => route.id === id);
        return found ?? ([...paths.values()].includes(id) ? "cold" : undefined);
      },
      boot,
      bootedAt: performance.timeOrigin,
      log,
    });
  }
}
