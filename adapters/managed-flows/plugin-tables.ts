// The tables of the plugin's own file, version by version.

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

/** Each makes the next version of the tables; a released one is never changed. */
export const MIGRATIONS: readonly string[] = [CLAIMS];
