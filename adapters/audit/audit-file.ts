// A file of JSON lines, one for each request, which is put aside when it is full. It is written synchronously, so that lines
// are with the system when a write returns. A request never fails because of it.

import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { err, ok, type Result } from "neverthrow";
import { AUDIT_FILES, own, type RequestEvent } from "../../core/index.ts";
import { auditJsonLine } from "./audit-line.ts";

export type AuditFileOptions = {
  /** Absolute. */
  readonly file: string;
  /** Size at which the file is put aside. */
  readonly maxBytes: number;
  /** Files that were put aside and are kept, as `<file>.1` (the latest), `<file>.2`, and so on. */
  readonly files: number;
  /** Told of each line that is lost, and of each try to put the file aside that fails; at most once a minute is enough to show. */
  readonly onFault: (sentence: string) => void;
  /** Told once the file can be written again. */
  readonly onSolved: (sentence: string) => void;
};

/** Why the file cannot be used: what is wrong and what to do. */
export type AuditFault = { readonly sentence: string };

class Unusable extends Error {}

/** Never through a symlink at the end of the path; without waiting for the other end of a pipe. Read is the last byte alone. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file that could not be put aside is tried again when it has grown by this share of its size. */
const RETRY_SHARE = 16;

/** Milliseconds between two looks whether the file is still there. */
const LOOK_MS = 1000;

const PRIVATE = 0o600;
const PERMISSIONS = 0o777;
const STICKY = 0o1000;
const BY_ALL = 0o002;

const SENTENCES: ReadonlyMap<unknown, string> = new Map([
  ["ENOENT", "is in a folder that does not exist. Create the folder"],
  ["ENOTDIR", "is not in a folder. Correct the path"],
  ["EISDIR", "is a folder. Give the path of a file in it"],
  ["ELOOP", "is a symlink. Give the path that it leads to"],
  ["ENXIO", "is not a regular file. Give the path of a regular file"],
  ["EROFS", "is on a read-only file system. Choose a writable one"],
  ["EACCES", "may not be written. Give the current user the file and its folder"],
  ["EPERM", "may not be written. Give the current user the file and its folder"],
  ["ENOSPC", "does not fit on its disk. Make space there"],
  ["EDQUOT", "does not fit on its disk. Make space there"],
]);

const sentenceOf = (error: unknown): string => {
  if (error instanceof Unusable) return error.message;
  const code = own(error, "code");
  return SENTENCES.get(code) ?? `cannot be used (${typeof code === "string" ? code : "unknown error"})`;
};

/** What is wrong with the opened file, which another user may have put there. */
const faultOf = ({ uid, nlink, ...stats }: Stats, isFile: boolean): string | undefined => {
  if (!isFile) return "is not a regular file. Give the path of a regular file";
  if (process.geteuid !== undefined && uid !== process.geteuid()) return "belongs to another user. Change its owner";
  if (nlink > 1) return "has more than one hard link. Choose another file";
  return (stats.mode & BY_ALL) === 0 ? undefined : "can be changed by all users. Run chmod o-w on it";
};

/** Others could take the file away, and put one of their own in its place. */
const checkFolder = (file: string): void => {
  const { mode } = statSync(dirname(file));
  if ((mode & BY_ALL) !== 0 && (mode & STICKY) === 0)
    throw new Unusable("is in a folder that all users can change. Run chmod o-w on the folder");
};

/** `isTorn`: a part of a line stands at its end, as a full disk leaves it. */
type Opened = {
  readonly descriptor: number;
  readonly size: number;
  readonly mode: number;
  readonly isTorn: boolean;
};

const LINE_FEED = 0x0a;

const isTornAt = (descriptor: number, size: number): boolean => {
  const last = new Uint8Array(1);
  return size > 0 && readSync(descriptor, last, 0, 1, size - 1) === 1 && last[0] !== LINE_FEED;
};

//= AUDIT-7
/** Throws when the file is not a regular one of the current user alone. */
const openFile = (file: string): Opened => {
  checkFolder(file);
  const descriptor = openSync(file, FLAGS, PRIVATE);
  try {
    const stats = fstatSync(descriptor);
    const fault = faultOf(stats, stats.isFile());
    if (fault !== undefined) throw new Unusable(fault);
    const { size, mode } = stats;
    return { descriptor, size, mode: mode & PERMISSIONS, isTorn: isTornAt(descriptor, size) };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
};

const nameAt = (file: string, place: number): string => `${file}.${String(place)}`;

/** Those that were kept while more were asked for. What cannot be removed, such as a folder, stays. */
const removeBeyond = (file: string, files: number): void => {
  for (let place = files + 1; place <= AUDIT_FILES.most; place += 1)
    try {
      rmSync(nameAt(file, place), { force: true });
    } catch {
      // it is not one of ours
    }
};

/** Moves each old file one place on, up to the first place that is free; where none is, the oldest file is replaced. */
const makeRoom = (file: string, files: number): void => {
  let free = 1;
  while (free < files && existsSync(nameAt(file, free))) free += 1;
  for (let place = free; place > 1; place -= 1) renameSync(nameAt(file, place - 1), nameAt(file, place));
  removeBeyond(file, files);
};

const tornOf = ({ isTorn }: Opened): "" | "\n" => (isTorn ? "\n" : "");

/** How many of the lines fit into so many bytes, the first one always. They are printable ASCII. */
const fitting = (lines: readonly string[], room: number): number => {
  let [count, length] = [0, 0];
  for (const line of lines) {
    length += line.length;
    if (length > room && count > 0) break;
    count += 1;
  }
  return count;
};

/** How many lines end in the text. */
const linesOf = (text: string): number => text.split("\n").length - 1;

export class AuditFile {
  readonly #options: AuditFileOptions;
  #opened: Opened;
  #size: number;
  /** Size beyond which it is put aside. */
  #limit: number;
  #isClosed = false;
  /** What is to be written before the next line: a line feed when a part of a line stands at the end. */
  #torn: "" | "\n";
  /** The time of the event at which the file was last looked at. */
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Lines that are missing at the end of the file, and in all. */
  #missing = 0;
  #lost = 0;

  private constructor(options: AuditFileOptions, opened: Opened) {
    this.#options = options;
    this.#opened = opened;
    this.#size = opened.size;
    this.#torn = tornOf(opened);
    this.#limit = options.maxBytes;
  }

  /** Opens the file, and makes it where there is none, for the current user alone. */
  static open(options: AuditFileOptions): Result<AuditFile, AuditFault> {
    try {
      return ok(new AuditFile(options, openFile(options.file)));
    } catch (error) {
      return err({ sentence: sentenceOf(error) });
    }
  }

  get path(): string {
    return this.#options.file;
  }

  /** Lines that could not be written since the file was opened first. */
  get lost(): number {
    return this.#lost;
  }

  /** Whether the last line could not be written. */
  get isBroken(): boolean {
    return this.#missing > 0;
  }

  //= AUDIT-5, AUDIT-8
  /** Writes a line for each event, in their order. Never throws. */
  readonly write = (events: readonly RequestEvent[]): void => {
    const lines: string[] = [];
    try {
      const time = events[0]?.time ?? Number.NEGATIVE_INFINITY;
      for (const event of events) lines.push(auditJsonLine(event));
      this.#leaveDeleted(time);
      if (this.#missing > 0) this.#noteLoss(time);
      while (lines.length > 0) this.#append(lines);
    } catch (error) {
      this.#missing += lines.length;
      this.#lost += lines.length;
      this.#options.onFault(`${sentenceOf(error)}; requests go on, and their lines are lost`);
    }
  };

  /** Goes on in a new file of the same path, for those who put the file aside themselves. Keeps the old one if that fails. */
  reopen(): void {
    if (this.#isClosed) return;
    try {
      this.#goOnIn(openFile(this.#options.file));
    } catch (error) {
      this.#options.onFault(`${sentenceOf(error)}; lines go to the file that was opened before`);
    }
  }

  /** Lines that come after that are lost, and counted. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#opened.descriptor);
  }

  /** Goes on in a new file where this one was deleted. Looks once in a second of the events' time, and with each line while that fails. */
  #leaveDeleted(time: number): void {
    if (this.#isClosed || Math.abs(time - this.#lookedAt) < LOOK_MS) return;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    if (fstatSync(this.#opened.descriptor).nlink === 0) this.#goOnIn(openFile(this.#options.file));
    this.#lookedAt = time;
  }

  /** A line in place of those that are missing. */
  #noteLoss(time: number): void {
    const lost = this.#missing;
    this.#append([`${JSON.stringify({ time, lost })}\n`]);
    this.#missing = 0;
    this.#options.onSolved(`can be written again; ${String(lost)} lines are missing in it`);
  }

  /** Takes away from `lines` those that are written whole: as many as fit, but at least the first. */
  #append(lines: string[]): void {
    if (this.#isClosed) throw new Unusable("is closed");
    const first = lines[0] ?? "";
    if (this.#size > 0 && this.#size + this.#torn.length + first.length > this.#limit) this.#putAside();
    const torn = this.#torn;
    const count = fitting(lines, this.#limit - this.#size - torn.length);
    let text = torn + lines.slice(0, count).join("");
    try {
      while (text !== "") text = this.#writeSome(text);
    } finally {
      lines.splice(0, Math.max(0, count - linesOf(text)));
    }
  }

  /** Returns what the system has not taken. */
  #writeSome(text: string): string {
    const written = writeSync(this.#opened.descriptor, text);
    this.#size += written;
    if (written > 0) this.#torn = text[written - 1] === "\n" ? "" : "\n";
    return text.slice(written);
  }

  //= AUDIT-7
  /**
   * A descriptor is closed only once there is another, because a free number may become that of another file. What fails is
   * tried again after some more lines.
   */
  #putAside(): void {
    const { file, files, maxBytes } = this.#options;
    try {
      const opened = openFile(`${file}.next`);
      try {
        fchmodSync(opened.descriptor, this.#opened.mode);
        makeRoom(file, files);
        if (existsSync(file)) renameSync(file, `${file}.1`);
        renameSync(`${file}.next`, file);
      } catch (error) {
        closeSync(opened.descriptor);
        throw error;
      }
      this.#goOnIn({ ...opened, mode: this.#opened.mode });
    } catch (error) {
      this.#limit = this.#size + Math.ceil(maxBytes / RETRY_SHARE);
      this.#options.onFault(`${sentenceOf(error)}; it could not be put aside and grows on`);
    }
  }

  #goOnIn(opened: Opened): void {
    closeSync(this.#opened.descriptor);
    this.#opened = opened;
    this.#size = opened.size;
    this.#limit = this.#options.maxBytes;
    this.#torn = tornOf(opened);
  }
}
