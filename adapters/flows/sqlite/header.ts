// The first look at a database file, by plain reading: SQLite changes a file, its log or its journal when it opens one.

import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Result } from "neverthrow";
import { FRAME_HEAD_BYTES, LOG_HEAD_BYTES } from "./log-index.ts";
import { checkMarks, type ForeignFile, type Marks } from "./schema.ts";

const FORMAT = Buffer.from("SQLite format 3\0");

/** Bytes of page 1 that are looked at: the file's header, and the head of the page's own tree. */
const PAGE_BYTES = 108;
const LEAF = 13;

/** Where SQLite opens or makes a file, and those beside it: symlinks are followed, also one to a file that is not there. */
export const placeOf = (file: string): string => {
  const place = join(realpathSync(dirname(file)), basename(file));
  const isLink = lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() === true;
  if (!isLink) return place;
  // the system refuses a loop
  statSync(place, { throwIfNoEntry: false });
  return placeOf(resolve(dirname(place), readlinkSync(place)));
};

/** Whether there was no file. Only its owner may read a new one; SQLite gives the files beside it the same permissions. */
export const createPrivately = (place: string): boolean => {
  const isNew = !existsSync(place);
  closeSync(openSync(place, "a", 0o600));
  return isNew;
};

/** Removes a database and the files beside it. It goes last, because SQLite would take what is beside a new one for its. */
export const removeDatabase = (place: string): void => {
  for (const end of ["-journal", "-wal", "-shm", ""]) rmSync(place + end, { force: true });
};

const readAt = (descriptor: number, length: number, position: number): Buffer => {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
};

const reading = <T>(file: string, read: (descriptor: number) => T): T => {
  const descriptor = openSync(file, "r");
  try {
    return read(descriptor);
  } finally {
    closeSync(descriptor);
  }
};

/** Page 1 as the last finished transaction in the log left it; undefined if the log does not have it. */
const pageInLog = (descriptor: number): Buffer | undefined => {
  const head = readAt(descriptor, LOG_HEAD_BYTES, 0);
  if (head.length < LOG_HEAD_BYTES) return undefined;
  const [pageSize, salts] = [head.readUInt32BE(8), head.subarray(16, 24)];
  let [seen, finished]: (Buffer | undefined)[] = [];
  for (let at = LOG_HEAD_BYTES; ; at += FRAME_HEAD_BYTES + pageSize) {
    const frame = readAt(descriptor, FRAME_HEAD_BYTES + PAGE_BYTES, at);
    if (frame.length < FRAME_HEAD_BYTES + PAGE_BYTES || !frame.subarray(8, 16).equals(salts)) return finished;
    if (frame.readUInt32BE(0) === 1) seen = frame.subarray(FRAME_HEAD_BYTES);
    if (frame.readUInt32BE(4) !== 0) finished = seen;
  }
};

const marksIn = (page: Buffer): Marks => ({
  application: page.readUInt32BE(68),
  version: page.readUInt32BE(60),
  isEmpty: page[100] === LEAF && page.readUInt16BE(103) === 0,
});

/** Bytes in a file, 0 when there is none. */
const sizeOf = (file: string): number => {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found?.isFile() === false) throw new Error("it is not a regular file");
  return found?.size ?? 0;
};

const EMPTY: Marks = { application: 0, version: 0, isEmpty: true };

/** A log without its database is refused, because SQLite would delete it with all that was answered. */
const readMarks = (place: string): Marks => {
  const log = `${place}-wal`;
  const logSize = sizeOf(log);
  if (sizeOf(place) === 0) {
    if (logSize === 0) return EMPTY;
    throw new Error("its log, the file with -wal, is there without it: put the database back, or remove the log");
  }
  const page = reading(place, (descriptor) => readAt(descriptor, PAGE_BYTES, 0));
  if (page.length < PAGE_BYTES || !page.subarray(0, FORMAT.length).equals(FORMAT)) {
    throw new Error("file is not a database");
  }
  return marksIn((logSize > 0 ? reading(log, pageInLog) : undefined) ?? page);
};

/** SQLite keeps a log for each name of a file, so that two servers on two names would overwrite each other's pages. */
const checkNames = (place: string): void => {
  const names = lstatSync(place, { throwIfNoEntry: false })?.nlink ?? 1;
  if (names > 1) throw new Error(`it has ${String(names)} names (hard links): remove all but one, or copy it`);
};

//= STORE-4
/**
 * Whether the file at a place is this store's, empty, or not there. Reads only, and throws the system's error where it
 * cannot.
 */
export const checkHeader = (place: string): Result<void, ForeignFile> => {
  const marks = readMarks(place);
  checkNames(place);
  return checkMarks(marks);
};

/** Whether there is nothing in the file and its log that anybody has stored. */
export const isUnused = (place: string): boolean => {
  const { application, version, isEmpty } = readMarks(place);
  return application === 0 && version === 0 && isEmpty;
};
