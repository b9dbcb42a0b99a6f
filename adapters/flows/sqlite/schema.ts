// The database file: whose it is, which version its tables have, and how an older one becomes the present one.

import type { DatabaseSync } from "node:sqlite";
import { err, ok, type Result } from "neverthrow";

/** "ocwh" in the file's header: made by this store. */
export const APPLICATION_ID = 0x6f637768;

const FIRST = `
CREATE TABLE flows (
  flow_id TEXT NOT NULL PRIMARY KEY,
  owner TEXT NOT NULL,
  sync_mode TEXT NOT NULL,
  controller_id TEXT,
  revision INTEGER NOT NULL,
  status TEXT NOT NULL,
  notify_policy TEXT NOT NULL,
  goal TEXT NOT NULL,
  current_step TEXT,
  blocked_task_id TEXT,
  blocked_summary TEXT,
  state_json TEXT,
  wait_json TEXT,
  cancel_requested_at INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX flows_of_owner ON flows (owner, created_at DESC, flow_id);
CREATE INDEX flows_to_cancel ON flows (cancel_requested_at) WHERE cancel_requested_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX flows_to_remove ON flows (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE tasks (
  made INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id TEXT NOT NULL UNIQUE,
  flow_id TEXT NOT NULL REFERENCES flows (flow_id) ON DELETE CASCADE,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_of_flow ON tasks (flow_id, made);
`;

/** `made`: the flow's number among its owner's. Flows that are there get theirs from the order in which they were listed. */
const NUMBERED = `
ALTER TABLE flows ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
UPDATE flows SET made = numbered.made FROM (
  SELECT flow_id, row_number() OVER (PARTITION BY owner ORDER BY created_at, flow_id DESC) AS made FROM flows
) AS numbered WHERE numbered.flow_id = flows.flow_id;
DROP INDEX flows_of_owner;
CREATE INDEX flows_of_owner ON flows (owner, made DESC);
`;

/** Records of requests, and the flows that keys are bound to. A binding ends with its flow's row. */
const REPEATABLE = `
CREATE TABLE records (
  route_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  outcome TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (route_id, owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_by_age ON records (route_id, at);
CREATE TABLE bindings (
  route_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  flow_id TEXT NOT NULL REFERENCES flows (flow_id) ON DELETE CASCADE,
  PRIMARY KEY (route_id, owner, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX bindings_of_flow ON bindings (flow_id);
`;

/** Events that wait to be sent, and addresses that want nothing more. `number`: in the order in which they were made. */
export const OUTBOX = `
CREATE TABLE events (
  number INTEGER PRIMARY KEY,
  route_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  body TEXT NOT NULL,
  at INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  UNIQUE (route_id, event_id)
) STRICT;
CREATE INDEX events_due ON events (route_id, due_at);
CREATE INDEX events_of_route ON events (route_id, number);
CREATE TABLE gone_addresses (route_id TEXT NOT NULL PRIMARY KEY, address TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

/**
 * What lists with filters are read by. The last has all that filters ask for, because SQLite reads the states of several flows to
 * find one. The first also counts the flows that have not ended.
 */
const LISTED = `
CREATE INDEX flows_of_status ON flows (owner, status, made DESC);
CREATE INDEX flows_of_controller ON flows (owner, controller_id, made DESC);
CREATE INDEX flows_changed ON flows (owner, updated_at, made, status, controller_id);
`;

/** Each makes the next version of the tables; a released one is never changed. */
const MIGRATIONS: readonly string[] = [FIRST, NUMBERED, REPEATABLE, OUTBOX, LISTED];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Why a file cannot be used. */
export type ForeignFile = "newer" | "not_ours";

/** The number that a PRAGMA of this name has. */
export const numberOf = (database: DatabaseSync, name: string): number =>
  Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);

const hasNoTable = (database: DatabaseSync): boolean =>
  database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;

/** What a file's header says of it. `version` is that of its tables; `isEmpty`: there is no table. */
export type Marks = { readonly application: number; readonly version: number; readonly isEmpty: boolean };

//= STORE-4
/** Whether a file with these marks is this store's, or nobody's. */
export const checkMarks = ({ application, version, isEmpty }: Marks): Result<void, ForeignFile> => {
  if (application !== APPLICATION_ID) return application === 0 && version === 0 && isEmpty ? ok() : err("not_ours");
  return version > SCHEMA_VERSION ? err("newer") : ok();
};

/** Whether the file is this store's, or an empty one. Writes nothing. */
export const checkFile = (database: DatabaseSync): Result<void, ForeignFile> =>
  checkMarks({
    application: numberOf(database, "application_id"),
    version: numberOf(database, "user_version") >>> 0,
    isEmpty: hasNoTable(database),
  });

/** Brings the tables to the present version, in the caller's transaction: two processes may start at once. */
export const migrate = (database: DatabaseSync): void => {
  const steps = MIGRATIONS.slice(numberOf(database, "user_version"));
  if (steps.length === 0) return;
  for (const step of steps) database.exec(step);
  database.exec(`PRAGMA application_id = ${String(APPLICATION_ID)}; PRAGMA user_version = ${String(SCHEMA_VERSION)};`);
};

//= STORE-9
/** Throws SQLite's first complaint about a file; reads all of it. */
export const checkIntegrity = (database: DatabaseSync): void => {
  const found = String(database.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"]);
  if (found !== "ok") throw new Error(`it is damaged: ${found.split("\n").at(-1) ?? ""}`);
};

/** Bytes up to which a file is checked whole when it is opened, which takes 3 ms for each megabyte. */
const CHECKED_BYTES = 64 << 20;

/** The same, of a file that is small enough to be read whole at a start. */
export const checkSmall = (database: DatabaseSync): void => {
  if (numberOf(database, "page_count") * numberOf(database, "page_size") <= CHECKED_BYTES) checkIntegrity(database);
};
