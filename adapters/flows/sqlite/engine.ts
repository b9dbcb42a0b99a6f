// Transactions on an SQLite file. Each runs from BEGIN to COMMIT without letting go of the thread: reads at once, writes at the
// end of the turn, with those that came in the same one (batch.ts). Waiting for another process's lock is asynchronous, so that
// a busy file holds up only the commands that wait for it.

import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { err, ok, type Result } from "neverthrow";
import type { Needs, Stored } from "../../../core/index.ts";
import type { Awaitable } from "../awaitable.ts";
import type { Decided, FlowEngine, StoreFault } from "../engine.ts";
import { type CountOpen, joinOpen } from "../open-flows.ts";
import type { Outbox } from "../outbox.ts";
import { Batches, type Done, rollback } from "./batch.ts";
import { isBusy, isFull } from "./codes.ts";
import { NO_FILES, type OpenFiles } from "./open-files.ts";
import { SqliteOutbox } from "./outbox.ts";
import { SqliteTables } from "./tables.ts";

/** Milliseconds for which a command waits for the lock of another process, and between two tries of one that reads. */
const LOCK_DEADLINE_MS = 5000;
const RETRY_MS = 5;

/** Milliseconds without a write after which the log is moved into the database file. */
const IDLE_MS = 1000;

const foundBusy = (done: Result<unknown, StoreFault>): boolean => done.isErr() && isBusy(done.error.error);

const faultOf = (error: unknown): StoreFault => ({ error });

export class SqliteEngine implements FlowEngine {
  readonly #database: DatabaseSync;
  readonly #tables: SqliteTables;
  readonly #lockDeadlineMs: number;
  readonly #batches: Batches;
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
      this.#run(isWrite, () => ({ value: use(events), hasWritten: isWrite })),
    );
    this.files = watch();
    this.#batches = new Batches({
      database,
      lockDeadlineMs,
      before: () => this.files.look(),
      after: () => this.#kept(),
      exclusively: (work) => this.#exclusively(work),
    });
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
    return this.#run(needs.writes, work);
  }

  /** Commits at once what waits for the end of the turn, and answers it. */
  hurry(): void {
    if (!this.#isWorking) this.#batches.hurry();
  }

  readonly countOpen: CountOpen = async (owners) => {
    const counted = await this.#run(false, () => ({
      value: owners.map((owner) => this.#tables.countOpen(owner)),
      hasWritten: false,
    }));
    if (counted.isErr()) throw counted.error.error;
    return joinOpen(counted.value.flat());
  };

  #run<T>(isWrite: boolean, work: () => Done<T>): Awaitable<Result<T, StoreFault>> {
    if (this.#isWorking) return err(faultOf(new Error("the store was asked from inside one of its transactions")));
    if (isWrite) return this.#batches.add(work);
    const done = this.#read(work);
    return foundBusy(done) ? this.#readAgain(work, done) : done;
  }

  /** Until the file is free or it has been busy for too long. */
  async #readAgain<T>(work: () => Done<T>, busy: Result<T, StoreFault>): Promise<Result<T, StoreFault>> {
    const latest = performance.now() + this.#lockDeadlineMs;
    for (let done = busy; ; done = this.#read(work)) {
      if (!foundBusy(done) || performance.now() >= latest) return done;
      await delay(RETRY_MS);
    }
  }

  //= STORE-10
  /** Never inside of another one's transaction, so that it sees only what is on the disk. */
  #read<T>(work: () => Done<T>): Result<T, StoreFault> {
    const gone = this.files.recent();
    if (gone !== undefined) return err(faultOf(gone));
    return this.#exclusively(() => {
      try {
        this.#database.exec("BEGIN");
        const { value } = work();
        this.#database.exec("COMMIT");
        return ok(value);
      } catch (error) {
        rollback(this.#database);
        return err(faultOf(error));
      }
    });
  }

  #exclusively<T>(work: () => T): T {
    this.#isWorking = true;
    try {
      return work();
    } finally {
      this.#isWorking = false;
    }
  }

  //= STORE-6
  /** What was written counts only if it is in the files that the next start opens. */
  #kept(): Error | undefined {
    const lost = this.files.look();
    if (lost === undefined) this.#settleWhenIdle();
    return lost;
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
}
