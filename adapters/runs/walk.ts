// The walk of one run, from where the file says that it is, until it is over or waits. The core decides each step, the file remembers
// it, the host works. Everything may fail at any time; the file then says where to go on.

import {
  afterCrash,
  beginningOf,
  begun,
  ended,
  endingOf,
  failedRun,
  type FlowView,
  isConflict,
  isOrphan,
  type KnownRun,
  type PromptPart,
  promptOf,
  resumePrompt,
  type Route,
  type Run,
  runIdOf,
  runSession,
  waiting,
  watchingOf,
} from "../../core/index.ts";
import type { Log } from "../bridge/log.ts";
import type { Agents, Turn } from "./agents.ts";
import type { RunFile } from "./run-file.ts";
import { MAX_WRITES, type RunFlows } from "./run-flows.ts";
import { HostTrouble, unwrap, warnOf } from "./trouble.ts";
import { TurnEnd } from "./turn-end.ts";
import type { Turns } from "./turns.ts";

export type WalkOptions = {
  readonly rows: RunFile;
  readonly agents: Agents;
  /** The live route of an id. `cold`: it is configured, and its secret is not there yet. */
  readonly routeOf: (id: string) => Route | "cold" | undefined;
  /** Names this process; another one after each restart. */
  readonly boot: string;
  readonly log: Log;
  /** Milliseconds since the epoch, by a clock that nobody sets while the process lives. */
  readonly steady: () => number;
};

/** Times that the host is asked to end a run whose flow is over. */
const MAX_STOPS = 12;

export class Walk {
  readonly #options: WalkOptions;
  readonly #flows: RunFlows;
  readonly #turns: Turns;
  readonly #stopped: AbortSignal;

  /** `stopped`: the runs are let go. */
  constructor(options: WalkOptions, flows: RunFlows, turns: Turns, stopped: AbortSignal) {
    this.#options = options;
    this.#flows = flows;
    this.#turns = turns;
    this.#stopped = stopped;
  }

  /** Rejects when the host or the file fails; the run is then where the file says. */
  async walk(first: KnownRun): Promise<void> {
    let row: KnownRun | undefined = first;
    while (row !== undefined && !this.#stopped.aborted) row = await this.#step(row);
  }

  /** Undefined: there is nothing more to do now. */
  #step(row: KnownRun): Promise<KnownRun | undefined> {
    if (isOrphan(row, this.#options.boot)) return this.#recover(row);
    switch (row.state) {
      case "queued":
        return this.#start(row);
      case "starting":
        return this.#recover(row);
      case "running":
        return this.#follow(row);
      case "ending":
        return this.#tell(row);
      default:
        return Promise.resolve(undefined);
    }
  }

  #save(row: KnownRun): KnownRun {
    unwrap(this.#options.rows.save(row));
    return row;
  }

  #over(row: KnownRun): undefined {
    unwrap(this.#options.rows.remove(row.seq));
    return undefined;
  }

  /** Of a route that is gone, or starts nothing any more, the turn has the session of a child. */
  #turnOf(row: KnownRun, route: Route | undefined): Turn {
    const { flowId, owner } = row;
    return { flowId, owner, runId: runIdOf(row), session: runSession(route?.run, owner, flowId) };
  }

  //= RUN-2, RUN-8
  async #recover(row: KnownRun): Promise<KnownRun | undefined> {
    const route = this.#options.routeOf(row.routeId);
    if (route === "cold") return undefined;
    const { boot, steady } = this.#options;
    const isOwn = row.boot === boot;
    const next = afterCrash(row, await this.#options.agents.trace(this.#turnOf(row, route), isOwn));
    // between two processes the clock may have been set
    return this.#save(next.state === "running" ? { ...next, boot, at: Math.min(next.at, steady()) } : next);
  }

  //= RUN-2, RUN-3, RUN-4
  async #start(row: KnownRun): Promise<KnownRun | undefined> {
    const { agents, boot } = this.#options;
    const route = this.#options.routeOf(row.routeId);
    if (route === "cold") return undefined;
    const flow = await this.#flows.flowOf(row);
    const beginning = beginningOf(flow);
    if (flow === null || beginning === "drop") return this.#over(row);
    if (beginning === "wait") return void this.#save(waiting(row));
    if (route?.run === undefined) return this.#save(failedRun(row, "run_removed"));
    const starting = this.#save(begun(row, boot, this.#options.steady()));
    const turn = this.#turnOf(starting, route);
    this.#turns.begin(starting, turn.session);
    await this.#mark(starting, flow);
    if (!(await agents.link(turn))) return this.#save(failedRun(starting, "run_refused"));
    try {
      await agents.start(turn, this.#messageOf(starting, route.run, flow), route.run.tools);
    } catch (error) {
      warnOf(this.#options.log, `the Gateway did not start the agent of route ${row.routeId}`, error);
      const trace = await agents.trace(turn, true);
      if (trace.kind === "not_begun") return this.#save(failedRun(starting, "run_refused"));
    }
    return this.#save({ ...starting, state: "running" });
  }

  /** The flow says that it is worked on. Another writer may be faster, and then it says what that one wrote. */
  async #mark({ owner, flowId }: KnownRun, flow: FlowView): Promise<void> {
    if (flow.json["status"] === "running") return;
    const expectedRevision = Number(flow.json["revision"]);
    await this.#flows.ask(owner, { action: "resume_flow", flowId, expectedRevision, status: "running" });
  }

  #messageOf({ turn }: KnownRun, run: Run, flow: FlowView): string {
    return this.#written(turn === 1 ? promptOf(run, flow) : resumePrompt(flow));
  }

  //= RUN-6
  #written(parts: readonly PromptPart[]): string {
    let isFirst = true;
    let text = "";
    for (const part of parts) {
      text += part.kind === "own" ? part.text : `\n${this.#options.agents.fence(part.text, isFirst).trim()}\n`;
      if (part.kind === "outside") isFirst = false;
    }
    return text;
  }

  //= RUN-5
  async #follow(row: KnownRun): Promise<KnownRun | undefined> {
    const { agents } = this.#options;
    const route = this.#options.routeOf(row.routeId);
    if (route === "cold") return undefined;
    const turn = this.#turnOf(row, route);
    if (route?.run === undefined) {
      await agents.cancel(turn);
      return this.#save(failedRun(row, "run_removed"));
    }
    this.#turns.begin(row, turn.session);
    const { timeoutMs } = route.run;
    const end = new TurnEnd(turn, agents, this.#flows, this.#options.log);
    for (let stops = 0; ;) {
      const result = await end.next();
      if (this.#stopped.aborted) return undefined;
      if (result !== undefined) return this.#save(ended(row, result));
      const watching = watchingOf(row, await this.#seen(row), timeoutMs, this.#options.steady());
      if (watching === "go_on") continue;
      if (watching === "time_out") {
        const trace = await agents.trace(turn, true);
        if (trace.kind === "ended") return this.#save(ended(row, trace.result));
      }
      const isEnded = !(await agents.cancel(turn));
      if (watching === "time_out") return this.#save(failedRun(row, "run_timed_out"));
      stops += 1;
      if (isEnded || stops >= MAX_STOPS) return this.#over(row);
    }
  }

  /** Undefined: the flow cannot be read, which keeps no turn from its end. */
  async #seen(row: KnownRun): Promise<FlowView | null | undefined> {
    try {
      return await this.#flows.flowOf(row);
    } catch (error) {
      warnOf(this.#options.log, `the flow ${row.flowId}, whose agent is at work, cannot be read`, error);
      return undefined;
    }
  }

  //= RUN-2
  async #tell(row: KnownRun): Promise<KnownRun | undefined> {
    for (let tries = 0; tries < MAX_WRITES; tries += 1) {
      const ending = endingOf(row, await this.#flows.flowOf(row));
      if (ending.kind === "drop") return this.#over(row);
      if (ending.kind === "wait") return void this.#save(waiting(row));
      const outcome = await this.#flows.ask(row.owner, ending.action);
      if (outcome.kind === "applied") return this.#over(row);
      if (!isConflict(outcome)) break;
    }
    throw new HostTrouble("the flow could not be told of its end");
  }
}
