// Whether a database's path still leads to the files that are open. What is written to others is lost at the next start.

import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";

/** Milliseconds after which a transaction looks at the files even if it does not write. */
const LOOK_MS = 1000;

/** The first bytes of every log, less the last bit, which says how its checksums are made. */
const LOG_MARK = 0x377f0682;

const ADVICE = "Every command is refused until the server is started again";

const GONE = "Restore a backup before the next start, because a start without the file begins with no flows";
const OTHER = "Put the right file or a backup there before the next start, which takes what is there";

/** Why the files are not those that were opened. `isCut`: a part of them is gone. */
class Lost extends Error {
  readonly isCut: boolean;

  constructor(file: string, what: string, advice?: string, isCut = false) {
    super([`${file} ${what}`, advice, ADVICE].filter((sentence) => sentence !== undefined).join(". "));
    this.isCut = isCut;
  }
}

/** One path, and what it led to when it was opened. */
class Watched {
  readonly #path: string;
  readonly #look: (path: string) => BigIntStats;
  #seen: BigIntStats;

  constructor(path: string, look: (path: string) => BigIntStats) {
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

  /** `mayShrink`: a log is emptied, a database file only grows. Throws when the path does not lead to the same, whole file. */
  check(mayShrink: boolean): void {
    const [was, is] = [this.#seen, this.#look(this.#path)];
    if (is.dev !== was.dev || is.ino !== was.ino)
      throw new Lost(this.#path, "is another file than the one that is open", OTHER);
    if (!mayShrink && is.size < was.size) throw new Lost(this.#path, "was cut short", OTHER, true);
    if (is.mode !== was.mode || is.uid !== was.uid || is.gid !== was.gid) {
      accessSync(this.#path, constants.R_OK | constants.W_OK);
    }
    this.#seen = is;
  }
}

const itself = (path: string): BigIntStats => lstatSync(path, { bigint: true });
const target = (path: string): BigIntStats => statSync(path, { bigint: true });

/** What is wrong, and what to do before the next start. */
const reasonOf = (error: unknown): readonly [what: string, advice?: string] => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ENOTDIR") return ["was removed, or its folder was renamed", GONE];
  return [code === "EACCES" ? "may no longer be read and written" : `cannot be looked at (${code || String(error)})`];
};

/** The open files of a database: itself, its log, and the index that its processes share. */
export interface OpenFiles {
  /** Why the files are lost, if they are; looks only if the last look is a second old. */
  recent(): Error | undefined;
  /** Looks now. Once lost, files stay lost. */
  look(): Error | undefined;
  /**
   * Whether a lost log may still be moved into its database: not if a part is gone, nor if another process may have begun
   * a new log beside the same database.
   */
  mayRescue(): boolean;
  /** Resolves with the reason as soon as a look finds the files lost. */
  readonly lost: Promise<Error>;
  close(): void;
}

/** For a database in memory. */
export const NO_FILES: OpenFiles = {
  recent: () => undefined,
  look: () => undefined,
  mayRescue: () => false,
  lost: new Promise(() => undefined),
  close: () => undefined,
};

//= STORE-6
/** Watches the files of the database at `file`, an absolute path. They must be open; throws when one is missing. */
export const watchFiles = (file: string): OpenFiles => {
  const real = realpathSync(file);
  const isLink = lstatSync(file).isSymbolicLink();
  const files = [new Watched(file, itself), ...(isLink ? [new Watched(file, target)] : [])];
  const log = new Watched(`${real}-wal`, itself);
  const beside = [log, new Watched(`${real}-shm`, itself)];
  const descriptor = openSync(`${real}-wal`, "r");
  const mark = Buffer.alloc(4);
  const { promise: lost, resolve } = Promise.withResolvers<Error>();
  let reason: Lost | undefined;
  let lookedAt = performance.now();
  let isOpen = true;

  /** Zeros stand where a log began that was cut and then written on. */
  const checkLog = (): void => {
    const hasMark = readSync(descriptor, mark, 0, 4, 0) === 4;
    if (hasMark && (mark.readUInt32BE(0) & ~1) >>> 0 !== LOG_MARK)
      throw new Lost(`${real}-wal`, "was cut short", OTHER, true);
  };
  const found = (): Lost | undefined => {
    try {
      for (const one of files) one.check(false);
      for (const one of beside) one.check(true);
      checkLog();
      return undefined;
    } catch (error) {
      return error instanceof Lost ? error : new Lost(file, ...reasonOf(error));
    }
  };
  const look = (): Lost | undefined => {
    if (reason !== undefined || !isOpen) return reason;
    lookedAt = performance.now();
    reason = found();
    if (reason !== undefined) resolve(reason);
    return reason;
  };
  return {
    recent: () => (performance.now() - lookedAt < LOOK_MS ? reason : look()),
    look,
    mayRescue: () =>
      reason?.isCut === false && (files.some((one) => one.leadsTo() !== "it") || log.leadsTo() !== "another"),
    lost,
    close: () => {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
};
