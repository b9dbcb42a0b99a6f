// Whether a database's path still leads to the files that are open. What is written to others is lost at the next start.

import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { type LogIndex, mayHaveMoved, readLogIndex } from "./log-index.ts";

/** Milliseconds after which a transaction looks at the files even if it does not write. */
const LOOK_MS = 1000;

/** The first bytes of every log, less the last bit, which says how its checksums are made. */
const LOG_MARK = 0x377f0682;

const ADVICE = "Every command is refused until the server is started again";

const GONE = "Restore a backup before the next start, because a start without the file begins with no flows";
const OTHER = "Put the right file or a backup there before the next start, which takes what is there";

const itself = (path: string): BigIntStats => lstatSync(path, { bigint: true });
const target = (path: string): BigIntStats => statSync(path, { bigint: true });

/** Why the files are not those that were opened. `staysApart`: moving the log into the database file may ruin one of them. */
class Lost extends Error {
  readonly staysApart: boolean;

  constructor(file: string, what: string, advice?: string, staysApart = false) {
    super([`${file} ${what}`, advice, ADVICE].filter((sentence) => sentence !== undefined).join(". "));
    this.staysApart = staysApart;
  }
}

/** One path, and what it led to when it was last looked at. */
class Watched {
  readonly #path: string;
  readonly #look: (path: string) => BigIntStats;
  #seen: BigIntStats;

  constructor(path: string, look: (path: string) => BigIntStats = itself) {
    this.#path = path;
    this.#look = look;
    this.#seen = look(path);
  }

  leadsTo(): "it" | "another" | "nothing" {
    try {
      const is = this.#look(this.#path);
      return is.dev === this.#seen.dev && is.ino === this.#seen.ino ? "it" : "another";
    } catch {
      return "nothing";
    }
  }

  /** What it was at the last look, and is now. Throws when the path does not lead to it, or it may not be used any more. */
  check(): readonly [was: BigIntStats, is: BigIntStats] {
    const [was, is] = [this.#seen, this.#look(this.#path)];
    if (is.dev !== was.dev || is.ino !== was.ino)
      throw new Lost(this.#path, "is another file than the one that is open", OTHER);
    if (is.mode !== was.mode || is.uid !== was.uid || is.gid !== was.gid) {
      accessSync(this.#path, constants.R_OK | constants.W_OK);
    }
    this.#seen = is;
    return [was, is];
  }
}

/** What is wrong, and what to do before the next start. */
const reasonOf = (error: unknown): readonly [what: string, advice?: string] => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") return ["was removed, or its folder was renamed", GONE];
  return [code === "EACCES" ? "may no longer be read and written" : `cannot be looked at (${code || String(error)})`];
};

/** The open files of a database: itself, its log, and the index that its processes share. */
export interface OpenFiles {
  /** Whether SQLite can use the index, and, if the last look is a second old, a look. */
  recent(): Error | undefined;
  /** Looks now. Once lost, files stay lost. */
  look(): Error | undefined;
  /** Says that the log cannot be moved into its database. */
  lose(error: unknown): void;
  /**
   * Whether a lost log may still be moved into its database: not if a part is gone or foreign, nor if another process may
   * have begun a new log beside the same database.
   */
  mayRescue(): boolean;
  /** Resolves with the reason as soon as a look finds the files lost. */
  readonly lost: Promise<Error>;
  /** Only after the database is closed, because closing a file of the process lets go of SQLite's locks on it. */
  close(): void;
}

/** For a database in memory. */
export const NO_FILES: OpenFiles = {
  recent: () => undefined,
  look: () => undefined,
  lose: () => undefined,
  mayRescue: () => false,
  lost: new Promise(() => undefined),
  close: () => undefined,
};

//= STORE-6
/** Watches the files of the database at `file`, an absolute path. They must be open; throws when one is missing. */
export const watchFiles = (file: string): OpenFiles => {
  const real = realpathSync(file);
  const log = openSync(`${real}-wal`, "r");
  const index = openSync(`${real}-shm`, "r+");
  const indexBytes = fstatSync(index).size;
  let earlier = readLogIndex(index);
  const atFile = lstatSync(file).isSymbolicLink() ? [new Watched(file), new Watched(file, target)] : [];
  const [atReal, atLog, atIndex] = [new Watched(real), new Watched(`${real}-wal`), new Watched(`${real}-shm`)];
  const mark = Buffer.alloc(4);
  const { promise: lost, resolve } = Promise.withResolvers<Error>();
  let reason: Lost | undefined;
  let lookedAt = performance.now();
  let isOpen = true;

  //= SERVE-7
  /** The index is mapped into memory: touching a part of it that was cut off would end the process. */
  const checkIndex = (): void => {
    if (fstatSync(index).size >= indexBytes) return;
    ftruncateSync(index, indexBytes);
    throw new Lost(`${real}-shm`, "was cut short", undefined, true);
  };
  const checkDatabase = (now: () => LogIndex | undefined): void => {
    const [was, is] = atReal.check();
    if (is.nlink !== 1n) throw new Lost(real, "has more than one name (hard links)", undefined, true);
    if (is.size < was.size) throw new Lost(real, "was cut short", OTHER, true);
    if ((is.mtimeNs !== was.mtimeNs || is.size !== was.size) && !mayHaveMoved(earlier, now()))
      throw new Lost(real, "was written by another program", OTHER, true);
  };
  /** Zeros stand where a log began that was cut and then written on. */
  const checkLog = (before: LogIndex | undefined): void => {
    const [, is] = atLog.check();
    const isShort = before !== undefined && is.size < before.logBytes && readLogIndex(index)?.log === before.log;
    const hasMark = readSync(log, mark, 0, 4, 0) === 4;
    if (isShort || (hasMark && (mark.readUInt32BE(0) & ~1) >>> 0 !== LOG_MARK))
      throw new Lost(`${real}-wal`, "was cut short", OTHER, true);
  };
  const check = (): void => {
    for (const one of atFile) one.check();
    atIndex.check();
    checkIndex();
    const before = readLogIndex(index);
    checkDatabase(() => readLogIndex(index));
    checkLog(before);
    earlier = before;
  };
  const found = (work: () => void): Lost | undefined => {
    if (reason !== undefined || !isOpen) return reason;
    try {
      work();
    } catch (error) {
      reason = error instanceof Lost ? error : new Lost(file, ...reasonOf(error));
      resolve(reason);
    }
    return reason;
  };
  const look = (): Lost | undefined => {
    lookedAt = performance.now();
    return found(check);
  };
  return {
    recent: () => (performance.now() - lookedAt < LOOK_MS ? found(checkIndex) : look()),
    look,
    lose: (error) => {
      found(() => {
        throw new Lost(
          real,
          `cannot take what its log holds (${error instanceof Error ? error.message : ""})`,
          undefined,
          true,
        );
      });
    },
    mayRescue: () =>
      reason?.staysApart === false &&
      ([...atFile, atReal].some((one) => one.leadsTo() !== "it") || atLog.leadsTo() !== "another"),
    lost,
    close: () => {
      if (isOpen) for (const descriptor of [log, index]) closeSync(descriptor);
      isOpen = false;
    },
  };
};
