// Transactions on an SQLite file. Each runs from BEGIN to COMMIT without letting go of the thread; only waiting for
// another process's lock is asynchronous, so that a busy file holds up nobody but those who wait for it.

import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { err, ok, Result } from "neverthrow";
import type { Soon } from "../awaitable.ts";
import type { FlowEngine, FlowTables, StoreFault } from "../engine.ts";
import { SqliteTables } from "./tables.ts";

/** Milliseconds for which a command waits for the lock of another process, and between two tries. */
const LOCK_DEADLINE_MS = 5000;
const RETRY_MS = 5;

const SQLITE_BUSY = 5;

/** Extended codes have the plain one in their lowest byte. */
const isBusy = (error: unknown): boolean =>
  error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;

const foundBusy = (done: Result<unknown, StoreFault>): boolean => done.isErr() && isBusy(done.error.error);

const faultOf = (error: unknown): StoreFault => ({ error });

type Verb = "BEGIN" | "BEGIN IMMEDIATE";

export class SqliteEngine implements FlowEngine {
  readonly #database: DatabaseSync;
  readonly #tables: FlowTables;
  readonly #lockDeadlineMs: number;
  #isWorking = false;

  constructor(database: DatabaseSync, lockDeadlineMs: number = LOCK_DEADLINE_MS) {
    this.#database = database;
    this.#tables = new SqliteTables(database);
    this.#lockDeadlineMs = lockDeadlineMs;
  }

  read<T>(work: (tables: FlowTables) => T): Soon<Result<T, StoreFault>> {
    return this.#transact("BEGIN", work);
  }

  //= STORE-1
  write<T>(work: (tables: FlowTables) => T): Soon<Result<T, StoreFault>> {
    return this.#transact("BEGIN IMMEDIATE", work);
  }

  #transact<T>(verb: Verb, work: (tables: FlowTables) => T): Soon<Result<T, StoreFault>> {
    const done = this.#attempt(verb, work);
    return foundBusy(done) ? this.#retry(verb, work, done) : done;
  }

  /** Until the file is free or it has been busy for too long. */
  async #retry<T>(
    verb: Verb,
    work: (tables: FlowTables) => T,
    busy: Result<T, StoreFault>,
  ): Promise<Result<T, StoreFault>> {
    const latest = performance.now() + this.#lockDeadlineMs;
    for (let done = busy; ; done = this.#attempt(verb, work)) {
      if (!foundBusy(done) || performance.now() >= latest) return done;
      await delay(RETRY_MS);
    }
  }

  //= STORE-2
  /** Answers only after COMMIT; whatever throws before undoes all of it. */
  #attempt<T>(verb: Verb, work: (tables: FlowTables) => T): Result<T, StoreFault> {
    if (this.#isWorking) return err(faultOf(new Error("the store was asked from inside one of its transactions")));
    this.#isWorking = true;
    try {
      this.#database.exec(verb);
      const value = work(this.#tables);
      this.#database.exec("COMMIT");
      return ok(value);
    } catch (error) {
      this.#rollback();
      return err(faultOf(error));
    } finally {
      this.#isWorking = false;
    }
  }

  #rollback(): void {
    try {
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch {
      // the first error is the one to tell; a transaction that is left open fails the next BEGIN
    }
  }
}
