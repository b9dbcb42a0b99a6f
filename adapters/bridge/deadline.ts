// Latest moments. Requests wait for much, each for as long as all others of its kind: one timer serves them all, for a
// timer of its own is what a small request would pay most for.

import { err, ok, type Result } from "neverthrow";

/** Something that is waited for: a place in a ring, so that it is taken out without a search. */
export class Wait {
  readonly endsAt: number;
  readonly end: () => void;
  before: Wait = this;
  after: Wait = this;

  constructor(endsAt: number, end: () => void) {
    this.endsAt = endsAt;
    this.end = end;
  }

  /** Puts this one in front of `next`. */
  joinBefore(next: Wait): void {
    this.after = next;
    this.before = next.before;
    this.before.after = this;
    next.before = this;
  }

  /** Takes this one out; says whether it was still in. */
  leave(): boolean {
    const wasIn = this.after !== this;
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
    return wasIn;
  }
}

/** Does not keep a process alive: what is waited for does, by its socket or its work. */
const unref = (timer: unknown): void => {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") {
    timer.unref();
  }
};

/** Waits of one length. They end in the order in which they began, so that only the first has to be looked at. */
export class Deadlines {
  readonly #ms: number;
  /** Stands between the last wait and the first. */
  readonly #ring = new Wait(Infinity, () => undefined);
  #isTimed = false;

  /** `ms`: milliseconds that each wait may take. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Calls `end` unless the wait has left by then. */
  begin(end: () => void): Wait {
    const wait = new Wait(performance.now() + this.#ms, end);
    wait.joinBefore(this.#ring);
    if (!this.#isTimed) this.#time(this.#ms);
    return wait;
  }

  #time(ms: number): void {
    this.#isTimed = true;
    unref(setTimeout(() => this.#look(), ms));
  }

  #look(): void {
    this.#isTimed = false;
    for (let first = this.#ring.after; first !== this.#ring; first = this.#ring.after) {
      const left = first.endsAt - performance.now();
      if (left > 0) return this.#time(left);
      first.leave();
      first.end();
    }
  }
}

const known = new Map<number, Deadlines>();

/** The deadlines of `ms` milliseconds. */
export const deadlinesOf = (ms: number): Deadlines => {
  const found = known.get(ms) ?? new Deadlines(ms);
  known.set(ms, found);
  return found;
};

export type Late = { readonly kind: "late" } | { readonly kind: "threw"; readonly error: unknown };

//= SLOT-4
/** Starts `work` and waits at most `deadlineMs` for it. Never rejects; errs when it threw or was late. */
export const withDeadline = <T>(work: () => T | Promise<T>, deadlineMs: number): Promise<Result<T, Late>> =>
  new Promise((resolve) => {
    const wait = deadlinesOf(deadlineMs).begin(() => resolve(err({ kind: "late" })));
    const settle = (result: Result<T, Late>): void => {
      wait.leave();
      resolve(result);
    };
    const threw = (error: unknown): void => settle(err({ kind: "threw", error }));
    try {
      Promise.resolve(work()).then((value) => settle(ok(value)), threw);
    } catch (error) {
      threw(error);
    }
  });
