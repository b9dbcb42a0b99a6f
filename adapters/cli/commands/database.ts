// Where `serve` keeps its flows: which file, and what to do when it cannot be opened.

import { mkdirSync, statSync } from "node:fs";
import { resolve as absolute, dirname, isAbsolute, join } from "node:path";
import { err, ok, Result } from "neverthrow";
import { own, printable } from "../../../core/index.ts";
import { type OpenFault, openSqliteFlows, type SqliteFlows } from "../../flows/sqlite/index.ts";
import { type CliFault, fault } from "../fault.ts";
import { homeOf } from "../home.ts";
import type { Env } from "../io.ts";

/** A name that SQLite or another database would not take as the path of a file. */
const NOT_A_PATH = /^\s*(?::memory:|[a-z][a-z\d+.-]+:|$)/iu;

/** The state folder of the XDG convention, which ignores a relative one. */
const stateFolder = (env: Env): string | undefined => {
  const { XDG_STATE_HOME: state = "" } = env;
  const home = homeOf(env);
  return isAbsolute(state) ? state : home && join(home, ".local", "state");
};

//= FILE-3
/** The absolute path of `db`, or of the default file. */
export const databaseFile = (db: string | undefined, env: Env): Result<string, CliFault> => {
  if (db !== undefined && NOT_A_PATH.test(db)) {
    const name = printable(db);
    return err(
      fault(`--db "${name}" is neither the path of a file nor a postgres:// URL. Write ./ before a file's name`),
    );
  }
  const folder = stateFolder(env);
  if (db === undefined && folder === undefined) {
    return err(fault("The current user has no home folder for the database. Choose a file with --db, or set HOME"));
  }
  return ok(absolute(db ?? join(folder ?? "", "openclaw-webhooks", "flows.db")));
};

/** Most characters of a path, which no system has longer, and of a reason, which may have one in it. */
const SENTENCE = 5000;

/** A path or a reason for the terminal. */
export const shown = (text: string): string => printable(text, SENTENCE);

type Words = readonly [reason: string, advice: string];

const OTHER = "choose another file with --db";
const NO_FOLDER = ["is not in a folder", `Correct the path, or ${OTHER}`] as const;
const DENIED = [
  "cannot be written, or no files can be made beside it",
  `Give the current user the file and its folder, or ${OTHER}`,
] as const;
const FULL = ["does not fit on its disk", `Make space there, or ${OTHER}`] as const;

/** SQLite's extended code for an index, the file with -shm, that cannot grow. */
const NO_ROOM_FOR_INDEX = 4874;

/** By the system's error code, or by SQLite's extended or primary result code. */
const CAUSES: ReadonlyMap<unknown, Words> = new Map<unknown, Words>([
  ["ENOENT", ["is in a folder that does not exist", `Create the folder, or ${OTHER}`]],
  ["ENOTDIR", NO_FOLDER],
  ["EEXIST", NO_FOLDER],
  ["EROFS", ["is on a read-only file system", "Choose a file on a writable one with --db"]],
  ["EACCES", DENIED],
  ["EPERM", DENIED],
  [8, DENIED],
  [14, DENIED],
  ["ENOSPC", FULL],
  ["EDQUOT", FULL],
  [13, FULL],
  [NO_ROOM_FOR_INDEX, FULL],
]);

const FAULTS: Readonly<Record<OpenFault["code"], Words>> = {
  newer: ["was written by a newer version of openclaw-webhooks and was not changed", `Run that version, or ${OTHER}`],
  not_ours: ["is not a database of openclaw-webhooks and was not changed", "Choose another file with --db"],
  unusable: ["cannot be opened as a database", `Repair it, restore a backup, or ${OTHER}`],
};

const explain = (file: string, { code, error }: OpenFault): CliFault => {
  const number = own(error, "errcode");
  const cause = typeof number === "number" ? number : own(error, "code");
  const primary = typeof cause === "number" ? cause & 0xff : cause;
  const [reason, advice] = CAUSES.get(cause) ?? CAUSES.get(primary) ?? FAULTS[code];
  const word = typeof cause === "string" ? cause : error instanceof Error ? error.message : "";
  return fault(`${shown(file)} ${reason}${word === "" ? "" : ` (${shown(word)})`}. ${advice}`);
};

const unusable = (error: unknown): OpenFault => ({ code: "unusable", error });

const makeFolder = Result.fromThrowable(
  (folder: string) => mkdirSync(folder, { recursive: true, mode: 0o700 }),
  unusable,
);

/** Only for a file that is there: opening a pipe would wait for a reader. */
const checkKind = Result.fromThrowable((file: string): string | undefined => {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true)
    return `is a folder. Choose a file in it, such as ${shown(join(file, "flows.db"))}`;
  return stats?.isFile() === false ? "is not a regular file. Choose another file with --db" : undefined;
});

/** Whether nothing is in the file yet. */
const isNothing = Result.fromThrowable((file: string) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0);

export type Opened = { readonly flows: SqliteFlows; readonly isNew: boolean };

/** Makes the folder of the default file, never another one. */
export const openDatabase = (file: string, isDefault: boolean): Result<Opened, CliFault> => {
  // what cannot be looked at cannot be opened either, and opening says why
  const hint = checkKind(file).unwrapOr(undefined);
  if (hint !== undefined) return err(fault(`${shown(file)} ${hint}`));
  const folder: Result<unknown, OpenFault> = isDefault ? makeFolder(dirname(file)) : ok();
  const isNew = isNothing(file).unwrapOr(false);
  return folder
    .andThen(() => openSqliteFlows(file))
    .map((flows) => ({ flows, isNew }))
    .mapErr((openFault) => explain(file, openFault));
};
