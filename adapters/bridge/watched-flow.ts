// One flow that requests wait for: what any of them needs to know is read once for all of them.

import type { Result } from "neverthrow";
import { type Command, isAwaited, type Outcome, type StoreFailure } from "../../core/index.ts";
import { isPromiseLike } from "../flows/awaitable.ts";
import type { Execute } from "./execute.ts";

export type Read = Result<Outcome, StoreFailure>;

/** A request that waits. `settle` is called once. */
export type Waiter = {
  readonly command: Command;
  readonly afterRevision: number;
  readonly settle: (outcome: Read) => void;
  /** Its time is over: the next read answers it, whatever it says. */
  isOver: boolean;
};

export class WatchedFlow {
  readonly #execute: Execute;
  readonly #onEmpty: () => void;
  readonly #waiters = new Set<Waiter>();
  #isReading = false;
  /** Something may have changed since the read that is under way has begun. */
  #isStale = false;
  #isTold = false;

  /** `onEmpty`: called when nobody waits any more. */
  constructor(execute: Execute, onEmpty: () => void) {
    this.#execute = execute;
    this.#onEmpty = onEmpty;
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  /** Of a request that does not wait any more, whether it is answered or has gone. */
  remove(waiter: Waiter): void {
    if (this.#waiters.delete(waiter) && this.#waiters.size === 0) this.#onEmpty();
  }

  /** No request waits any longer than for the next read. */
  end(): void {
    for (const waiter of this.#waiters) waiter.isOver = true;
    this.look();
  }

  //= WAIT-4
  /** Reads the flow, unless it is being read: then it is read again afterwards. */
  look(): void {
    const [first] = this.#waiters;
    if (first === undefined) return;
    if (this.#isReading) {
      this.#isStale = true;
      return;
    }
    this.#isReading = true;
    this.#isStale = false;
    const read = this.#execute(first.command);
    if (isPromiseLike(read)) void read.then((outcome) => this.#take(outcome));
    else this.#take(read);
  }

  /** Whether a read is under way. */
  get isReading(): boolean {
    return this.#isReading;
  }

  /** The flow may have changed. It is read once the writer is done, which may be in the middle of something. */
  tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    queueMicrotask(() => {
      this.#isTold = false;
      this.look();
    });
  }

  //= WAIT-1
  #take(outcome: Read): void {
    this.#isReading = false;
    for (const waiter of this.#waiters) {
      if (!waiter.isOver && isAwaited(outcome, waiter.afterRevision)) continue;
      this.remove(waiter);
      waiter.settle(outcome);
    }
    if (this.#isStale) this.look();
  }
}
