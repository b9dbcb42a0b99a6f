// Connections to the primary: how they are configured, and what is checked of each before it is used.

import pg from "pg";
import type { ClientBase, ClientConfig, CustomTypesConfig, PoolConfig } from "pg";
import type { Address } from "./address.ts";
import type { Listener } from "./notices.ts";
import { CHANNEL } from "./notices.ts";
import { fromColumn } from "./text.ts";
import { UnfitServer } from "./unfit-server.ts";

/** Milliseconds to connect, for a statement, for a lock, and for which a transaction may be left open between two statements. */
const CONNECT_MS = 5000;
const STATEMENT_MS = 10_000;
const LOCK_MS = 5000;
const OPEN_MS = 5000;

/** Milliseconds after which a server that has not answered is given up, and for which a connection is used, so that a name is looked up again. */
const SILENCE_MS = 12_000;
const LIFETIME_S = 1800;
const IDLE_MS = 60_000;

/** The least version, as `server_version_num` has it. */
const LEAST_VERSION = 140_000;

/**
 * Each statement has an index made for it. Without this a plan that was made while a table was small reads the whole table until
 * the server analyzes it, which is up to minutes after the first flows.
 */
const BY_INDEX = "-c enable_seqscan=off -c enable_bitmapscan=off";

const FITNESS = `SELECT pg_is_in_recovery() AS is_standby, current_setting('server_version_num') AS version,
  current_setting('server_encoding') AS encoding`;

//= PG-3
/** Throws unless the server is a primary that can hold the tables: a standby may lag behind what was answered. */
export const checkServer = async (client: ClientBase): Promise<void> => {
  const [found] = (await client.query<{ is_standby: boolean; version: string; encoding: string }>(FITNESS)).rows;
  if (found?.is_standby === true) throw new UnfitServer("standby", "it is a standby, and only a primary is used");
  if (Number(found?.version) < LEAST_VERSION) throw new UnfitServer("old", `its version is ${String(found?.version)}`);
  if (found?.encoding !== "UTF8") throw new UnfitServer("encoding", `its encoding is ${String(found?.encoding)}`);
};

const BOOLEAN = 16;
const NUMBERS: ReadonlySet<number> = new Set([20, 21, 23, 1700]);

/** Columns are texts, whole numbers and truths. */
const types: CustomTypesConfig = {
  getTypeParser: (oid: number) => (text: string | Buffer) => {
    const written = String(text);
    if (oid === BOOLEAN) return written === "t";
    return NUMBERS.has(oid) ? Number(written) : fromColumn(written);
  },
};

/** `password`: or what gives it. Default: PGPASSWORD, or the file that PGPASSFILE names. */
export type Login = { readonly address: Address; readonly password: ClientConfig["password"] };

export const clientConfig = ({ address, password }: Login): ClientConfig => ({
  ...Object.fromEntries(
    Object.entries({
      host: address.host,
      port: address.port,
      user: address.user,
      database: address.database,
      password,
    }).filter(([, value]) => value !== undefined),
  ),
  ssl: address.ssl,
  application_name: address.applicationName,
  connectionTimeoutMillis: CONNECT_MS,
  statement_timeout: STATEMENT_MS,
  lock_timeout: LOCK_MS,
  idle_in_transaction_session_timeout: OPEN_MS,
  options: BY_INDEX,
  keepAlive: true,
  types,
});

/** `onError`: told of connections that end while nobody uses them. */
export const openPool = (login: Login, connections: number, onError: (error: unknown) => void): pg.Pool => {
  const config: PoolConfig = {
    ...clientConfig(login),
    max: connections,
    pipeline: true,
    query_timeout: SILENCE_MS,
    idleTimeoutMillis: IDLE_MS,
    maxLifetimeSeconds: LIFETIME_S,
    onConnect: checkServer,
  };
  const pool = new pg.Pool(config);
  // what ends a connection in use is the error of what uses it
  pool.on("connect", (client) => void client.on("error", () => undefined));
  return pool.on("error", onError);
};

/** A connection of its own that listens. */
export const listenOn = async (login: Login, told: (payload: string) => void, lost: () => void): Promise<Listener> => {
  const client = new pg.Client(clientConfig(login));
  const failed = new Promise<never>((_, reject) => {
    client.on("error", reject);
  });
  failed.catch(() => undefined);
  client.on("notification", ({ payload = "" }) => told(payload));
  client.once("end", lost);
  try {
    await client.connect();
    await checkServer(client);
    await client.query(`LISTEN ${CHANNEL}`);
  } catch (error) {
    void client.end().catch(() => undefined);
    throw error;
  }
  return { end: () => void client.end().catch(() => undefined) };
};
