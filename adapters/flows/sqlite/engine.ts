// Transactions on an SQLite file. Each runs from BEGIN to COMMIT without letting go of the thread; only waiting for
// another process's lock is asynchronous, so that a busy file holds up only the commands that wait for it.

import type { DatabaseSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { err, ok, type Result } from "neverthrow";
import type { Needs, Stored } from "../../../core/index.ts";
import type { Awaitable } from "../awaitable.ts";
import type { Decided, FlowEngine, StoreFault } from "../engine.ts";
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

type Transaction<T> = { readonly needs: Needs; readonly decide: (stored: Stored) => T };

export class SqliteEngine implements FlowEngine {
  readonly #database: DatabaseSync;
  readonly #tables: SqliteTables;
  readonly #lockDeadlineMs: number;
  #isWorking = false;

  constructor(database: DatabaseSync, lockDeadlineMs: number = LOCK_DEADLINE_MS) {
    this.#database = database;
    this.#tables = new SqliteTables(database);
    this.#lockDeadlineMs = lockDeadlineMs;
  }

  //= STORE-1
  transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Awaitable<Result<T, StoreFault>> {
    const done = this.#attempt({ needs, decide });
    return foundBusy(done) ? this.#retry({ needs, decide }, done) : done;
  }

  /** Until the file is free or it has been busy for too long. */
  async #retry<T extends Decided>(
    transaction: Transaction<T>,
    busy: Result<T, StoreFault>,
  ): Promise<Result<T, StoreFault>> {
    const latest = performance.now() + this.#lockDeadlineMs;
    for (let done = busy; ; done = this.#attempt(transaction)) {
      if (!foundBusy(done) || performance.now() >= latest) return done;
      await delay(RETRY_MS);
    }
  }

  //= STORE-2
  /** Answers only after COMMIT; an error before it undoes all of the transaction. */
  #attempt<T extends Decided>({ needs, decide }: Transaction<T>): Result<T, StoreFault> {
    if (this.#isWorking) return err(faultOf(new Error("the store was asked from inside one of its transactions")));
    this.#isWorking = true;
    try {
      this.#database.exec(needs.writes ? "BEGIN IMMEDIATE" : "BEGIN");
      const decision = decide(this.#tables.load(needs));
      for (const write of decision.writes) this.#tables.save(write);
      this.#database.exec("COMMIT");
      return ok(decision);
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
      // the first error is the one to report; a transaction that is left open fails the next BEGIN
    }
  }
}
