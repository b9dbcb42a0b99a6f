// The statements of events that wait to be sent. Replicas share them: what one has locked or leased, the others pass over.

import { type CallbackEvent, MAX_AHEAD_MS, MAX_EVENTS } from "../../../core/index.ts";
import { LEASE_MS, type OutboxState, type Target } from "../outbox.ts";
import { numberIn, type Row, textIn } from "../rows.ts";
import { dropBeyond } from "./oldest.ts";
import { SCHEMA } from "./schema.ts";
import { type Statement, statement } from "./statement.ts";

const EVENTS = `${SCHEMA}.events`;
const GONE = `${SCHEMA}.gone_addresses`;

export const putEvent = ({ routeId, eventId, body, at }: CallbackEvent): Statement =>
  statement(
    `INSERT INTO ${EVENTS} (route_id, event_id, body, at, tries, due_at) VALUES ($1, $2, $3, $4, 0, $4)
      ON CONFLICT (route_id, event_id) DO NOTHING`,
    routeId,
    eventId,
    body,
    at,
  );

//= NOTIFY-7
/** Its count is how many gave way. */
export const dropOldestEvents = (routeId: string): Statement =>
  statement(dropBeyond({ table: EVENTS, id: "number", order: "number", most: MAX_EVENTS }), routeId);

//= PG-5
/** The rows of the last one are the claimed events. `now`: milliseconds since the epoch. */
export const claiming = ({ routeId, address }: Target, limit: number, now: number): readonly Statement[] => [
  statement(
    `DELETE FROM ${EVENTS} WHERE route_id = $1 AND EXISTS (SELECT FROM ${GONE} WHERE route_id = $1 AND address = $2)`,
    routeId,
    address,
  ),
  statement(`DELETE FROM ${GONE} WHERE route_id = $1 AND address <> $2`, routeId, address),
  statement(
    `WITH due AS (SELECT number, due_at FROM ${EVENTS}
        WHERE route_id = $1 AND (due_at <= $2 OR due_at > $2 + ${String(MAX_AHEAD_MS)})
        ORDER BY due_at, number LIMIT $3 FOR UPDATE SKIP LOCKED),
      claimed AS (UPDATE ${EVENTS} SET due_at = $2 + ${String(LEASE_MS)} FROM due WHERE events.number = due.number
        RETURNING events.route_id, events.event_id, events.body, events.at, events.tries, due.due_at AS was_due, due.number)
      SELECT route_id, event_id, body, at, tries FROM claimed ORDER BY was_due, number`,
    routeId,
    now,
    limit,
  ),
];

export const claimedOf = (row: Row) => ({
  routeId: textIn(row, "route_id"),
  eventId: textIn(row, "event_id"),
  body: textIn(row, "body"),
  at: numberIn(row, "at"),
  tries: numberIn(row, "tries"),
});

type Named = Pick<CallbackEvent, "routeId" | "eventId">;

export const later = ({ routeId, eventId }: Named, dueAt: number): Statement =>
  statement(
    `UPDATE ${EVENTS} SET tries = tries + 1, due_at = $3 WHERE route_id = $1 AND event_id = $2`,
    routeId,
    eventId,
    dueAt,
  );

export const remove = ({ routeId, eventId }: Named): Statement =>
  statement(`DELETE FROM ${EVENTS} WHERE route_id = $1 AND event_id = $2`, routeId, eventId);

export const setGone = (routeId: string, address: string): readonly Statement[] => [
  statement(
    `INSERT INTO ${GONE} (route_id, address) VALUES ($1, $2)
      ON CONFLICT (route_id) DO UPDATE SET address = excluded.address`,
    routeId,
    address,
  ),
  statement(`DELETE FROM ${EVENTS} WHERE route_id = $1`, routeId),
];

/** `before`: milliseconds since the epoch. */
export const tidying = (routeId: string, before: number): Statement =>
  statement(`DELETE FROM ${EVENTS} WHERE route_id = $1 AND at <= $2`, routeId, before);

/** The first jumps from one route that has events to the next, because reading all events would take as long as there are many. */
export const LOOKS: readonly Statement[] = [
  statement(`WITH RECURSIVE routes (id) AS (
      SELECT min(route_id) FROM ${EVENTS}
      UNION ALL SELECT (SELECT min(route_id) FROM ${EVENTS} WHERE route_id > routes.id) FROM routes WHERE routes.id IS NOT NULL)
    SELECT id, (SELECT min(due_at) FROM ${EVENTS} WHERE route_id = id) AS next_at,
      (SELECT at FROM ${EVENTS} WHERE route_id = id ORDER BY number LIMIT 1) AS oldest_at
    FROM routes WHERE id IS NOT NULL`),
  statement(`SELECT route_id, address FROM ${GONE}`),
];

export const outboxState = (routes: readonly Row[], gone: readonly Row[]): OutboxState => ({
  routes: new Map(
    routes.map((row) => [
      textIn(row, "id"),
      { oldestAt: numberIn(row, "oldest_at"), nextAt: numberIn(row, "next_at") },
    ]),
  ),
  gone: new Map(gone.map((row) => [textIn(row, "route_id"), textIn(row, "address")])),
});
