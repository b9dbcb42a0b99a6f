// Flows in an SQLite file, by the SQLite of Node itself: one file, any number of processes, nothing lost by a crash.

import { closeSync, openSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { err, ok, Result } from "neverthrow";
import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import { SqliteEngine } from "./engine.ts";
import { checkFile, type ForeignFile, migrate } from "./schema.ts";

export type { EmbeddedFlows, EmbeddedOptions } from "../embedded-store.ts";
export { startSweeping, type SweeperOptions } from "../sweeper.ts";

/** A store on a file. `close` once nothing is being asked of it any more. */
export interface SqliteFlows extends EmbeddedFlows {
  /** Whether the file can be read and is still the one that was opened: what is written to a removed one is lost. */
  isIntact(): boolean;
  close(): void;
}

export type SqliteOptions = Partial<EmbeddedOptions>;

/** Why there is no store. `newer`, `not_ours`: the file was left as it is; `unusable`: the system's own word in `error`. */
export type OpenFault = { readonly code: ForeignFile | "unusable"; readonly error?: unknown };

/** Milliseconds for which opening waits for another process that is opening or migrating the file. */
const OPEN_DEADLINE_MS = 5000;

/** Only its owner may read a new file; SQLite gives the files beside it the same permissions. */
const createPrivately = (file: string): void => closeSync(openSync(file, "a", 0o600));

//= STORE-2
/** Readers never wait; a write is on the disk when it is answered. */
const SETTINGS = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;`;

const prepare = (database: DatabaseSync): Result<void, OpenFault> => {
  const checked = checkFile(database);
  if (checked.isErr()) return err({ code: checked.error });
  database.exec(SETTINGS);
  database.exec("BEGIN IMMEDIATE");
  const still = checkFile(database);
  if (still.isErr()) return err({ code: still.error });
  migrate(database);
  database.exec("COMMIT; PRAGMA busy_timeout = 0;");
  return ok();
};

const open = (file: string): Result<DatabaseSync, OpenFault> => {
  if (file !== ":memory:") createPrivately(file);
  const database = new DatabaseSync(file, { timeout: OPEN_DEADLINE_MS });
  try {
    return prepare(database)
      .map(() => database)
      .mapErr((fault) => {
        database.close();
        return fault;
      });
  } catch (error) {
    database.close();
    return err({ code: "unusable", error });
  }
};

const openSafely = (file: string): Result<DatabaseSync, OpenFault> => {
  try {
    return open(file);
  } catch (error) {
    return err({ code: "unusable", error });
  }
};

/** Device and number of the file; undefined when there is none, as in memory. */
const identityOf = (file: string): string | undefined => {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${String(found.dev)} ${String(found.ino)}`;
};

const canRead = (database: DatabaseSync): boolean =>
  Result.fromThrowable(() => database.prepare("SELECT 1 FROM flows LIMIT 1").get())().isOk();

/** Opens or makes the file; its folder must exist. */
export const openSqliteFlows = (file: string, options: SqliteOptions = {}): Result<SqliteFlows, OpenFault> =>
  openSafely(file).map((database) => {
    const all = { now: Date.now, newId: () => crypto.randomUUID(), ...options };
    const flows = createEmbeddedStore(new SqliteEngine(database), all);
    const opened = identityOf(file);
    const isIntact = (): boolean => opened === identityOf(file) && canRead(database);
    return { ...flows, isIntact, close: () => database.close() };
  });
