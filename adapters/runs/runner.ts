// Carries the runs of a Gateway's flows out: one loop that watches the file for what is due, and begins a walk for each such run.

import {
  type FlowView,
  isKnown,
  type KnownRun,
  nextTurn,
  placeMs,
  readyRuns,
  resumptionOf,
  type RunRow,
} from "../../core/index.ts";
import type { FlowChanges } from "../flows/changes.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { hold, holderOf } from "../managed-flows/in-flight.ts";
import { LOOK_MS, RunFlows } from "./run-flows.ts";
import { Stuck } from "./stuck.ts";
import { flowsInTime, unlessLate, unwrap, warnOf } from "./trouble.ts";
import { Turns } from "./turns.ts";
import { Walk, type WalkOptions } from "./walk.ts";

export type RunnerOptions = Omit<WalkOptions, "steady"> & {
  readonly flows: FlowStore;
  readonly changes: FlowChanges;
  /** When this process began, milliseconds since the epoch. */
  readonly bootedAt: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** The same by a clock that nobody sets while the process lives. */
  readonly steady?: () => number;
};

const steadyClock = (): number => Math.floor(performance.timeOrigin + performance.now());

/** Milliseconds after which a flow that may have been made is looked for. */
const INTENT_MS = 60_000;

export class Runner {
  readonly #options: RunnerOptions;
  readonly #now: () => number;
  readonly #stop = new AbortController();
  readonly #flows: RunFlows;
  readonly #turns: Turns;
  readonly #walk: Walk;
  readonly #stuck = new Stuck(() => performance.now());
  /** Runs that are under way, by their number. */
  readonly #active = new Map<number, Promise<void>>();
  /** Whether a change of a flow may be a resume that a run waits for. */
  #hasWaiting = false;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #isAsked = false;

  constructor(options: RunnerOptions) {
    const { flows, changes, agents, log, now = Date.now, steady = steadyClock } = options;
    this.#options = options;
    this.#now = now;
    this.#flows = new RunFlows(flows, changes, this.#stop.signal);
    this.#turns = new Turns(this.#flows, agents, log);
    this.#walk = new Walk({ ...options, steady }, this.#flows, this.#turns, this.#stop.signal);
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
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
    clearTimeout(this.#timer);
    this.#stop.abort();
    await Promise.allSettled([this.#looking, ...this.#active.values()]);
  }

  /** Whether the turn of one run, and of no other, is under way in the session. */
  isAt(session: string): boolean {
    return this.#turns.runAt(session) !== undefined;
  }

  /** What the agent of a session is told about its flow, after what it asks for was done. Never rejects. */
  useTool(session: string, parameters: unknown): Promise<string> {
    return this.#turns.useTool(session, parameters);
  }

  async #lookAll(): Promise<void> {
    while (this.#isAsked && !this.#isStopped) {
      this.#isAsked = false;
      try {
        await this.#look();
      } catch (error) {
        this.#warnOfLook(error);
        this.#lookLater();
      }
    }
  }

  #warnOfLook(error: unknown): void {
    warnOf(this.#options.log, "runs cannot be looked at, and are tried again", error);
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
    this.#flows.watch(new Set(all.map(({ owner }) => owner)), () => {
      if (this.#hasWaiting) this.wake();
    });
    if (all.length === 0) return;
    const intents = all.filter((row) => this.#isOldIntent(row));
    const idle = all.filter(isKnown).filter(({ state }) => state === "waiting");
    this.#hasWaiting = idle.length > 0;
    const isAsked = intents.length + idle.length > 0;
    if (isAsked) await this.#askAbout(intents, idle).catch((error: unknown) => this.#warnOfLook(error));
    // while the host is asked, other runs go on
    for (const row of this.#due(isAsked ? unwrap(rows.list()) : all)) this.#begin(row);
    this.#lookLater();
  }

  async #askAbout(intents: readonly RunRow[], idle: readonly KnownRun[]): Promise<void> {
    const { rows, log } = this.#options;
    for (const row of intents) {
      await flowsInTime(() => rows.resolve(row)).catch(
        unlessLate(log, "it cannot be found out whether a flow was made"),
      );
    }
    for (const [owner, runs] of Map.groupBy(idle, (run) => run.owner)) await this.#resume(owner, runs);
  }

  /** What may be walked: runs that were under way before, and those whose turn it is. */
  #due(rows: readonly RunRow[]): readonly KnownRun[] {
    const taken = rows
      .filter((row) => this.#active.has(row.seq) || !this.#stuck.isPassedOver(row))
      .map((row): RunRow =>
        this.#active.has(row.seq) && row.state === "queued" ? { ...row, state: "starting" } : row,
      );
    const under = taken
      .filter(isKnown)
      .filter(({ seq, state }) => ["starting", "running", "ending"].includes(state) && !this.#active.has(seq));
    return [...under, ...readyRuns(taken, (routeId) => this.#concurrencyOf(routeId))];
  }

  /** The runs of a route that is gone are ended one by one. */
  #concurrencyOf(routeId: string): number {
    const route = this.#options.routeOf(routeId);
    return route === "cold" ? 0 : (route?.run?.concurrency ?? 1);
  }

  /** Flows that a request of this process may still be making are left to it for a minute. */
  #isOldIntent({ state, at }: RunRow): boolean {
    const now = this.#now();
    return state === "intended" && (at < this.#options.bootedAt || at + INTENT_MS <= now || at > now + INTENT_MS);
  }

  /** Flows whose agent waits, looked at with one list for each session, or one by one where one of them spoils the list. */
  async #resume(owner: string, runs: readonly KnownRun[]): Promise<void> {
    const flows = await this.#flows
      .listOf(owner)
      .catch(unlessLate(this.#options.log, "flows that wait are read one by one"));
    for (const run of runs) {
      const flow = flows === undefined ? await this.#alone(run) : (flows.get(run.flowId) ?? null);
      const next = flow === undefined ? "wait" : resumptionOf(flow);
      if (next === "drop") unwrap(this.#options.rows.remove(run.seq));
      if (next === "next_turn") unwrap(this.#options.rows.save(nextTurn(run)));
    }
  }

  /** Undefined: the flow cannot be read. */
  #alone(run: KnownRun): Promise<FlowView | null | undefined> {
    return this.#flows
      .flowOf(run)
      .catch(unlessLate(this.#options.log, `the flow ${run.flowId}, which waits, cannot be read`));
  }

  #begin(row: KnownRun): void {
    // the runner before a reload may still have it
    const name = `run ${this.#options.boot} ${row.flowId}`;
    if (this.#active.has(row.seq) || holderOf(name) !== "nobody") return;
    const release = hold(name);
    const walk = this.#walk
      .walk(row)
      .then(() => this.#stuck.forget(row.seq))
      .catch((error: unknown) => this.#failed(row, error))
      .finally(() => {
        this.#active.delete(row.seq);
        this.#turns.end(row.seq);
        release();
        this.wake();
      });
    this.#active.set(row.seq, walk);
  }

  //= RUN-4
  async #failed(row: KnownRun, error: unknown): Promise<void> {
    const { log } = this.#options;
    if (this.#stuck.failed(row, placeMs(row, this.#timeoutOf(row)))) {
      const line = `the run of flow ${row.flowId} cannot go on. Others take its place, and it is tried each minute`;
      return warnOf(log, line, error);
    }
    warnOf(log, `the run of flow ${row.flowId} is tried again`, error);
    await this.#flows.pause(row.flowId, LOOK_MS);
  }

  /** Of a route that is gone nothing is at work. */
  #timeoutOf({ routeId }: KnownRun): number {
    const route = this.#options.routeOf(routeId);
    return route === "cold" ? 0 : (route?.run?.timeoutMs ?? 0);
  }
}
