// The file of claims, results and bindings: an SQLite file of the plugin's own, opened with the first request that needs it. What
// is claimed is on the disk before the host is asked.

import { type BigIntStats, mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { err, ok, type Result } from "neverthrow";
import {
  AHEAD_MS,
  type Binding,
  type ClaimRecord,
  type Delivery,
  type Kept,
  MAX_RECORDS,
  type Plan,
  printable,
  readPlan,
  RECORD_MS,
  type Settlement,
} from "../../core/index.ts";
import { isBusy, isFull, sqliteCode } from "../flows/sqlite/engine.ts";
import { createPrivately } from "../flows/sqlite/header.ts";
import { checkSmall, numberOf } from "../flows/sqlite/schema.ts";
import { Turns } from "../flows/sqlite/turns.ts";
import { nextStamp, STAMPS_AHEAD_MS } from "./in-flight.ts";

/** What the records know a request by. Nothing of another route or owner is ever found. */
export type ClaimName = Pick<Delivery, "routeId" | "once" | "bind"> & { readonly owner: string };

/** Nothing was written. `advice`: a sentence for the operator. */
export type ClaimsFault = { readonly advice: string };

/** "ocwc" in the file's header. */
const APPLICATION_ID = 0x6f637763;
const VERSION = 1;

/** `stamp`: a time in milliseconds that no other claim has, 0 of a record that was no claim; `plan`: JSON, while it is open. */
const TABLES = `
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
PRAGMA application_id = ${String(APPLICATION_ID)};
PRAGMA user_version = ${String(VERSION)};
`;

//= ONCE-6
/** What is committed is on the disk, also after a power cut. */
const SETTINGS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;";

/** Milliseconds for which another process's lock is waited for; the whole Gateway waits meanwhile. */
const LOCK_MS = 100;

/** Milliseconds after which a file that could not be opened is tried again. */
const RETRY_MS = 1000;

//= BIND-2
/** Bindings that one route keeps; the oldest gives way. */
const MAX_BOUND = 100_000;

/** Characters of a sentence for the operator. */
const MAX_ADVICE = 500;

const NAMED = "route_id = ?1 AND owner = ?2 AND key = ?3";

const STATEMENTS = {
  record: `SELECT * FROM records WHERE ${NAMED}`,
  binding: `SELECT * FROM bindings WHERE ${NAMED}`,
  lastStamp: `SELECT max(stamp) AS stamp FROM (SELECT stamp FROM records WHERE stamp BETWEEN ?1 AND ?2
    UNION ALL SELECT stamp FROM bindings WHERE stamp BETWEEN ?1 AND ?2)`,
  claim: `INSERT OR REPLACE INTO records (route_id, owner, key, fingerprint, at, stamp, plan)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
  intend: "INSERT OR REPLACE INTO bindings (route_id, owner, key, stamp, plan) VALUES (?1, ?2, ?3, ?4, ?5)",
  keep: `INSERT INTO records (route_id, owner, key, fingerprint, at, stamp, outcome) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
    ON CONFLICT (route_id, owner, key) DO UPDATE SET outcome = excluded.outcome, plan = NULL,
    at = iif(outcome IS NULL, at, excluded.at), fingerprint = excluded.fingerprint
    WHERE outcome IS NULL OR at <= ?7`,
  forget: `DELETE FROM records WHERE ${NAMED} AND outcome IS NULL`,
  bind: `UPDATE bindings SET flow_id = ?5 WHERE ${NAMED} AND stamp = ?4`,
  unbind: `DELETE FROM bindings WHERE ${NAMED} AND stamp = ?4`,
  countOpen: `SELECT count(*) AS open FROM records
    WHERE route_id = ?1 AND outcome IS NULL AND at > ?2 AND at <= ?3`,
  dropExpired: "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE at <= ? ORDER BY at LIMIT 4)",
  dropAhead: `DELETE FROM records WHERE rowid IN
    (SELECT rowid FROM records WHERE route_id = ?1 AND outcome IS NOT NULL AND at > ?2 ORDER BY at DESC
    LIMIT max(0, (SELECT count(*) FROM records WHERE route_id = ?1) - ${String(MAX_RECORDS)}))`,
  dropOldest: `DELETE FROM records WHERE route_id = ?1 AND outcome IS NOT NULL AND at <
    (SELECT at FROM records WHERE route_id = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1 OFFSET ${String(MAX_RECORDS - 1)})`,
  dropBindingsAhead: `DELETE FROM bindings WHERE rowid IN
    (SELECT rowid FROM bindings WHERE route_id = ?1 AND stamp > ?2 ORDER BY stamp DESC
    LIMIT max(0, (SELECT count(*) FROM bindings WHERE route_id = ?1) - ${String(MAX_BOUND)}))`,
  dropBindings: `DELETE FROM bindings WHERE route_id = ?1 AND stamp <
    (SELECT stamp FROM bindings WHERE route_id = ?1 ORDER BY stamp DESC LIMIT 1 OFFSET ${String(MAX_BOUND - 1)})`,
} as const;

type Row = Readonly<Record<string, SQLOutputValue>>;

class Damaged extends Error {}

/** The file is sound, and cannot be used for another reason. */
class Unusable extends Error {}

const text = (row: Row, name: string): string => {
  const value = row[name];
  if (typeof value !== "string") throw new Damaged(`column ${name} does not hold text`);
  return value;
};

const optional = (row: Row, name: string): string | undefined => (row[name] === null ? undefined : text(row, name));

const planIn = (row: Row): Plan => {
  const plan = readPlan(text(row, "plan"));
  if (plan === undefined) throw new Damaged("column plan does not hold a plan");
  return plan;
};

const recordOf = (row: Row): ClaimRecord => ({
  fingerprint: text(row, "fingerprint"),
  at: Number(row["at"]),
  stamp: Number(row["stamp"]),
  plan: row["plan"] === null ? undefined : planIn(row),
  outcome: optional(row, "outcome"),
});

const bindingOf = (row: Row): Binding => ({
  stamp: Number(row["stamp"]),
  plan: planIn(row),
  flowId: optional(row, "flow_id"),
});

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
const checkHeader = (database: DatabaseSync): void => {
  const [application, version] = [numberOf(database, "application_id"), numberOf(database, "user_version")];
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (application === 0 && version === 0 && isEmpty) {
    database.exec("BEGIN IMMEDIATE");
    if (numberOf(database, "application_id") === 0) database.exec(TABLES);
    database.exec("COMMIT");
    return;
  }
  if (application !== APPLICATION_ID) throw new Unusable(`is another program's. ${MOVE}`);
  if (version > VERSION) {
    throw new Unusable("was written by a newer version of this plugin. Install that version again, or move it away");
  }
};

type Open = {
  readonly database: DatabaseSync;
  readonly place: BigIntStats;
  readonly run: Readonly<Record<keyof typeof STATEMENTS, ReturnType<DatabaseSync["prepare"]>>>;
};

const prepareAll = (database: DatabaseSync): Open["run"] => {
  const prepare = (name: keyof typeof STATEMENTS) => database.prepare(STATEMENTS[name]);
  return {
    record: prepare("record"),
    binding: prepare("binding"),
    lastStamp: prepare("lastStamp"),
    claim: prepare("claim"),
    intend: prepare("intend"),
    keep: prepare("keep"),
    forget: prepare("forget"),
    bind: prepare("bind"),
    unbind: prepare("unbind"),
    countOpen: prepare("countOpen"),
    dropExpired: prepare("dropExpired"),
    dropAhead: prepare("dropAhead"),
    dropOldest: prepare("dropOldest"),
    dropBindingsAhead: prepare("dropBindingsAhead"),
    dropBindings: prepare("dropBindings"),
  };
};

/** Throws when the file has damage that SQLite finds. */
const checkWhole = (database: DatabaseSync): void => {
  try {
    checkSmall(database);
  } catch (error) {
    throw sqliteCode(error) === 0 ? new Damaged() : error;
  }
};

const openAt = (file: string): Open => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  createPrivately(file);
  const database = new DatabaseSync(file, { timeout: LOCK_MS });
  try {
    checkWhole(database);
    database.exec(SETTINGS);
    checkHeader(database);
    return { database, place: statSync(file, { bigint: true }), run: prepareAll(database) };
  } catch (error) {
    database.close();
    throw error;
  }
};

const isThere = (file: string, { place }: Open): boolean => {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found?.ino === place.ino && found.dev === place.dev;
};

export type ClaimsFileOptions = {
  /** Where the file is; its folder is made. May throw. */
  readonly file: () => string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
};

export class ClaimsFile {
  readonly #find: () => string;
  #found: string | undefined;
  readonly now: () => number;
  #open: Open | undefined;
  #failed: { readonly at: number; readonly fault: ClaimsFault } | undefined;
  #turns = new Turns();

  constructor({ file, now = Date.now }: ClaimsFileOptions) {
    this.#find = file;
    this.now = now;
  }

  /** Found once, because a host may have to look for it. */
  #file(): string {
    return (this.#found ??= this.#find());
  }

  /** Tells the files of one process apart. */
  get id(): string {
    try {
      return this.#file();
    } catch {
      return "";
    }
  }

  /** What the records hold of a request. */
  look(name: ClaimName): Result<Kept, ClaimsFault> {
    return this.#transact("BEGIN", ({ run }) => {
      const { routeId, owner, once, bind } = name;
      const record = once === undefined ? undefined : run.record.get(routeId, owner, once.key);
      const binding = bind === undefined ? undefined : run.binding.get(routeId, owner, bind);
      return {
        record: record === undefined ? undefined : recordOf(record),
        binding: binding === undefined ? undefined : bindingOf(binding),
      };
    });
  }

  //= ONCE-6
  /** Writes the claim in place of what is there; answers with its stamp. `binds`: whether it also claims the text. */
  claim({ routeId, owner, once, bind }: ClaimName, plan: Plan, binds: boolean): Result<number, ClaimsFault> {
    const claimed = this.#transact("BEGIN IMMEDIATE", ({ run }) => {
      const now = this.now();
      this.#trim(routeId, now);
      // not thrown, because what was dropped stays dropped
      const full = this.#whyFull(routeId, now);
      if (full !== undefined) return full;
      const last = run.lastStamp.get(now, now + STAMPS_AHEAD_MS)?.["stamp"];
      const stamp = nextStamp(now, typeof last === "number" ? last + 1 : 0);
      const planned = JSON.stringify(plan);
      if (once !== undefined) run.claim.run(routeId, owner, once.key, once.fingerprint, now, stamp, planned);
      if (binds && bind !== undefined) run.intend.run(routeId, owner, bind, stamp, planned);
      return stamp;
    });
    return claimed.andThen((stamp) => (stamp instanceof Unusable ? err(this.#fault(stamp, false)) : ok(stamp)));
  }

  //= ONCE-6
  /** Answers with the outcome that the record had already: then it keeps that one. */
  settle(name: ClaimName, { record, binding }: Settlement): Result<string | undefined, ClaimsFault> {
    return this.#transact("BEGIN IMMEDIATE", ({ run }) => {
      const { routeId, owner, once, bind } = name;
      if (bind !== undefined && binding !== undefined) {
        const { stamp, flowId } = binding;
        if (flowId === undefined) run.unbind.run(routeId, owner, bind, stamp);
        else run.bind.run(routeId, owner, bind, stamp, flowId);
      }
      if (once === undefined || record === undefined) return undefined;
      if (record === "forget") {
        run.forget.run(routeId, owner, once.key);
        return undefined;
      }
      const now = this.now();
      const { changes } = run.keep.run(
        routeId,
        owner,
        once.key,
        once.fingerprint,
        now,
        record.outcome,
        now - RECORD_MS,
      );
      const row = changes === 0 ? run.record.get(routeId, owner, once.key) : undefined;
      this.#trim(routeId, now);
      return row === undefined ? undefined : optional(row, "outcome");
    });
  }

  /** Lets the file go; the next request opens it again. */
  close(): void {
    const open = this.#open;
    this.#open = undefined;
    this.#turns = new Turns();
    try {
      if (open?.database.isOpen === true) open.database.close();
    } catch {
      // what was answered is in the file
    }
  }

  //= ONCE-5
  #trim(routeId: string, now: number): void {
    const { run } = this.#opened();
    run.dropExpired.run(now - RECORD_MS);
    if (!this.#turns.take(routeId)) return;
    const ahead = now + AHEAD_MS;
    run.dropAhead.run(routeId, ahead);
    run.dropOldest.run(routeId, ahead);
    run.dropBindingsAhead.run(routeId, ahead);
    run.dropBindings.run(routeId);
  }

  /** Why a route can claim nothing more. A claim of another day, by the clock of now, does not count. */
  #whyFull(routeId: string, now: number): Unusable | undefined {
    const open = Number(this.#opened().run.countOpen.get(routeId, now - RECORD_MS, now + AHEAD_MS)?.["open"]);
    return open < MAX_RECORDS
      ? undefined
      : new Unusable(`holds ${String(open)} requests of route ${routeId} that are not known to be over. Wait a day`);
  }

  #opened(): Open {
    this.#open ??= openAt(this.#file());
    return this.#open;
  }

  //= ONCE-7
  /** One transaction, on the disk when it answers. What it throws undoes it, and is the operator's to read. */
  #transact<T>(begin: string, work: (open: Open) => T): Result<T, ClaimsFault> {
    if (this.#failed !== undefined && performance.now() - this.#failed.at < RETRY_MS) return err(this.#failed.fault);
    this.#failed = undefined;
    const isNew = this.#open === undefined;
    try {
      const open = this.#opened();
      if (!isThere(this.#file(), open)) {
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

  #fault(error: unknown, isUnopened: boolean): ClaimsFault {
    this.#rollback();
    if (isDamage(error)) this.close();
    const fault = { advice: printable(`${this.id || "the Gateway's state folder"} ${reasonOf(error)}`, MAX_ADVICE) };
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
