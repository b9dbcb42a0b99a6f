// The tables in PostgreSQL, all in one schema: how they are made and brought to the present version, while other replicas start.

import { randomBytes } from "node:crypto";
import type { Client } from "pg";
import { err, ok, type Result } from "neverthrow";
import type { ForeignFile } from "../sqlite/schema.ts";

export const SCHEMA = "openclaw_webhooks";

/** Settings of a transaction: whose rows it may see, or that it is the store's own upkeep, which sees all. */
export const OWNER_SETTING = `${SCHEMA}.owner`;
export const UPKEEP_SETTING = `${SCHEMA}.upkeep`;

/** Held while tables are made. */
const MIGRATION_LOCK = "7164783402913366119";

/** Milliseconds for which a starting replica waits while another one makes the tables. */
const MIGRATION_MS = 120_000;

/** The owner's rows, and no other; those of all for upkeep. The role that owns the tables is held to it as well. */
const wall = (table: string): string => `
ALTER TABLE ${SCHEMA}.${table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${SCHEMA}.${table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_owner ON ${SCHEMA}.${table} USING (owner = current_setting('${OWNER_SETTING}', true));
CREATE POLICY of_upkeep ON ${SCHEMA}.${table} USING (current_setting('${UPKEEP_SETTING}', true) = 'on');
`;

/**
 * `made`: the flow's number in the order in which all were made; `weight`: what the flow adds to a list; `name`: the digest of route, owner and key,
 * because these may be longer than an index allows. Texts are compared byte by byte.
 */
const FIRST = `
CREATE TABLE ${SCHEMA}.flows (
  flow_id text COLLATE "C" NOT NULL PRIMARY KEY,
  owner text COLLATE "C" NOT NULL,
  sync_mode text NOT NULL,
  controller_id text COLLATE "C",
  revision bigint NOT NULL,
  status text COLLATE "C" NOT NULL,
  notify_policy text NOT NULL,
  goal text NOT NULL,
  current_step text,
  blocked_task_id text,
  blocked_summary text,
  state_json text,
  wait_json text,
  cancel_requested_at bigint,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  ended_at bigint,
  made bigint GENERATED ALWAYS AS IDENTITY,
  weight bigint NOT NULL
);
CREATE UNIQUE INDEX flows_of_owner ON ${SCHEMA}.flows (owner, made);
CREATE INDEX flows_open ON ${SCHEMA}.flows (owner, made) WHERE ended_at IS NULL;
CREATE INDEX flows_of_status ON ${SCHEMA}.flows (owner, status, made);
CREATE INDEX flows_of_controller ON ${SCHEMA}.flows (owner, md5(controller_id), made);
CREATE INDEX flows_changed ON ${SCHEMA}.flows (owner, updated_at);
CREATE INDEX flows_to_cancel ON ${SCHEMA}.flows (cancel_requested_at)
  WHERE cancel_requested_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX flows_to_remove ON ${SCHEMA}.flows (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE ${SCHEMA}.tasks (
  made bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id text COLLATE "C" NOT NULL UNIQUE,
  flow_id text COLLATE "C" NOT NULL REFERENCES ${SCHEMA}.flows (flow_id) ON DELETE CASCADE,
  owner text COLLATE "C" NOT NULL,
  record text NOT NULL
);
CREATE INDEX tasks_of_flow ON ${SCHEMA}.tasks (flow_id, made);
CREATE TABLE ${SCHEMA}.records (
  name text COLLATE "C" NOT NULL PRIMARY KEY,
  route_id text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,
  fingerprint text NOT NULL,
  outcome text NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX records_of_route ON ${SCHEMA}.records (route_id, at);
CREATE INDEX records_by_age ON ${SCHEMA}.records (at);
CREATE TABLE ${SCHEMA}.bindings (
  name text COLLATE "C" NOT NULL PRIMARY KEY,
  owner text COLLATE "C" NOT NULL,
  flow_id text COLLATE "C" NOT NULL REFERENCES ${SCHEMA}.flows (flow_id) ON DELETE CASCADE
);
CREATE INDEX bindings_of_flow ON ${SCHEMA}.bindings (flow_id);
CREATE TABLE ${SCHEMA}.events (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  route_id text COLLATE "C" NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  body text NOT NULL,
  at bigint NOT NULL,
  tries bigint NOT NULL,
  due_at bigint NOT NULL,
  UNIQUE (route_id, event_id)
);
CREATE INDEX events_due ON ${SCHEMA}.events (route_id, due_at, number);
CREATE INDEX events_of_route ON ${SCHEMA}.events (route_id, number);
CREATE TABLE ${SCHEMA}.gone_addresses (
  route_id text COLLATE "C" NOT NULL PRIMARY KEY,
  address text NOT NULL
);
CREATE FUNCTION ${SCHEMA}.exactly_one(changed bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  IF changed <> 1 THEN
    RAISE EXCEPTION 'the flow has changed since it was read' USING ERRCODE = 'serialization_failure';
  END IF;
  RETURN changed;
END $$;
${["flows", "tasks", "records", "bindings"].map(wall).join("")}
`;

/** What flows are counted, weighed and filtered by without reading their rows, which are large and far apart. */
const COVERED = `
DROP INDEX ${SCHEMA}.flows_of_owner;
CREATE UNIQUE INDEX flows_of_owner ON ${SCHEMA}.flows (owner, made) INCLUDE (weight);
DROP INDEX ${SCHEMA}.flows_of_status;
CREATE INDEX flows_of_status ON ${SCHEMA}.flows (owner, status, made) INCLUDE (weight);
DROP INDEX ${SCHEMA}.flows_open;
CREATE INDEX flows_open ON ${SCHEMA}.flows (owner, made) INCLUDE (status, created_at) WHERE ended_at IS NULL;
DROP INDEX ${SCHEMA}.flows_changed;
CREATE INDEX flows_changed ON ${SCHEMA}.flows (owner, updated_at) INCLUDE (made, weight, status);
`;

/** Each makes the next version of the tables; a released one is never changed. */
const MIGRATIONS: readonly string[] = [FIRST, COVERED];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** `places_key`: what cursors are made with. */
const ABOUT = `CREATE TABLE ${SCHEMA}.about (version bigint NOT NULL, places_key text NOT NULL)`;

/** `version`: undefined where there is no schema, 0 where it has nothing. */
const LOOK = `SELECT to_regnamespace('${SCHEMA}') IS NOT NULL AS is_there,
  to_regclass('${SCHEMA}.about') IS NOT NULL AS is_ours,
  EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('${SCHEMA}')) AS is_used`;

type Found = { readonly isThere: boolean; readonly version: number };

const look = async (client: Client): Promise<Result<Found, ForeignFile>> => {
  const [found] = (await client.query(LOOK)).rows;
  const isThere = found?.is_there === true;
  if (found?.is_ours !== true) return found?.is_used === true ? err("not_ours") : ok({ isThere, version: 0 });
  const [about] = (await client.query(`SELECT version FROM ${SCHEMA}.about`)).rows;
  const version = Number(about?.version);
  return version > SCHEMA_VERSION ? err("newer") : ok({ isThere, version });
};

const build = async (client: Client, { isThere, version }: Found): Promise<void> => {
  if (!isThere) await client.query(`CREATE SCHEMA ${SCHEMA}`);
  if (version === 0) {
    await client.query(ABOUT);
    await client.query(`INSERT INTO ${SCHEMA}.about VALUES (0, $1)`, [randomBytes(32).toString("hex")]);
  }
  await client.query(`SELECT set_config('${UPKEEP_SETTING}', 'on', true)`);
  for (const step of MIGRATIONS.slice(version)) await client.query(step);
  await client.query(`UPDATE ${SCHEMA}.about SET version = ${String(SCHEMA_VERSION)}`);
};

//= PG-6
/**
 * Brings the tables to the present version, in one transaction and behind a lock, so that several replicas may start at once. True
 * if there was none. A schema of a newer version or of another program is left as it is. Throws what PostgreSQL says.
 */
export const migrate = async (client: Client): Promise<Result<boolean, ForeignFile>> => {
  const before = await look(client);
  if (before.isErr()) return err(before.error);
  // a role that may not make tables can use them
  if (before.value.version === SCHEMA_VERSION) return ok(false);
  await client.query("BEGIN");
  await client.query(
    `SET LOCAL lock_timeout = ${String(MIGRATION_MS)}; SET LOCAL statement_timeout = ${String(MIGRATION_MS)}`,
  );
  await client.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  const found = await look(client);
  if (found.isErr() || found.value.version === SCHEMA_VERSION) {
    await client.query("ROLLBACK");
    return found.map(() => false);
  }
  await build(client, found.value);
  await client.query("COMMIT");
  return ok(found.value.version === 0);
};

/** The key of the places that cursors name. */
export const placesKey = async (client: Client): Promise<string> => {
  const [about] = (await client.query<{ places_key: string }>(`SELECT places_key FROM ${SCHEMA}.about`)).rows;
  return about?.places_key ?? "";
};
