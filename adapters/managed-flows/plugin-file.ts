// The plugin's own file: an SQLite file for what the Gateway does not keep, opened with the first need. Classes of tables share it,
// and a transaction where they want. What a transaction has answered is on the disk.

import { type BigIntStats, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { err, ok, type Result } from "neverthrow";
import { printable } from "../../core/index.ts";
import { isBusy, isFull, sqliteCode } from "../flows/sqlite/codes.ts";
import { createPrivately } from "../flows/sqlite/header.ts";
import { checkSmall, numberOf } from "../flows/sqlite/schema.ts";
import { MIGRATIONS } from "./plugin-tables.ts";

/** Nothing was written. `advice`: a sentence for the operator. */
export type FileFault = { readonly advice: string };

/** "ocwc" in the file's header. */
const APPLICATION_ID = 0x6f637763;

/** The version of the tables that this code writes. */
export const FILE_VERSION = MIGRATIONS.length;

//= ONCE-6
/** What is committed is on the disk, also after a power cut. */
const SETTINGS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;";

/** Milliseconds for which another process's lock is waited for; the whole Gateway waits meanwhile. */
const LOCK_MS = 100;

/** Milliseconds after which a file that could not be opened is tried again. */
const RETRY_MS = 1000;

/** Characters of a sentence for the operator. */
const MAX_ADVICE = 500;

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** What the file holds is not what this plugin has written. */
export class Damaged extends Error {}

/** The file is sound, and cannot be used for another reason. */
class Unusable extends Error {}

/** The text in a column; throws when it is not one. */
export const textIn = (row: Row, name: string): string => {
  const value = row[name];
  if (typeof value !== "string") throw new Damaged(`column ${name} does not hold text`);
  return value;
};

/** The same of a column that may be empty. */
export const optionalText = (row: Row, name: string): string | undefined =>
  row[name] === null ? undefined : textIn(row, name);

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : error instanceof Error ? error.name : "";

const DENIED: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);
/** SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN, and the same for damage: SQLITE_CORRUPT, SQLITE_NOTADB. */
const DENIED_CODES: ReadonlySet<number> = new Set([3, 8, 14]);
const DAMAGED_CODES: ReadonlySet<number> = new Set([11, 26]);

const MOVE = "Stop the Gateway, then put a backup in its place or move it and the files beside it away";

/** What is wrong with the file, and what to do. */
const reasonOf = (error: unknown): string => {
  if (error instanceof Unusable) return error.message;
  if (error instanceof Damaged || DAMAGED_CODES.has(sqliteCode(error))) return `is damaged. ${MOVE}`;
  if (isFull(error) || codeOf(error) === "ENOSPC" || codeOf(error) === "EDQUOT") {
    return "cannot grow, because its disk is full. Make room";
  }
  if (isBusy(error)) return "is locked by another process. End that one";
  if (DENIED.has(codeOf(error)) || DENIED_CODES.has(sqliteCode(error))) {
    return "may not be read and written. Give it and its folder to the user that runs the Gateway";
  }
  return `cannot be used (${codeOf(error)}). Look at the file and its folder`;
};

const isDamage = (error: unknown): boolean => error instanceof Damaged || DAMAGED_CODES.has(sqliteCode(error));

//= ONCE-7
/** Refuses what is another program's or a newer version's, and brings the tables of an older one to the present version. */
const checkHeader = (database: DatabaseSync): void => {
  const [application, version] = [numberOf(database, "application_id"), numberOf(database, "user_version") >>> 0];
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  const isNew = application === 0 && version === 0 && isEmpty;
  if (!isNew && application !== APPLICATION_ID) throw new Unusable(`is another program's. ${MOVE}`);
  if (version > FILE_VERSION) {
    throw new Unusable("was written by a newer version of this plugin. Install that version again, or move it away");
  }
  if (version < FILE_VERSION) migrate(database);
};

/** Two processes may open it at once, so the version is read again under the lock. */
const migrate = (database: DatabaseSync): void => {
  database.exec("BEGIN IMMEDIATE");
  const steps = MIGRATIONS.slice(numberOf(database, "user_version"));
  const marks = `PRAGMA application_id = ${String(APPLICATION_ID)}; PRAGMA user_version = ${String(FILE_VERSION)};`;
  if (steps.length > 0) for (const step of [...steps, marks]) database.exec(step);
  database.exec("COMMIT");
};

/** Throws when the file has damage that SQLite finds. */
const checkWhole = (database: DatabaseSync): void => {
  try {
    checkSmall(database);
  } catch (error) {
    throw sqliteCode(error) === 0 ? new Damaged() : error;
  }
};

/** The open file, for the length of a transaction. Another one after each opening. */
export class OpenFile {
  readonly database: DatabaseSync;
  readonly #place: BigIntStats;
  readonly #statements = new Map<string, StatementSync>();

  constructor(file: string) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    createPrivately(file);
    this.database = new DatabaseSync(file, { timeout: LOCK_MS });
    try {
      checkWhole(this.database);
      this.database.exec(SETTINGS);
      checkHeader(this.database);
      this.#place = statSync(file, { bigint: true });
    } catch (error) {
      this.database.close();
      throw error;
    }
  }

  /** The statement, prepared once. */
  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  /** Whether the path still leads to this file. */
  isAt(file: string): boolean {
    const found = statSync(file, { bigint: true, throwIfNoEntry: false });
    return found?.ino === this.#place.ino && found.dev === this.#place.dev;
  }
}

/** What a transaction uses. */
export type Transaction = Pick<OpenFile, "prepare">;

export type PluginFileOptions = {
  /** Where the file is; its folder is made. May throw. */
  readonly file: () => string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
};

export class PluginFile {
  readonly #find: () => string;
  #found: string | undefined;
  readonly now: () => number;
  #open: OpenFile | undefined;
  #failed: { readonly at: number; readonly fault: FileFault } | undefined;

  constructor({ file, now = Date.now }: PluginFileOptions) {
    this.#find = file;
    this.now = now;
  }

  /** Found once, because a host may have to look for it. */
  #path(): string {
    return (this.#found ??= this.#find());
  }

  /** Tells the files of one process apart. */
  get id(): string {
    try {
      return this.#path();
    } catch {
      return "";
    }
  }

  /** Whether the file is open or there. Makes none. */
  exists(): boolean {
    try {
      return this.#open !== undefined || statSync(this.#path(), { throwIfNoEntry: false }) !== undefined;
    } catch {
      return false;
    }
  }

  //= ONCE-7
  /**
   * One transaction, on the disk when it answers. What `work` throws undoes it, and is the operator's to read. A file that
   * could not be opened is tried again after a second. Not to be nested.
   */
  transact<T>(begin: "BEGIN" | "BEGIN IMMEDIATE", work: (transaction: Transaction) => T): Result<T, FileFault> {
    if (this.#failed !== undefined && performance.now() - this.#failed.at < RETRY_MS) return err(this.#failed.fault);
    this.#failed = undefined;
    const isNew = this.#open === undefined;
    try {
      const open = (this.#open ??= new OpenFile(this.#path()));
      if (!open.isAt(this.#path())) {
        this.close();
        throw new Unusable("was removed or replaced. Repeats of earlier requests are not known any more");
      }
      open.database.exec(begin);
      const done = work(open);
      open.database.exec("COMMIT");
      return ok(done);
    } catch (error) {
      return err(this.#fault(error, isNew && this.#open === undefined));
    }
  }

  /** The fault of a file that is sound. `reason`: what it does or is, and what to do. */
  fault(reason: string): FileFault {
    return { advice: printable(`${this.id || "the Gateway's state folder"} ${reason}`, MAX_ADVICE) };
  }

  /** Lets the file go; the next need opens it again. */
  close(): void {
    const open = this.#open;
    this.#open = undefined;
    try {
      if (open?.database.isOpen === true) open.database.close();
    } catch {
      // what was answered is in the file
    }
  }

  #fault(error: unknown, isUnopened: boolean): FileFault {
    this.#rollback();
    if (isDamage(error)) this.close();
    const fault = this.fault(reasonOf(error));
    if (isUnopened || isDamage(error)) this.#failed = { at: performance.now(), fault };
    return fault;
  }

  #rollback(): void {
    try {
      const database = this.#open?.database;
      if (database?.isOpen === true && database.isTransaction) database.exec("ROLLBACK");
    } catch {
      this.close();
    }
  }
}
