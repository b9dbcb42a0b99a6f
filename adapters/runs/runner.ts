// Carries the runs of a Gateway's flows out: one loop that looks for what is due, and one walk for each run that is under way.
// The core decides, the file remembers, the host works. Everything may fail at any time; the file then says where to go on.

import type { Result } from "neverthrow";
import {
  actionOfTool,
  afterCrash,
  beginningOf,
  begun,
  ended,
  endingOf,
  failedRun,
  type FlowAction,
  type FlowToolCall,
  type FlowView,
  isConflict,
  isKnown,
  isOrphan,
  type KnownRun,
  nextTurn,
  type Outcome,
  type PromptPart,
  promptOf,
  readFlowToolCall,
  readyRuns,
  resumePrompt,
  resumptionOf,
  type Route,
  type Run,
  runIdOf,
  type RunRow,
  runSession,
  stringifyJson,
  waiting,
  watchingOf,
  type StoreFailure,
} from "../../core/index.ts";
import type { Log } from "../bridge/log.ts";
import { scrub } from "../bridge/scrub.ts";
import type { FlowChanges } from "../flows/changes.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { hold, holderOf } from "../managed-flows/in-flight.ts";
import type { FileFault } from "../managed-flows/plugin-file.ts";
import type { Agents, Turn } from "./agents.ts";
import type { RunFile } from "./run-file.ts";

export type RunnerOptions = {
  readonly rows: RunFile;
  readonly flows: FlowStore;
  readonly changes: FlowChanges;
  readonly agents: Agents;
  /** The live route of an id. `cold`: it is configured, and its secret is not there yet. */
  readonly routeOf: (id: string) => Route | "cold" | undefined;
  /** Names this process; another one after each restart. */
  readonly boot: string;
  /** When this process began, milliseconds since the epoch. */
  readonly bootedAt: number;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
};

/** Milliseconds between two looks at a run's flow, which others may have changed, and at what waits. */
const LOOK_MS = 5000;

/** Milliseconds after which a flow that may have been made is looked for. */
const INTENT_MS = 60_000;

/** Times that the host is asked to end a run whose flow is over. */
const MAX_STOPS = 12;

/** Times that a flow is told of its run's end, against other writers. */
const MAX_TELLS = 8;

class HostTrouble extends Error {}

const unwrap = <T>(result: Result<T, FileFault>): T => {
  if (result.isErr()) throw new HostTrouble(`the file of runs ${result.error.advice}`);
  return result.value;
};

const outcomeOf = (answer: Result<Outcome, StoreFailure>): Outcome => {
  if (answer.isErr()) throw new HostTrouble(`the Gateway's flows answered ${answer.error}`);
  return answer.value;
};

export class Runner {
  readonly #options: RunnerOptions;
  readonly #now: () => number;
  /** Runs that are under way, by their number. */
  readonly #active = new Map<number, Promise<void>>();
  /** Turns that are under way, by the number of their run. */
  readonly #turns = new Map<number, { readonly session: string; readonly row: KnownRun }>();
  readonly #unwatch = new Map<string, () => void>();
  /** Woken by a change of their flow. */
  readonly #wakers = new Map<string, () => void>();
  /** Whether a change of a flow may be a resume that a run waits for. */
  #hasWaiting = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isAsked = false;
  #isStopped = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Looks for what is due, now or when the look that is under way has ended. */
  wake(): void {
    this.#isAsked = true;
    if (this.#looking !== undefined || this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#looking = this.#lookAll().finally(() => {
      this.#looking = undefined;
      if (this.#isAsked) this.wake();
    });
  }

  /** Lets all runs go: they go on in the host, and the next runner takes them over from the file. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const unwatch of this.#unwatch.values()) unwatch();
    this.#unwatch.clear();
    this.#changed();
    await Promise.allSettled([this.#looking, ...this.#active.values()]);
  }

  /** `flowId`: undefined for all. */
  #changed(flowId?: string): void {
    if (flowId === undefined) for (const waker of this.#wakers.values()) waker();
    else this.#wakers.get(flowId)?.();
  }

  async #lookAll(): Promise<void> {
    while (this.#isAsked && !this.#isStopped) {
      this.#isAsked = false;
      try {
        await this.#look();
      } catch (error) {
        this.#warn("runs cannot be looked at, and are tried again", error);
        this.#lookLater();
      }
    }
  }

  #lookLater(): void {
    clearTimeout(this.#timer);
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => this.wake(), LOOK_MS);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { rows } = this.#options;
    const all = unwrap(rows.list());
    this.#watch(all);
    if (all.length === 0) return;
    const intents = all.filter((row) => this.#isOldIntent(row));
    const idle = all.filter(isKnown).filter(({ state }) => state === "waiting");
    this.#hasWaiting = idle.length > 0;
    const isAsked = intents.length + idle.length > 0;
    if (isAsked) await this.#askAbout(intents, idle);
    // while the host is asked, other runs go on
    for (const row of this.#due(isAsked ? unwrap(rows.list()) : all)) this.#begin(row);
    this.#lookLater();
  }

  async #askAbout(intents: readonly RunRow[], idle: readonly KnownRun[]): Promise<void> {
    for (const row of intents) await this.#options.rows.resolve(row);
    await this.#resume(idle);
  }

  /** What may be walked: runs that were under way before, and those whose turn it is. */
  #due(rows: readonly RunRow[]): readonly KnownRun[] {
    const taken = rows.map((row): RunRow =>
      this.#active.has(row.seq) && row.state === "queued" ? { ...row, state: "starting" } : row,
    );
    const under = taken
      .filter(isKnown)
      .filter(({ seq, state }) => ["starting", "running", "ending"].includes(state) && !this.#active.has(seq));
    return [...under, ...readyRuns(taken, (routeId) => this.#concurrencyOf(routeId))];
  }

  #routeOf(routeId: string): Route | "cold" | undefined {
    return this.#options.routeOf(routeId);
  }

  /** The runs of a route that is gone are ended one by one. */
  #concurrencyOf(routeId: string): number {
    const route = this.#routeOf(routeId);
    return route === "cold" ? 0 : (route?.run?.concurrency ?? 1);
  }

  #watch(rows: readonly RunRow[]): void {
    const owners = new Set(rows.map(({ owner }) => owner));
    for (const [owner, unwatch] of this.#unwatch) {
      if (owners.has(owner)) continue;
      unwatch();
      this.#unwatch.delete(owner);
    }
    for (const owner of owners) {
      if (this.#unwatch.has(owner) || this.#isStopped) continue;
      const unwatch = this.#options.changes.watch(owner, (flowId) => {
        this.#changed(flowId);
        if (this.#hasWaiting) this.wake();
      });
      this.#unwatch.set(owner, unwatch);
    }
  }

  /** Flows that a request of this process may still be making are left to it for a minute. */
  #isOldIntent({ state, at }: RunRow): boolean {
    const now = this.#now();
    return state === "intended" && (at < this.#options.bootedAt || at + INTENT_MS <= now || at > now + INTENT_MS);
  }

  /** A session's flows by their ids; undefined when they are too many for one list. */
  async #listed(owner: string): Promise<ReadonlyMap<unknown, FlowView> | undefined> {
    const answer = await this.#options.flows.execute(owner, { action: "list_flows" }, () => undefined);
    if (answer.isErr() && answer.error === "list_too_large") return undefined;
    const listed = outcomeOf(answer);
    return new Map(listed.kind === "flows" ? listed.flows.map((flow) => [flow.json["flowId"], flow]) : []);
  }

  /** Flows whose agent waits, looked at with one list for each session where that is possible. */
  async #resume(rows: readonly KnownRun[]): Promise<void> {
    const byOwner = Map.groupBy(rows, ({ owner }) => owner);
    for (const [owner, runs] of byOwner) {
      const flows = await this.#listed(owner);
      for (const run of runs) {
        const next = resumptionOf(flows === undefined ? await this.#flow(run) : (flows.get(run.flowId) ?? null));
        if (next === "drop") unwrap(this.#options.rows.remove(run.seq));
        if (next === "next_turn") unwrap(this.#options.rows.save(nextTurn(run)));
      }
    }
  }

  #begin(row: KnownRun): void {
    // the runner before a reload may still have it
    const name = `run ${this.#options.boot} ${row.flowId}`;
    if (this.#active.has(row.seq) || holderOf(name) !== "nobody") return;
    const release = hold(name);
    const walk = this.#walk(row)
      .catch(async (error: unknown) => {
        this.#warn(`the run of flow ${row.flowId} is tried again`, error);
        await this.#pause(row.flowId, LOOK_MS);
      })
      .finally(() => {
        this.#active.delete(row.seq);
        this.#turns.delete(row.seq);
        release();
        this.wake();
      });
    this.#active.set(row.seq, walk);
  }

  /** Ends sooner when the runner stops, or when the flow changes. */
  async #pause(flowId: string, forMs: number): Promise<void> {
    const change = this.#change(flowId);
    const timer = setTimeout(change.wake, forMs);
    timer.unref();
    await change.promise;
    clearTimeout(timer);
    change.end();
  }

  #warn(line: string, error: unknown): void {
    const said = error instanceof HostTrouble ? error.message : scrub(error, []);
    this.#options.log.warnSometimes(`${line}: ${said}`, line);
  }

  #save<Row extends RunRow>(row: Row): Row {
    unwrap(this.#options.rows.save(row));
    return row;
  }

  async #ask(owner: string, action: FlowAction): Promise<Outcome> {
    return outcomeOf(await this.#options.flows.execute(owner, action, () => undefined));
  }

  async #flow({ owner, flowId }: KnownRun): Promise<FlowView | null> {
    const answer = await this.#ask(owner, { action: "get_flow", flowId });
    if (answer.kind !== "flow") throw new HostTrouble("the Gateway's flows answered nonsense");
    return answer.flow;
  }

  /** From where the file says that the run is, until it is over or waits. */
  async #walk(first: KnownRun): Promise<void> {
    let row: KnownRun | undefined = first;
    while (row !== undefined && !this.#isStopped) row = await this.#step(row);
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
    const route = this.#routeOf(row.routeId);
    if (route === "cold") return undefined;
    const isOwn = row.boot === this.#options.boot;
    const next = afterCrash(row, await this.#options.agents.trace(this.#turnOf(row, route), isOwn));
    return this.#save(next.state === "running" ? { ...next, boot: this.#options.boot } : next);
  }

  //= RUN-2, RUN-3, RUN-4
  async #start(row: KnownRun): Promise<KnownRun | undefined> {
    const { agents, boot } = this.#options;
    const route = this.#routeOf(row.routeId);
    if (route === "cold") return undefined;
    const flow = await this.#flow(row);
    const beginning = beginningOf(flow);
    if (flow === null || beginning === "drop") return this.#over(row);
    if (beginning === "wait") return void this.#save(waiting(row));
    if (route?.run === undefined) return this.#save(failedRun(row, "run_removed"));
    const starting = this.#save(begun(row, boot, this.#now()));
    const turn = this.#turnOf(starting, route);
    this.#turns.set(row.seq, { session: turn.session, row: starting });
    await this.#mark(starting, flow);
    if (!(await agents.link(turn))) return this.#save(failedRun(starting, "run_refused"));
    try {
      await agents.start(turn, this.#messageOf(starting, route.run, flow), route.run.tools);
    } catch (error) {
      this.#warn(`the Gateway did not start the agent of route ${row.routeId}`, error);
      const trace = await agents.trace(turn, true);
      if (trace.kind === "not_begun") return this.#save(failedRun(starting, "run_refused"));
    }
    return this.#save({ ...starting, state: "running" });
  }

  /** The flow says that it is worked on. Another writer may be faster, and then it says what that one wrote. */
  async #mark({ owner, flowId }: KnownRun, flow: FlowView): Promise<void> {
    if (flow.json["status"] === "running") return;
    const expectedRevision = Number(flow.json["revision"]);
    await this.#ask(owner, { action: "resume_flow", flowId, expectedRevision, status: "running" });
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

  /** `promise` resolves when the flow may have changed, at once when the runner stops. */
  #change(flowId: string): {
    readonly promise: Promise<undefined>;
    readonly wake: () => void;
    readonly end: () => void;
  } {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => resolve(undefined);
    this.#wakers.set(flowId, wake);
    if (this.#isStopped) wake();
    return { promise, wake, end: () => void this.#wakers.delete(flowId) };
  }

  /** The one run whose turn is under way in the session. */
  #runAt(session: string): KnownRun | undefined {
    const [one, ...more] = [...this.#turns.values()].filter((turn) => turn.session === session);
    return more.length === 0 ? one?.row : undefined;
  }

  /** Whether the turn of one run, and of no other, is under way in the session. */
  isAt(session: string): boolean {
    return this.#runAt(session) !== undefined;
  }

  //= RUN-9
  /** What the agent of a session is told about its flow, after what it asks for was done. Never rejects. */
  async useTool(session: string, parameters: unknown): Promise<string> {
    const row = this.#runAt(session);
    const asked = readFlowToolCall(parameters);
    if (row === undefined) return "No flow is worked on in this session.";
    if (asked.isErr()) return asked.error;
    try {
      return await this.#used(row, asked.value);
    } catch (error) {
      this.#warn("an agent's use of its flow failed", error);
      return "The flow cannot be reached at the moment. Try again.";
    }
  }

  async #used(row: KnownRun, call: FlowToolCall): Promise<string> {
    for (let tries = 0; tries < MAX_TELLS; tries += 1) {
      const flow = await this.#flow(row);
      if (flow === null || beginningOf(flow) === "drop")
        return "The flow is over, or is to be cancelled. End your work.";
      const action = actionOfTool(call, flow);
      if (action === undefined) return this.#shown(flow);
      const outcome = await this.#ask(row.owner, action);
      if (outcome.kind === "applied") return this.#shown(outcome.flow);
      if (!isConflict(outcome)) break;
    }
    return "The flow was not changed. Read it, and try again.";
  }

  /** The state may hold words from outside. */
  #shown(flow: FlowView): string {
    return this.#options.agents.fence(stringifyJson(flow.json) ?? "", false);
  }

  //= RUN-5
  async #follow(row: KnownRun): Promise<KnownRun | undefined> {
    const { agents } = this.#options;
    const route = this.#routeOf(row.routeId);
    if (route === "cold") return undefined;
    const turn = this.#turnOf(row, route);
    if (route?.run === undefined) {
      await agents.cancel(turn);
      return this.#save(failedRun(row, "run_removed"));
    }
    this.#turns.set(row.seq, { session: turn.session, row });
    const { timeoutMs } = route.run;
    for (let stops = 0; ;) {
      const change = this.#change(row.flowId);
      const result = await Promise.race([agents.wait(turn, LOOK_MS), change.promise]).finally(change.end);
      if (this.#isStopped) return undefined;
      if (result !== undefined) return this.#save(ended(row, result));
      const watching = watchingOf(row, await this.#flow(row), timeoutMs, this.#now());
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

  //= RUN-2
  async #tell(row: KnownRun): Promise<KnownRun | undefined> {
    for (let tries = 0; tries < MAX_TELLS; tries += 1) {
      const ending = endingOf(row, await this.#flow(row));
      if (ending.kind === "drop") return this.#over(row);
      if (ending.kind === "wait") return void this.#save(waiting(row));
      const outcome = await this.#ask(row.owner, ending.action);
      if (outcome.kind === "applied") return this.#over(row);
      if (!isConflict(outcome)) break;
    }
    throw new HostTrouble("the flow could not be told of its end");
  }
}
