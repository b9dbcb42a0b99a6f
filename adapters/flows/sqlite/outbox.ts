// The events of an SQLite file behind the port: each call is one transaction.

import type { Result } from "neverthrow";
import type { CallbackEvent } from "../../../core/index.ts";
import type { Awaitable } from "../awaitable.ts";
import type { StoreFault } from "../engine.ts";
import type { Claimed, Outbox, OutboxState, Settlement, Target } from "../outbox.ts";
import type { EventRows } from "./event-rows.ts";

/** Runs `use` in a transaction; what it throws undoes that. */
export type InTransaction = <T>(isWrite: boolean, use: (rows: EventRows) => T) => Awaitable<Result<T, StoreFault>>;

export class SqliteOutbox implements Outbox {
  readonly #inTransaction: InTransaction;
  readonly #rows: EventRows;

  constructor(rows: EventRows, inTransaction: InTransaction) {
    this.#rows = rows;
    this.#inTransaction = inTransaction;
  }

  claim(target: Target, limit: number, now: number): Awaitable<Result<readonly Claimed[], StoreFault>> {
    return this.#inTransaction(true, (rows) => rows.claim(target, limit, now));
  }

  settle(
    event: Pick<CallbackEvent, "routeId" | "eventId">,
    settlement: Settlement,
  ): Awaitable<Result<void, StoreFault>> {
    return this.#inTransaction(true, (rows) => rows.settle(event, settlement));
  }

  look(): Awaitable<Result<OutboxState, StoreFault>> {
    return this.#inTransaction(false, (rows) => rows.look());
  }

  tidy(routeId: string, before: number): Awaitable<Result<void, StoreFault>> {
    return this.#inTransaction(true, (rows) => rows.tidy(routeId, before));
  }

  takeDropped(): ReadonlyMap<string, number> {
    return this.#rows.takeDropped();
  }
}
