// Requests that wait until a flow has passed a revision: each has a place of its own, and gives its slots back meanwhile.

import { type Command, isAwaited, type Located, waitOf, type Wait } from "../../core/index.ts";
import type { ChangeListener } from "../flows/changes.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import type { Execute } from "./execute.ts";
import { Looks } from "./looks.ts";
import { Places } from "./places.ts";
import { type Read, type Waiter, WatchedFlow } from "./watched-flow.ts";

/** Calls `listener` once nobody can get the answer any more, maybe at once. The function that comes back ends that. */
export type ListenToGone = (listener: () => void) => () => void;

export type WaitsOptions = {
  readonly store: FlowStore;
  readonly execute: Execute;
  /** Monotonic milliseconds. */
  readonly clock: () => number;
  /** Told when the store fails to say what changes. */
  readonly onError: (error: unknown) => void;
};

/** A request that is to wait. `first`: what the store has said of the flow already. */
export type Waiting = {
  readonly command: Command;
  readonly wait: Wait;
  readonly first: Read;
};

/** One flow, and what ends the watch over it. */
type Watched = { readonly flow: WatchedFlow; readonly unwatch: () => void };

//= WAIT-3
/** Unambiguous, whatever the two hold: a flow of another session is another one. */
const keyOf = ({ route }: Command, { flowId }: Wait): string => JSON.stringify([route.sessionKey, flowId]);

/** Undefined when the store tells of nothing, or fails to. */
const followChanges = (
  { changes }: FlowStore,
  onError: (error: unknown) => void,
  owner: string,
  listener: ChangeListener,
): (() => void) | undefined => {
  const guarded = <T>(call: () => T): T | undefined => {
    try {
      return call();
    } catch (error) {
      onError(error);
      return undefined;
    }
  };
  const end: unknown = guarded(() => changes?.watch(owner, listener));
  return typeof end === "function" ? () => void guarded(() => void end()) : undefined;
};

export class Waits {
  readonly #options: WaitsOptions;
  readonly #places = new Places();
  readonly #looks: Looks;
  readonly #watched = new Map<string, Watched>();
  #isEnded = false;

  constructor(options: WaitsOptions) {
    this.#options = options;
    this.#looks = new Looks(options.clock);
  }

  /** Requests that wait, or whose answer has not left yet. */
  get taken(): number {
    return this.#places.taken;
  }

  //= WAIT-1
  /** Whether a command must wait after the store's first answer; undefined when that is the answer. */
  isDue(command: Command, first: Read): Waiting | undefined {
    const wait = waitOf(command.action);
    if (wait === undefined || this.#isEnded || !isAwaited(first, wait.afterRevision)) return undefined;
    return { command, wait, first };
  }

  /** Takes a place, and returns what gives it back. */
  takePlace(located: Located): (() => void) | undefined {
    return this.#places.take(located);
  }

  //= WAIT-1, WAIT-5
  /** What the store says once the wait is over; what it has said first, at once, when the client has gone. Never rejects. */
  until({ command, wait, first }: Waiting, onGone: ListenToGone | undefined, gone: () => void): Promise<Read> {
    const { promise, resolve } = Promise.withResolvers<Read>();
    const flow = this.#watch(command, wait);
    const settle = (outcome: Read): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    const waiter: Waiter = { command, afterRevision: wait.afterRevision, settle, isOver: this.#isEnded };
    const timer = setTimeout(() => {
      waiter.isOver = true;
      flow.look();
    }, wait.ms);
    flow.add(waiter);
    const forget = onGone?.(() => {
      gone();
      flow.remove(waiter);
      settle(first);
    });
    // what has changed since the first answer was not told
    flow.look();
    return forget === undefined ? promise : promise.finally(forget);
  }

  //= WAIT-6
  /** Answers all requests that wait, with the flow as it is. None waits before `resume`. */
  end(): void {
    this.#isEnded = true;
    for (const { flow } of this.#watched.values()) flow.end();
  }

  resume(): void {
    this.#isEnded = false;
  }

  #watch(command: Command, wait: Wait): WatchedFlow {
    const key = keyOf(command, wait);
    const known = this.#watched.get(key);
    if (known !== undefined) return known.flow;
    const flow = new WatchedFlow(this.#options.execute, () => this.#unwatch(key));
    this.#watched.set(key, { flow, unwatch: this.#follow(command, wait, flow) });
    return flow;
  }

  #unwatch(key: string): void {
    const watched = this.#watched.get(key);
    this.#watched.delete(key);
    watched?.unwatch();
  }

  //= WAIT-4
  /** Follows what the store tells of the flow, and asks for it in turn where that may not be everything. */
  #follow({ route }: Command, { flowId }: Wait, flow: WatchedFlow): () => void {
    const { store, onError } = this.#options;
    const end = followChanges(store, onError, route.sessionKey, (changed) => {
      if (changed === undefined || changed === flowId) flow.tell();
    });
    const isAsked = end === undefined || store.changesElsewhere === true;
    if (isAsked) this.#looks.add(flow);
    return () => {
      this.#looks.remove(flow);
      end?.();
    };
  }
}
