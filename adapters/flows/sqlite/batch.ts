// Writes that wait at the same moment share one transaction, so that one flush to the disk serves them all: those whose
// requests were read in one turn of the event loop, which is while the thread was in the flush before.

import type { DatabaseSync } from "node:sqlite";
import { err, ok, type Result } from "neverthrow";
import type { StoreFault } from "../engine.ts";
import { isBusy } from "./codes.ts";

/** Most writes of one transaction, and milliseconds of work after which it takes no further one. */
export const MAX_BATCH = 256;
const WORK_MS = 20;

/** Milliseconds between two tries to get the lock of another process. */
const RETRY_MS = 5;

/** What a write gives back, and whether it wrote. */
export type Done<T> = { readonly value: T; readonly hasWritten: boolean };

/** One write has had its turn; `settle` answers it once that is on the disk, or with why it is not kept. */
type Ran = { readonly hasWritten: boolean; readonly settle: (lost: Error | undefined) => void };

/** `latest`: until when it waits for another process's lock, once it has met one. */
type Waiting = { readonly run: () => Ran; readonly refuse: (error: unknown) => void; latest?: number };

/** `before`, `after`: why nothing may be written, or what was written is not kept. `exclusively`: runs `work` while the store refuses to be asked. */
export type BatchOptions = {
  readonly database: DatabaseSync;
  readonly lockDeadlineMs: number;
  readonly before: () => Error | undefined;
  readonly after: () => Error | undefined;
  readonly exclusively: (work: () => void) => void;
};

export const rollback = (database: DatabaseSync): void => {
  try {
    if (database.isOpen && database.isTransaction) database.exec("ROLLBACK");
  } catch {
    // the first error is the one to report; a transaction that is left open fails the next BEGIN
  }
};

export class Batches {
  readonly #options: BatchOptions;
  /** In the order in which they came. */
  #waiting: Waiting[] = [];
  /** When the next transaction is tried: at the end of this turn, or once the lock of another process may be free. */
  #turn: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** How many have had their turn in this transaction, also the one that fails it. */
  #begun = 0;

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  /** `work` runs in a transaction once no other process writes, again if that was not the end; what it throws undoes it alone. */
  add<T>(work: () => Done<T>): Promise<Result<T, StoreFault>> {
    return new Promise((resolve) => {
      const refuse = (error: unknown): void => resolve(err({ error }));
      const run = (): Ran => {
        const { value, hasWritten } = work();
        return { hasWritten, settle: (lost) => (lost !== undefined && hasWritten ? refuse(lost) : resolve(ok(value))) };
      };
      this.#waiting.push({ run, refuse });
      this.#commitSoon();
    });
  }

  //= STORE-11
  /** Commits all that wait without waiting for the end of the turn, unless they wait for another process. */
  hurry(): void {
    while (this.#turn !== undefined) this.#commit();
  }

  /** What came in this turn comes together; a single write waits for nobody, because the turn then ends at once. */
  #commitSoon(): void {
    if (this.#retry === undefined) this.#turn ??= setImmediate(() => this.#commit());
  }

  //= STORE-10
  #commit(): void {
    clearImmediate(this.#turn);
    [this.#turn, this.#retry] = [undefined, undefined];
    this.#options.exclusively(() => this.#attempt());
    // those for which there was no room
    if (this.#waiting.length > 0) this.#commitSoon();
  }

  //= STORE-2, STORE-10
  /** Answers only after COMMIT. An error of the whole transaction undoes all of it, and refuses those that had their turn in it. */
  #attempt(): void {
    const { database, before, after } = this.#options;
    const ran: Ran[] = [];
    this.#begun = 0;
    const gone = before();
    if (gone !== undefined) return this.#refuse(this.#waiting.length, gone);
    try {
      database.exec("BEGIN IMMEDIATE");
      this.#runInto(ran);
      database.exec("COMMIT");
    } catch (error) {
      rollback(database);
      // one that cannot begin fails for all
      return isBusy(error) ? this.#waitForLock(error) : this.#refuse(this.#begun || this.#waiting.length, error);
    }
    const lost = ran.some(({ hasWritten }) => hasWritten) ? after() : undefined;
    this.#waiting.splice(0, ran.length);
    for (const { settle } of ran) settle(lost);
  }

  #runInto(ran: Ran[]): void {
    const [first] = this.#waiting;
    if (first !== undefined && this.#waiting.length === 1) return void ran.push(first.run());
    const ends = performance.now() + WORK_MS;
    for (const one of this.#waiting.slice(0, MAX_BATCH)) {
      this.#begun += 1;
      ran.push(this.#runApart(one));
      if (performance.now() >= ends) return;
    }
  }

  //= STORE-10
  /** In a savepoint of its own, which an error undoes. Throws when SQLite has undone the whole transaction. */
  #runApart({ run, refuse }: Waiting): Ran {
    const { database } = this.#options;
    database.exec("SAVEPOINT one");
    try {
      const ran = run();
      database.exec("RELEASE one");
      return ran;
    } catch (error) {
      if (isBusy(error) || !database.isTransaction) throw error;
      database.exec("ROLLBACK TO one; RELEASE one");
      return { hasWritten: false, settle: () => refuse(error) };
    }
  }

  #refuse(count: number, error: unknown): void {
    for (const { refuse } of this.#waiting.splice(0, count)) refuse(error);
  }

  /** Until the file is free, or it has been busy for too long for those that came first. */
  #waitForLock(error: unknown): void {
    const now = performance.now();
    for (const one of this.#waiting) one.latest ??= now + this.#options.lockDeadlineMs;
    const overdue = this.#waiting.findIndex(({ latest = now }) => now < latest);
    this.#refuse(overdue < 0 ? this.#waiting.length : overdue, error);
    if (this.#waiting.length > 0) this.#retry = setTimeout(() => this.#commit(), RETRY_MS);
  }
}
