// The port to the events that wait to be sent. They are there until a receiver has taken them, or they are given up.

import type { Result } from "neverthrow";
import type { CallbackEvent, Subscriptions } from "../../core/index.ts";
import type { Awaitable } from "./awaitable.ts";
import type { StoreFault } from "./engine.ts";

/** A route whose events are sent, and a text that stands for its present address and key. */
export type Target = { readonly routeId: string; readonly address: string };

/** An event that this sender may send until its lease is over. `tries`: that have failed. */
export type Claimed = CallbackEvent & { readonly tries: number };

/** What has become of a claimed event. `dueAt`: milliseconds since the epoch. */
export type Settlement =
  | { readonly kind: "remove" }
  | { readonly kind: "later"; readonly dueAt: number }
  /** The receiver wants nothing more: all events of the route go, until it has another address. */
  | { readonly kind: "gone"; readonly address: string };

/** How a route's events stand. `oldestAt`: when the one that was made first happened; `nextAt`: when the next try is due. */
export type RouteState = { readonly oldestAt: number; readonly nextAt: number };

/** The routes that have events, sent to or not, and the addresses that want nothing more, by route. */
export type OutboxState = {
  readonly routes: ReadonlyMap<string, RouteState>;
  readonly gone: ReadonlyMap<string, string>;
};

/** Milliseconds for which a claimed event is one sender's. Longer than a try and its settlement can last. */
export const LEASE_MS = 30_000;

export interface Outbox {
  /**
   * Events of the target's route that are due, at most `limit`, those first that have been due for longest. No other sender gets them until
   * LEASE_MS have passed. A route whose address is gone has none: what it had is removed. `now`: milliseconds since the epoch.
   */
  claim(target: Target, limit: number, now: number): Awaitable<Result<readonly Claimed[], StoreFault>>;

  settle(
    event: Pick<CallbackEvent, "routeId" | "eventId">,
    settlement: Settlement,
  ): Awaitable<Result<void, StoreFault>>;

  look(): Awaitable<Result<OutboxState, StoreFault>>;

  /** Removes the events of a route that happened at or before `before`, milliseconds since the epoch. */
  tidy(routeId: string, before: number): Awaitable<Result<void, StoreFault>>;

  /** How many events of each route gave way to newer ones since the last call. */
  takeDropped(): ReadonlyMap<string, number>;
}

/** The outbox of a store that writes events in the transactions of its flows. */
export interface FlowEvents extends Outbox {
  /**
   * From now on the events that `subscriptions` wants are written with the flows. It is asked with each write, and must be quick. Until the
   * function that comes back is called.
   */
  subscribe(subscriptions: () => Subscriptions): () => void;

  /** Calls `listener` after each transaction of this process that wrote events. It must not throw. */
  watch(listener: () => void): () => void;
}
