// The rows of events that wait to be sent, as one transaction reads and writes them. The tables are those of OUTBOX in schema.ts.

import type { StatementSync } from "node:sqlite";
import { type CallbackEvent, MAX_AHEAD_MS, MAX_EVENTS } from "../../../core/index.ts";
import { type Claimed, LEASE_MS, type OutboxState, type Settlement, type Target } from "../outbox.ts";
import { numberIn, type Row, textIn } from "../rows.ts";
import { Turns } from "../turns.ts";

/** Jumps from one route that has events to the next, because reading all events would take as long as there are many. */
const ROUTES = `WITH RECURSIVE routes (id) AS (
    SELECT min(route_id) FROM events
    UNION ALL SELECT (SELECT min(route_id) FROM events WHERE route_id > routes.id) FROM routes WHERE routes.id IS NOT NULL)
  SELECT id, (SELECT min(due_at) FROM events WHERE route_id = id) AS next_at,
    (SELECT at FROM events WHERE route_id = id ORDER BY number LIMIT 1) AS oldest_at
  FROM routes WHERE id IS NOT NULL`;

const STATEMENTS = {
  put: `INSERT INTO events (route_id, event_id, body, at, tries, due_at) VALUES (?1, ?2, ?3, ?4, 0, ?4)
    ON CONFLICT (route_id, event_id) DO NOTHING`,
  dropOldest: `DELETE FROM events WHERE number IN (SELECT number FROM events WHERE route_id = ?1 ORDER BY number
    LIMIT max(0, (SELECT count(*) FROM events WHERE route_id = ?1) - ${String(MAX_EVENTS)}))`,
  due: `SELECT event_id, body, at, tries FROM events
    WHERE route_id = ?1 AND (due_at <= ?2 OR due_at > ?2 + ${String(MAX_AHEAD_MS)}) ORDER BY due_at, number LIMIT ?3`,
  lease: "UPDATE events SET due_at = ? WHERE route_id = ? AND event_id = ?",
  later: "UPDATE events SET tries = tries + 1, due_at = ? WHERE route_id = ? AND event_id = ?",
  remove: "DELETE FROM events WHERE route_id = ? AND event_id = ?",
  removeAll: "DELETE FROM events WHERE route_id = ?",
  tidy: "DELETE FROM events WHERE route_id = ? AND at <= ?",
  goneOf: "SELECT address FROM gone_addresses WHERE route_id = ?",
  gone: "SELECT route_id, address FROM gone_addresses",
  setGone: `INSERT INTO gone_addresses (route_id, address) VALUES (?, ?)
    ON CONFLICT (route_id) DO UPDATE SET address = excluded.address`,
  notGone: "DELETE FROM gone_addresses WHERE route_id = ?",
  routes: ROUTES,
} as const;

type Name = keyof typeof STATEMENTS;

const claimedOf = (routeId: string, row: Row): Claimed => ({
  routeId,
  eventId: textIn(row, "event_id"),
  body: textIn(row, "body"),
  at: numberIn(row, "at"),
  tries: numberIn(row, "tries"),
});

export class EventRows {
  readonly #prepare: (sql: string) => StatementSync;
  readonly #turns = new Turns();
  #dropped = new Map<string, number>();

  /** `prepare`: gives the statement; the same one for the same text, as long as the file is open. */
  constructor(prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare;
  }

  put({ routeId, eventId, body, at }: CallbackEvent): void {
    this.#run("put").run(routeId, eventId, body, at);
    //= NOTIFY-7
    if (!this.#turns.take(routeId)) return;
    const dropped = Number(this.#run("dropOldest").run(routeId).changes);
    if (dropped > 0) this.#dropped.set(routeId, (this.#dropped.get(routeId) ?? 0) + dropped);
  }

  claim({ routeId, address }: Target, limit: number, now: number): readonly Claimed[] {
    const gone = this.#run("goneOf").get(routeId)?.["address"];
    if (gone === address) {
      this.#run("removeAll").run(routeId);
      return [];
    }
    if (gone !== undefined) this.#run("notGone").run(routeId);
    const due = this.#run("due").all(routeId, now, limit);
    const claimed = due.map((row) => claimedOf(routeId, row));
    for (const { eventId } of claimed) this.#run("lease").run(now + LEASE_MS, routeId, eventId);
    return claimed;
  }

  settle({ routeId, eventId }: Pick<CallbackEvent, "routeId" | "eventId">, settled: Settlement): void {
    switch (settled.kind) {
      case "remove":
        this.#run("remove").run(routeId, eventId);
        break;
      case "later":
        this.#run("later").run(settled.dueAt, routeId, eventId);
        break;
      case "gone":
        this.#run("setGone").run(routeId, settled.address);
        this.#run("removeAll").run(routeId);
    }
  }

  look(): OutboxState {
    const routes = this.#run("routes").all();
    const gone = this.#run("gone").all();
    return {
      routes: new Map(
        routes.map((row) => [
          textIn(row, "id"),
          { oldestAt: numberIn(row, "oldest_at"), nextAt: numberIn(row, "next_at") },
        ]),
      ),
      gone: new Map(gone.map((row) => [textIn(row, "route_id"), textIn(row, "address")])),
    };
  }

  tidy(routeId: string, before: number): void {
    this.#run("tidy").run(routeId, before);
  }

  takeDropped(): ReadonlyMap<string, number> {
    const dropped = this.#dropped;
    this.#dropped = new Map();
    return dropped;
  }

  #run(name: Name): StatementSync {
    return this.#prepare(STATEMENTS[name]);
  }
}
