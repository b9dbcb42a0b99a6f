// Where `serve` keeps its flows: an SQLite file, or PostgreSQL, behind what the server needs to know of either.

import { err, ok, type Result } from "neverthrow";
import type { Awaitable } from "../../flows/awaitable.ts";
import type { EmbeddedFlows } from "../../flows/embedded-store.ts";
import { isPostgresUrl } from "../../flows/postgres/address.ts";
import { type CliFault, fault } from "../fault.ts";
import { type Env, EXIT } from "../io.ts";
import { databaseFile, openDatabase } from "./database.ts";
import { openPostgres, type PostgresChoice } from "./postgres.ts";

export type StoreOptions = Omit<PostgresChoice, "db"> & { readonly db?: string };

/** A store that is open. `shown`: its place for people and logs. */
export type OpenedStore = {
  readonly flows: EmbeddedFlows;
  readonly shown: string;
  readonly isNew: boolean;
  readonly isReady: () => Awaitable<boolean>;
  /** Resolves with the reason when nothing can be kept any more until a restart. */
  readonly lost: Promise<Error>;
  /** What the operator should know. */
  readonly warning: string | undefined;
  /** Why nothing can be kept now, if so. */
  readonly trouble: () => Awaitable<string | undefined>;
  /** Milliseconds since the epoch by the clock that all who share the store have; undefined: the system's. */
  readonly now: (() => number) | undefined;
  readonly close: () => Awaitable<void>;
};

/** `file`: the absolute path of the SQLite file, or of the one that there would be by default. */
export type Place = { readonly file: string; readonly isPostgres: boolean };

/** Errs also when a flag is about PostgreSQL and nothing else is. */
export const placeOf = ({ db, dbPasswordFile, dbConnections }: StoreOptions, env: Env): Result<Place, CliFault> => {
  const isPostgres = db !== undefined && isPostgresUrl(db);
  if (!isPostgres && (dbPasswordFile !== undefined || dbConnections !== undefined)) {
    const name = dbPasswordFile === undefined ? "--db-connections" : "--db-password-file";
    return err({
      ...fault(`${name} has no effect without --db postgres://…, which says where PostgreSQL is`),
      status: EXIT.usage,
    });
  }
  return (
    databaseFile(isPostgres ? undefined : db, env)
      .map((file) => ({ file, isPostgres }))
      // without a home folder there is no default file, which PostgreSQL does not need
      .orElse((said) => (isPostgres ? ok({ file: `${process.cwd()}/flows.db`, isPostgres }) : err(said)))
  );
};

//= FILE-4
/** Opens a database server, before anything listens, because that takes time in which requests could come in. A file is left for later. */
export const openServer = async (
  { isPostgres }: Place,
  { db = "", ...options }: StoreOptions,
  env: Env,
  onError: (error: unknown) => void,
): Promise<Result<OpenedStore | undefined, CliFault>> => {
  if (!isPostgres) return ok(undefined);
  const opened = await openPostgres({ db, ...options }, env, onError);
  return opened.map(({ flows, shown }) => ({
    flows,
    shown,
    isNew: flows.isNew,
    isReady: () => flows.isReady(),
    lost: new Promise<Error>(() => undefined),
    warning: flows.warning,
    trouble: async () =>
      (await flows.isReady())
        ? undefined
        : `the database ${shown} does not answer, or takes no writes; callers get 503`,
    now: () => flows.now(),
    close: () => flows.close(),
  }));
};

//= FILE-4
/** Opens or makes the file. */
export const openFile = ({ file }: Place, { db }: StoreOptions): Result<OpenedStore, CliFault> =>
  openDatabase(file, db === undefined).map(({ flows, isNew }) => ({
    flows,
    shown: file,
    isNew,
    isReady: () => flows.isIntact(),
    lost: flows.lost,
    warning: undefined,
    // an error line says it once
    trouble: () => undefined,
    now: undefined,
    close: () => flows.close(),
  }));
