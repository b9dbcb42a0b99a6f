// Transactions on an SQLite file. Each runs from BEGIN to COMMIT without letting go of the thread; only waiting for
// another process's lock is asynchronous, so that a busy file holds up only the commands that wait for it.

import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { err, ok, type Result } from "neverthrow";
import type { Needs, Stored } from "../../../core/index.ts";
import type { Awaitable } from "../awaitable.ts";
import type { Decided, FlowEngine, StoreFault } from "../engine.ts";
import { type CountOpen, joinOpen } from "../open-flows.ts";
import type { Outbox } from "../outbox.ts";
import { NO_FILES, type OpenFiles } from "./open-files.ts";
import { SqliteOutbox } from "./outbox.ts";
import { SqliteTables } from "./tables.ts";

/** Milliseconds for which a command waits for the lock of another process, and between two tries. */
const LOCK_DEADLINE_MS = 5000;
const RETRY_MS = 5;

/** Milliseconds without a write after which the log is moved into the database file. */
const IDLE_MS = 1000;

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

/** Extended codes of an index that cannot grow, and of a write beyond a quota. */
const FULL_TOO: ReadonlySet<number> = new Set([4874, 778]);

/** SQLite's extended code, which has the plain one in its lowest byte. */
const codeOf = (error: unknown): number => (error instanceof Error && "errcode" in error ? Number(error.errcode) : 0);

/** SQLite's plain code; 0 of an error that is not SQLite's. */
export const sqliteCode = (error: unknown): number => codeOf(error) & 0xff;

export const isBusy = (error: unknown): boolean => sqliteCode(error) === SQLITE_BUSY;

export const isFull = (error: unknown): boolean => sqliteCode(error) === SQLITE_FULL || FULL_TOO.has(codeOf(error));

const foundBusy = (done: Result<unknown, StoreFault>): boolean => done.isErr() && isBusy(done.error.error);

const faultOf = (error: unknown): StoreFault => ({ error });

/** What a transaction gives back, and whether it wrote. */
type Done<T> = { readonly value: T; readonly hasWritten: boolean };

/** `isWrite`: it may write. `work` runs inside of it. */
type Transaction<T> = { readonly isWrite: boolean; readonly work: () => Done<T> };

export class SqliteEngine implements FlowEngine {
  readonly #database: DatabaseSync;
  readonly #tables: SqliteTables;
  readonly #lockDeadlineMs: number;
  readonly files: OpenFiles;
  readonly outbox: Outbox;
  #isWorking = false;
  #idle: NodeJS.Timeout | undefined;

  /** Throws when the database has not the tables of this version. `watch`: watches its files, for which they must be open. */
  constructor(
    database: DatabaseSync,
    lockDeadlineMs: number = LOCK_DEADLINE_MS,
    watch: () => OpenFiles = () => NO_FILES,
  ) {
    this.#database = database;
    this.#tables = new SqliteTables(database);
    this.#lockDeadlineMs = lockDeadlineMs;
    const { events } = this.#tables;
    this.outbox = new SqliteOutbox(events, (isWrite, use) =>
      this.#run({ isWrite, work: () => ({ value: use(events), hasWritten: isWrite }) }),
    );
    this.files = watch();
    void this.files.lost.then(() => this.#rescue());
    // a log that a crash has left
    this.#settleWhenIdle();
  }

  //= STORE-1
  transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Awaitable<Result<T, StoreFault>> {
    const work = (): Done<T> => {
      const decision = decide(this.#tables.load(needs));
      for (const write of decision.writes) this.#tables.save(write);
      return { value: decision, hasWritten: decision.writes.length > 0 };
    };
    return this.#run({ isWrite: needs.writes, work });
  }

  readonly countOpen: CountOpen = async (owners) => {
    const counted = await this.#run({
      isWrite: false,
      work: () => ({ value: owners.map((owner) => this.#tables.countOpen(owner)), hasWritten: false }),
    });
    if (counted.isErr()) throw counted.error.error;
    return joinOpen(counted.value.flat());
  };

  #run<T>(transaction: Transaction<T>): Awaitable<Result<T, StoreFault>> {
    const done = this.#attempt(transaction);
    return foundBusy(done) ? this.#retry(transaction, done) : done;
  }

  /** Until the file is free or it has been busy for too long. */
  async #retry<T>(transaction: Transaction<T>, busy: Result<T, StoreFault>): Promise<Result<T, StoreFault>> {
    const latest = performance.now() + this.#lockDeadlineMs;
    for (let done = busy; ; done = this.#attempt(transaction)) {
      if (!foundBusy(done) || performance.now() >= latest) return done;
      await delay(RETRY_MS);
    }
  }

  //= STORE-2
  /** Answers only after COMMIT; an error before it undoes all of the transaction. */
  #attempt<T>({ isWrite, work }: Transaction<T>): Result<T, StoreFault> {
    if (this.#isWorking) return err(faultOf(new Error("the store was asked from inside one of its transactions")));
    const gone = isWrite ? this.files.look() : this.files.recent();
    if (gone !== undefined) return err(faultOf(gone));
    this.#isWorking = true;
    try {
      this.#database.exec(isWrite ? "BEGIN IMMEDIATE" : "BEGIN");
      const { value, hasWritten } = work();
      this.#database.exec("COMMIT");
      return hasWritten ? this.#kept(value) : ok(value);
    } catch (error) {
      this.#rollback();
      return err(faultOf(error));
    } finally {
      this.#isWorking = false;
    }
  }

  //= STORE-6
  /** A decision that was written counts only if it is in the files that the next start opens. */
  #kept<T>(decision: T): Result<T, StoreFault> {
    const lost = this.files.look();
    if (lost !== undefined) return err(faultOf(lost));
    this.#settleWhenIdle();
    return ok(decision);
  }

  #settleWhenIdle(): void {
    this.#idle = this.#idle?.refresh() ?? setTimeout(() => this.#settleAgain(), IDLE_MS).unref();
  }

  /** Another process may be in the way, or the disk full: then it is tried again. */
  #settleAgain(): void {
    if (!this.#database.isOpen || this.files.look() !== undefined) return;
    const settled = this.settle();
    if (settled.isErr() || !settled.value) this.#settleWhenIdle();
  }

  /** Another number after each write of another process. Errs when the files are lost, or SQLite fails. */
  dataVersion(): Result<number, StoreFault> {
    const gone = this.files.recent();
    if (gone !== undefined) return err(faultOf(gone));
    try {
      return ok(Number(this.#database.prepare("PRAGMA data_version").get()?.["data_version"]));
    } catch (error) {
      return err(faultOf(error));
    }
  }

  //= STORE-7
  /** Moves what the log holds into the database file, so that the file alone is whole. False while others use the log. */
  settle(): Result<boolean, StoreFault> {
    const lost = this.files.look();
    const emptied = lost === undefined ? this.#emptyLog() : err(faultOf(lost));
    // so that the next look knows the file as it is now
    const stillLost = this.files.look();
    return stillLost === undefined ? emptied : err(faultOf(stillLost));
  }

  #emptyLog(): Result<boolean, StoreFault> {
    try {
      return ok(this.#database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.["busy"] === 0);
    } catch (error) {
      if (!isBusy(error) && !isFull(error)) this.files.lose(error);
      return err(faultOf(error));
    }
  }

  /** Saves what only the lost log holds, and leaves no full log beside another file, which would take it for its own. */
  #rescue(): void {
    if (this.#database.isOpen && this.files.mayRescue()) this.#emptyLog();
  }

  close(): void {
    clearTimeout(this.#idle);
    if (this.#database.isOpen) this.#database.close();
    this.files.close();
  }

  #rollback(): void {
    try {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch {
      // the first error is the one to report; a transaction that is left open fails the next BEGIN
    }
  }
}
