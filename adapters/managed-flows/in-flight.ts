// What this process is doing at the moment, by name, and the last time that it gave to a flow. Both belong to the process and
// not to this copy of the code, because a Gateway loads the plugin anew while calls of the one before may be unanswered.

import type { Holder } from "../../core/index.ts";
import { withDeadline } from "../bridge/deadline.ts";
import { STORE_DEADLINE_MS } from "../bridge/execute.ts";

/** `since`: monotonic milliseconds; `over` resolves when it is. */
type Held = { readonly since: number; readonly over: Promise<void> };

type Shared = { readonly held: Map<string, Held>; stamp: number; isStamping: boolean };

/** Another number for another shape of what is in it. */
const NAME = Symbol.for("openclaw-webhooks.in-flight.1");

const process_: { [NAME]?: Shared; readonly Symbol: unknown } = globalThis;

const shared: Shared = (process_[NAME] ??= { held: new Map(), stamp: 0, isStamping: false });

/** Milliseconds by which stamps may run ahead of the clock; those of a clock that was set back do not count. */
export const STAMPS_AHEAD_MS = 60_000;

//= ONCE-6
/** A time for a flow, `now` or soon after, that no other flow of this process has, and that is at least `floor`. */
export const nextStamp = (now: number, floor: number = 0): number => {
  const last = shared.stamp > now + STAMPS_AHEAD_MS ? 0 : shared.stamp;
  shared.isStamping = true;
  shared.stamp = Math.max(now, floor, last + 1);
  return shared.stamp;
};

/** The time of a flow that is made without a claim: undefined, the host's own, as long as nothing was claimed. */
export const plainStamp = (now: number): number | undefined => (shared.isStamping ? nextStamp(now) : undefined);

/** No claim gets a time that a flow has already. */
export const noteStamp = (time: number): void => {
  shared.stamp = Math.max(shared.stamp, time);
};

const now = (): number => performance.now();

/** `lateMs`: milliseconds after which whoever has the name is late. */
export const holderOf = (name: string, lateMs: number = STORE_DEADLINE_MS): Holder => {
  const held = shared.held.get(name);
  if (held === undefined) return "nobody";
  return now() - held.since < lateMs ? "running" : "late";
};

/** Takes a name that nobody has; the function that comes back lets it go. */
export const hold = (name: string): (() => void) => {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const held = { since: now(), over };
  shared.held.set(name, held);
  return () => {
    if (shared.held.get(name) === held) shared.held.delete(name);
    resolve();
  };
};

/** Waits until whoever has the name now is done, or for `forMs` milliseconds. Ask again who has it: others wait as well. */
export const waitFor = async (name: string, forMs: number): Promise<void> => {
  const held = shared.held.get(name);
  if (held !== undefined) await withDeadline(() => held.over, forMs);
};
