// The first look at a database file, by plain reading: SQLite changes a file, its log or its journal when it opens one.

import { closeSync, openSync, readSync, statSync } from "node:fs";
import { ok, type Result } from "neverthrow";
import { checkMarks, type ForeignFile, type Marks } from "./schema.ts";

const FORMAT = Buffer.from("SQLite format 3\0");

/** Bytes of page 1 that are looked at: the file's header, and the head of the page's own tree. */
const PAGE_BYTES = 108;
const LEAF = 13;

/** Sizes in bytes of the log's head and of the head that each of its pages has. */
const LOG_BYTES = 32;
const FRAME_BYTES = 24;

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
  const head = readAt(descriptor, LOG_BYTES, 0);
  if (head.length < LOG_BYTES) return undefined;
  const [pageSize, salts] = [head.readUInt32BE(8), head.subarray(16, 24)];
  let [seen, finished]: (Buffer | undefined)[] = [];
  for (let at = LOG_BYTES; ; at += FRAME_BYTES + pageSize) {
    const frame = readAt(descriptor, FRAME_BYTES + PAGE_BYTES, at);
    if (frame.length < FRAME_BYTES + PAGE_BYTES || !frame.subarray(8, 16).equals(salts)) return finished;
    if (frame.readUInt32BE(0) === 1) seen = frame.subarray(FRAME_BYTES);
    if (frame.readUInt32BE(4) !== 0) finished = seen;
  }
};

const marksIn = (page: Buffer): Marks => ({
  application: page.readUInt32BE(68),
  version: page.readUInt32BE(60),
  isEmpty: page[100] === LEAF && page.readUInt16BE(103) === 0,
});

/** Bytes in a file; undefined when there is none. */
const sizeOf = (file: string): number | undefined => {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile() === false) throw new Error("it is not a regular file");
  return found?.size;
};

//= STORE-4
/**
 * Whether the file is this store's, empty, or not there. Reads only, and throws the system's error where it cannot.
 * A log without its database is refused, because SQLite would delete it with all that was answered.
 */
export const checkHeader = (file: string): Result<void, ForeignFile> => {
  const log = `${file}-wal`;
  const logSize = sizeOf(log) ?? 0;
  if ((sizeOf(file) ?? 0) === 0) {
    if (logSize === 0) return ok();
    throw new Error("its log, the file with -wal, is there without it: put the database back, or remove the log");
  }
  const page = reading(file, (descriptor) => readAt(descriptor, PAGE_BYTES, 0));
  if (page.length < PAGE_BYTES || !page.subarray(0, FORMAT.length).equals(FORMAT)) {
    throw new Error("file is not a database");
  }
  return checkMarks(marksIn((logSize > 0 ? reading(log, pageInLog) : undefined) ?? page));
};
