// The tables of the plugin's own file, version by version.

import { OUTBOX } from "../flows/sqlite/schema.ts";

/** `stamp`: a time in milliseconds that no other claim has, 0 of a record that was no claim; `plan`: JSON, while it is open. */
const CLAIMS = `
CREATE TABLE records (
  route_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  at INTEGER NOT NULL,
  stamp INTEGER NOT NULL,
  plan TEXT,
  outcome TEXT,
  PRIMARY KEY (route_id, owner, key)
) STRICT;
CREATE INDEX records_by_age ON records (at);
CREATE INDEX records_of_route ON records (route_id, at);
CREATE INDEX records_by_stamp ON records (stamp);
CREATE INDEX open_records ON records (route_id, at) WHERE outcome IS NULL;
CREATE TABLE bindings (
  route_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  stamp INTEGER NOT NULL,
  plan TEXT NOT NULL,
  flow_id TEXT,
  PRIMARY KEY (route_id, owner, key)
) STRICT;
CREATE INDEX bindings_by_stamp ON bindings (stamp);
CREATE INDEX bindings_of_route ON bindings (route_id, stamp);
`;

/** `plan`, `result`: JSON; `stamp`: of the claim of its flow; `flow_id`: once it is known that the flow was made. */
const RUNS = `
CREATE TABLE runs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  route_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  stamp INTEGER NOT NULL,
  plan TEXT NOT NULL,
  flow_id TEXT,
  state TEXT NOT NULL,
  turn INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  boot TEXT,
  at INTEGER NOT NULL,
  result TEXT
) STRICT;
CREATE UNIQUE INDEX runs_of_flow ON runs (owner, flow_id) WHERE flow_id IS NOT NULL;
CREATE INDEX runs_by_stamp ON runs (stamp);
CREATE INDEX runs_of_route ON runs (route_id);
`;

/**
 * Sessions whose flows are looked at, and how each flow stood at the last look. `since`: from when on changes are told; `looked_at`: NULL
 * before the first look.
 */
const SEEN = `
CREATE TABLE watched (owner TEXT NOT NULL PRIMARY KEY, since INTEGER NOT NULL, looked_at INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE seen (
  owner TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  standing TEXT NOT NULL,
  PRIMARY KEY (owner, flow_id)
) STRICT, WITHOUT ROWID;
`;

/** Each makes the next version of the tables; a released one is never changed. */
export const MIGRATIONS: readonly string[] = [CLAIMS, RUNS, `${OUTBOX}${SEEN}`];
