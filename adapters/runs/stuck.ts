// Runs that fail again and again, because their flow cannot be read or their host does not answer. Each keeps its place for a
// while, then it is passed over, and is tried again now and then for as long as it is in the file.

import type { KnownRun, RunRow } from "../../core/index.ts";

/** Milliseconds between two tries of a run that has given its place back. */
const RETRY_MS = 60_000;

/** `since`: when it failed first in this state; `until`: the time up to which it is passed over. */
type Failing = Pick<RunRow, "state"> & { readonly since: number; readonly until: number };

export class Stuck {
  readonly #clock: () => number;
  /** By the number of the run. */
  readonly #failing = new Map<number, Failing>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** The run has failed. Whether it gives back the place that it keeps for `placeMs` milliseconds. */
  failed({ seq, state }: KnownRun, placeMs: number): boolean {
    const now = this.#clock();
    const before = this.#failing.get(seq);
    const since = before?.state === state ? before.since : now;
    const isOut = now - since >= placeMs;
    this.#failing.set(seq, { state, since, until: isOut ? now + RETRY_MS : now });
    return isOut;
  }

  /** The run has done a step. */
  forget(seq: number): void {
    this.#failing.delete(seq);
  }

  /** Whether the run has no place, and is not to be tried yet. */
  isPassedOver({ seq, state }: RunRow): boolean {
    const failing = this.#failing.get(seq);
    return failing?.state === state && this.#clock() < failing.until;
  }
}
