// Callbacks of a store that writes events with its flows: who is subscribed, and the sender, from the start to the stop.

import { type HmacSha256, hmacSha256, type Routes } from "../../core/index.ts";
import type { Log } from "../bridge/log.ts";
import type { FlowEvents } from "../flows/outbox.ts";
import { Reports } from "./reports.ts";
import { Sender } from "./sender.ts";
import { ToldRoutes } from "./told-routes.ts";

export type CallbackOptions = {
  /** The live routes, asked for with each write and each look. The same value as before means that nothing has changed. */
  readonly routes: () => Routes;
  readonly log: Log;
  readonly hmac?: HmacSha256;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
  /** From 0 to 1. Default: at random. */
  readonly chance?: () => number;
  /** Milliseconds for one try. Default: 10 seconds. */
  readonly timeoutMs?: number;
  /** Gets the lines of `problems` whenever one comes or goes. */
  readonly onProblems?: (lines: readonly string[]) => void;
};

export type Callbacks = {
  /** A line for each route whose callbacks are not delivered: the oldest for 10 minutes, or the receiver has answered 410. */
  readonly problems: () => readonly string[];
  /** When the oldest event that waits happened, milliseconds since the epoch, by the name of its route; as of the last look. */
  readonly oldest: () => ReadonlyMap<string, number>;
  /** Looks for events that are due. */
  readonly wake: () => void;
  /** Ends the tries that are under way; their events stay in the store. Await it before you close the store. */
  readonly stop: () => Promise<void>;
};

/** Milliseconds for one try, from the connection to the head of the answer. */
export const TIMEOUT_MS = 10_000;

export const runCallbacks = (events: FlowEvents, options: CallbackOptions): Callbacks => {
  const { routes, log, hmac = hmacSha256, now = Date.now, chance = Math.random, timeoutMs = TIMEOUT_MS } = options;
  const told = new ToldRoutes(routes, hmac);
  const reports = new Reports(log, options.onProblems);
  const sender = new Sender({ told, outbox: events, reports, hmac, now, chance, timeoutMs });
  const unsubscribe = events.subscribe(() => told.subscriptions);
  const unwatch = events.watch(() => sender.wake());
  sender.wake();
  return {
    problems: () => reports.problems(),
    oldest: () => reports.oldest(),
    wake: () => sender.wake(),
    stop: async () => {
      unsubscribe();
      unwatch();
      await sender.stop();
    },
  };
};
