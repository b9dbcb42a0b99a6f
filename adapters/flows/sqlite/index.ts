// Flows in an SQLite file, by the SQLite of Node itself: one file, any number of processes, nothing lost by a crash.

import { resolve as absolute } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { err, ok, Result } from "neverthrow";
import { FlowChanges } from "../changes.ts";
import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import { isBusy, isFull } from "./codes.ts";
import { SqliteEngine } from "./engine.ts";
import { checkHeader, createPrivately, isUnused, placeOf, removeDatabase } from "./header.ts";
import { watchFiles } from "./open-files.ts";
import { OtherWriters } from "./other-writers.ts";
import { checkFile, checkSmall, type ForeignFile, migrate } from "./schema.ts";

export type { EmbeddedFlows, EmbeddedOptions } from "../embedded-store.ts";
export { startSweeping, type SweeperOptions } from "../sweeper.ts";

/** A store on a file. `close` once nothing is being asked of it any more. */
export interface SqliteFlows extends EmbeddedFlows {
  /** Whether the file can be read and its path still leads to it: what is written to another one is lost. */
  isIntact(): boolean;
  /** Resolves, once, with the reason why the path does not lead to the open file any more: from then on all is refused. */
  readonly lost: Promise<Error>;
  close(): void;
}

export type SqliteOptions = Partial<EmbeddedOptions>;

/** Why there is no store. `newer`, `not_ours`: nothing was changed; `unusable`: `error` has the system's or SQLite's word. */
export type OpenFault = { readonly code: ForeignFile | "unusable"; readonly error?: unknown };

/** Milliseconds for which opening waits for another process that is opening or migrating the file. */
const OPEN_DEADLINE_MS = 5000;

/** Removes what a start that failed has made. Another process may have stored something in it meanwhile. */
const discard = Result.fromThrowable((place: string): void => {
  if (isUnused(place)) removeDatabase(place);
});

//= STORE-2
/** Readers never wait; a write is on the disk when it is answered. */
const SETTINGS = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;`;

const prepare = (database: DatabaseSync): Result<void, OpenFault> => {
  // one snapshot, because another server may be making the same file
  database.exec("BEGIN");
  const checked = checkFile(database);
  database.exec("COMMIT");
  if (checked.isErr()) return err({ code: checked.error });
  checkSmall(database);
  database.exec(SETTINGS);
  database.exec("BEGIN IMMEDIATE");
  const still = checkFile(database);
  if (still.isErr()) return err({ code: still.error });
  migrate(database);
  database.exec("COMMIT; PRAGMA busy_timeout = 0;");
  return ok();
};

const canRead = (database: DatabaseSync): boolean =>
  Result.fromThrowable(() => database.prepare("SELECT 1 FROM flows LIMIT 1").get())().isOk();

const MEMORY = ":memory:";

/** Milliseconds between two tries to open. */
const RETRY_MS = 20;

const storeOn = (database: DatabaseSync, file: string, options: SqliteOptions): SqliteFlows => {
  const engine = new SqliteEngine(database, undefined, file === MEMORY ? undefined : () => watchFiles(file));
  const others = new OtherWriters({ version: () => engine.dataVersion(), notice: () => changes.tellAll() });
  const changes = new FlowChanges((isWatched) => others.watch(isWatched && file !== MEMORY));
  const flows = createEmbeddedStore(engine, { now: Date.now, newId: () => crypto.randomUUID(), ...options }, changes);
  return {
    ...flows,
    sweep: async () => (await flows.sweep()).andThen((count) => engine.settle().map(() => count)),
    isIntact: () => engine.files.look() === undefined && canRead(database),
    lost: engine.files.lost,
    close: () => {
      others.watch(false);
      engine.close();
    },
  };
};

/** Throws what SQLite or the system throws. `place`: where a symlink at `file` leads to. */
const connect = (file: string, place: string, options: SqliteOptions): Result<SqliteFlows, OpenFault> => {
  const database = new DatabaseSync(place, { timeout: OPEN_DEADLINE_MS });
  try {
    const prepared = prepare(database);
    if (prepared.isErr()) database.close();
    return prepared.map(() => storeOn(database, file, options));
  } catch (error) {
    database.close();
    throw error;
  }
};

/** SQLite does not wait by itself while another process switches the file to a log. */
const connectOnceFree = (file: string, place: string, options: SqliteOptions): Result<SqliteFlows, OpenFault> => {
  const latest = performance.now() + OPEN_DEADLINE_MS;
  for (;;) {
    try {
      return connect(file, place, options);
    } catch (error) {
      if (!isBusy(error) || performance.now() >= latest) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
};

const open = (file: string, options: SqliteOptions): Result<SqliteFlows, OpenFault> => {
  const place = placeOf(file);
  const header = checkHeader(place);
  if (header.isErr()) return err({ code: header.error });
  const isNew = createPrivately(place);
  try {
    return connectOnceFree(file, place, options);
  } catch (error) {
    // after any other fault the file may be another process's by now
    if (isNew && isFull(error)) discard(place);
    throw error;
  }
};

//= STORE-9
/** Opens or makes the file; its folder must exist. Open a file only once in a process. */
export const openSqliteFlows = (file: string, options: SqliteOptions = {}): Result<SqliteFlows, OpenFault> => {
  try {
    return file === MEMORY ? connect(file, file, options) : open(absolute(file), options);
  } catch (error) {
    return err({ code: "unusable", error });
  }
};
