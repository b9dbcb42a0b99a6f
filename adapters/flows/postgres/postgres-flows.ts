// Flows in PostgreSQL 14 or later: any number of processes on one database, which is the only thing that they share.

import pg from "pg";
import { err, ok, type Result } from "neverthrow";
import { FlowChanges } from "../changes.ts";
import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import type { ForeignFile } from "../sqlite/schema.ts";
import { addressOf } from "./address.ts";
import { DatabaseClock, NOW } from "./clock.ts";
import { checkServer, clientConfig, listenOn, type Login, openPool } from "./connect.ts";
import { PostgresEngine } from "./engine.ts";
import { Health } from "./health.ts";
import { Notices } from "./notices.ts";
import { Places } from "./places.ts";
import { Connections } from "./pool.ts";
import { migrate, placesKey } from "./schema.ts";
import { UnfitServer } from "./unfit-server.ts";
import { Upkeep } from "./upkeep.ts";

/** A store in a database. `close` once nothing is being asked of it any more. */
export interface PostgresFlows extends EmbeddedFlows {
  /** Milliseconds since the epoch by the database's clock, which all replicas share. */
  now(): number;
  /** Whether the database can be reached and takes writes. */
  isReady(): Promise<boolean>;
  /** What the operator should know of the role: a sentence, if row-level security does not bind it. */
  readonly warning: string | undefined;
  /** Whether this opening has made the tables. */
  readonly isNew: boolean;
  close(): Promise<void>;
}

export type PostgresOptions = Partial<EmbeddedOptions> & {
  /** The password, or what gives it. Default: PGPASSWORD, or the file that PGPASSFILE names. */
  readonly password?: string | (() => string | Promise<string>);
  /** Most connections of this process for commands; one more listens while callers wait. Default: 10. */
  readonly connections?: number;
  /** Told of connections that end while nobody uses them. */
  readonly onError?: (error: unknown) => void;
};

/**
 * Why there is no store. `newer`, `not_ours`: nothing was changed; `address`: `error` is a sentence about the URL; `standby`, `old`,
 * `encoding`: the server cannot be used; `unusable`: `error` has PostgreSQL's or the system's word.
 */
export type PostgresFault = {
  readonly code: ForeignFile | "address" | UnfitServer["reason"] | "unusable";
  readonly error?: unknown;
};

const CONNECTIONS = 10;

const ROLE = "SELECT rolsuper OR rolbypassrls AS is_free FROM pg_roles WHERE rolname = current_user";

const NO_WALL =
  "the database role may pass row-level security, so only the queries keep sessions apart: use a role without SUPERUSER and BYPASSRLS";

type Prepared = {
  readonly isNew: boolean;
  readonly warning: string | undefined;
  readonly clock: DatabaseClock;
  readonly key: string;
};

/** Throws what PostgreSQL says. */
const prepare = async (client: pg.Client): Promise<Result<Prepared, PostgresFault>> => {
  await client.connect();
  await checkServer(client);
  const migrated = await migrate(client);
  if (migrated.isErr()) return err({ code: migrated.error });
  const [role] = (await client.query<{ is_free: boolean }>(ROLE)).rows;
  const [time] = (await client.query<{ now: number }>(`SELECT ${NOW}`)).rows;
  const clock = new DatabaseClock(time?.now ?? Date.now());
  const warning = role?.is_free === true ? NO_WALL : undefined;
  return ok({ isNew: migrated.value, warning, clock, key: await placesKey(client) });
};

const faultOf = (error: unknown): PostgresFault =>
  error instanceof UnfitServer ? { code: error.reason, error } : { code: "unusable", error };

const storeOn = (login: Login, { isNew, warning, clock, key }: Prepared, options: PostgresOptions): PostgresFlows => {
  const { connections: most = CONNECTIONS, onError = () => undefined } = options;
  const connections = new Connections(openPool(login, most, onError));
  const notices = new Notices({ connections, listen: (told, lost) => listenOn(login, told, lost) });
  const upkeep = new Upkeep(connections);
  const engine = new PostgresEngine({ connections, clock, notices, upkeep, places: new Places(key) });
  const changes: FlowChanges = new FlowChanges((isWatched) => notices.watch(changes, isWatched));
  const time = options.now ?? (() => clock.now());
  const flows = createEmbeddedStore(
    engine,
    { now: time, newId: options.newId ?? (() => crypto.randomUUID()) },
    changes,
  );
  const health = new Health(connections);
  return {
    ...flows,
    sweep: async () => {
      const swept = await flows.sweep();
      if (swept.isOk()) await upkeep.sweep(time()).catch(onError);
      return swept;
    },
    now: time,
    isReady: () => health.isReady(),
    warning,
    isNew,
    close: async () => {
      notices.watch(changes, false);
      await Promise.all([notices.settled(), upkeep.settled()]);
      await connections.close();
    },
  };
};

//= PG-6
/** Opens the database at `url`, such as `postgres://user@host/database`, and makes its tables if they are not there. */
export const openPostgresFlows = async (
  url: string,
  options: PostgresOptions = {},
): Promise<Result<PostgresFlows, PostgresFault>> => {
  const address = addressOf(url);
  if (address.isErr()) return err({ code: "address", error: address.error });
  const login: Login = { address: address.value, password: options.password };
  const client = new pg.Client(clientConfig(login));
  // an error while nothing is asked; what is asked fails by itself
  client.on("error", () => undefined);
  try {
    return (await prepare(client)).map((prepared) => storeOn(login, prepared, options));
  } catch (error) {
    return err(faultOf(error));
  } finally {
    await client.end().catch(() => undefined);
  }
};
