// A copy of a database file while servers work on it: one state of it, whole, under a name that was free.

import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, lstatSync, openSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { err, ok, type Result } from "neverthrow";
import { checkHeader, placeOf, removeDatabase } from "./header.ts";
import { checkIntegrity, type ForeignFile } from "./schema.ts";

/**
 * Why there is no copy. `missing`: there is no database, `exists`: there is a file at the target, `unusable`: the database
 * cannot be read or is damaged, `unwritable`: the copy cannot be written. `error` has the system's or SQLite's word.
 */
export type BackupFault = {
  readonly code: ForeignFile | "missing" | "exists" | "unusable" | "unwritable";
  readonly error?: unknown;
};

/** Milliseconds for which the copy waits for a lock. */
const LOCK_DEADLINE_MS = 5000;

/** All pages in one step, because a write between two steps starts the copy again. */
const ALL_PAGES = 2 ** 31 - 1;

/** Throws the system's error where it cannot be known. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

const isNowhere = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");

const flush = (path: string): void => {
  const descriptor = openSync(path, "r");
  fsyncSync(descriptor);
  closeSync(descriptor);
};

const withDatabase = async <T>(
  file: string,
  readOnly: boolean,
  use: (database: DatabaseSync) => T | Promise<T>,
): Promise<T> => {
  const database = new DatabaseSync(file, { readOnly, timeout: LOCK_DEADLINE_MS });
  try {
    return await use(database);
  } finally {
    database.close();
  }
};

/** The number of flows in a copy. Throws when the copy is damaged, as it is when the database is. */
const countFlows = (database: DatabaseSync): number => {
  checkIntegrity(database);
  return Number(database.prepare("SELECT count(*) AS flows FROM flows").get()?.["flows"]);
};

/** What `work` gives; what it throws is `code`. */
const attempt = async <T>(code: BackupFault["code"], work: () => T | Promise<T>): Promise<Result<T, BackupFault>> => {
  try {
    return ok(await work());
  } catch (error) {
    return err({ code, error });
  }
};

/** Fills `part`, an empty file, with the database at `source`. */
const copy = async (source: string, part: string): Promise<Result<number, BackupFault>> => {
  const copied = await attempt("unusable", () =>
    withDatabase(source, true, (database) => backup(database, part, { rate: ALL_PAGES })),
  );
  return copied.isErr() ? err(copied.error) : attempt("unusable", () => withDatabase(part, false, countFlows));
};

/** A link, because a rename would replace what came to the name meanwhile. */
const publish = (part: string, target: string): void => {
  flush(part);
  linkSync(part, target);
  rmSync(part);
  flush(dirname(target));
};

/** The database's own path, if it is there and this store's. Changes nothing. */
const findSource = (file: string): Result<string, BackupFault> => {
  try {
    const place = placeOf(file);
    return isThere(place)
      ? checkHeader(place)
          .map(() => place)
          .mapErr((code) => ({ code }))
      : err({ code: "missing" });
  } catch (error) {
    return err({ code: isNowhere(error) ? "missing" : "unusable", error });
  }
};

//= STORE-8
/** Copies the database at `file` to `target`, both absolute paths, and says how many flows the copy has. */
export const backUp = async (file: string, target: string): Promise<Result<number, BackupFault>> => {
  const source = findSource(file);
  if (source.isErr()) return err(source.error);
  const part = join(dirname(target), `.backup-${randomBytes(6).toString("hex")}`);
  const begun = await attempt("unwritable", () => isThere(target) || closeSync(openSync(part, "wx", 0o600)));
  if (begun.isErr()) return err(begun.error);
  if (begun.value === true) return err({ code: "exists" });
  const copied = await copy(source.value, part);
  const published = copied.isErr()
    ? copied
    : (await attempt("unwritable", () => publish(part, target))).map(() => copied.value);
  // what cannot be removed any more is not the fault to report
  await attempt("unwritable", () => removeDatabase(part));
  return published;
};
