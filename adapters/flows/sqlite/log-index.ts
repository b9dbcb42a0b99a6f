// What the index of the log (-shm) says of the log and of its way into the database file. SQLite documents its layout:
// https://sqlite.org/walformat.html#the_wal_index_file_format

import { readSync } from "node:fs";

/** Bytes of the log's head, and of the head that each of its pages has. */
export const LOG_HEAD_BYTES = 32;
export const FRAME_HEAD_BYTES = 24;

/** Numbers of 32 bits, in the machine's order of bytes, of which the first are two copies of the index's head. */
const WORDS = 34;
const HEAD_WORDS = 12;

export type LogIndex = {
  /** Another one for each new beginning of the log. */
  readonly log: string;
  /** Bytes that the log has at least. */
  readonly logBytes: number;
  /** Another one after each move of pages into the database file; `isMoving` while there is one, or one was cut off. */
  readonly moved: string;
  readonly isMoving: boolean;
};

/** Undefined while another process writes it. */
export const readLogIndex = (descriptor: number): LogIndex | undefined => {
  const words = new Uint32Array(WORDS);
  const length = readSync(descriptor, words, 0, words.byteLength, 0);
  const word = (at: number): number => words[at] ?? 0;
  for (let at = 0; at < HEAD_WORDS; at += 1) if (word(at) !== word(at + HEAD_WORDS)) return undefined;
  const head = new DataView(words.buffer);
  const isMade = head.getUint8(12) === 1;
  if (length < words.byteLength || !isMade) return undefined;
  const pageSize = new Uint16Array(words.buffer)[7] ?? 0;
  const frames = word(4);
  const log = `${String(word(8))} ${String(word(9))}`;
  const [done, begun] = [word(24), word(32)];
  return {
    log,
    logBytes: frames === 0 ? 0 : LOG_HEAD_BYTES + frames * (FRAME_HEAD_BYTES + (pageSize === 1 ? 65_536 : pageSize)),
    moved: `${log} ${String(done)}`,
    isMoving: begun > done,
  };
};

/** Whether pages may have been moved into the database file after `earlier` was read and before `later` was. */
export const mayHaveMoved = (earlier: LogIndex | undefined, later: LogIndex | undefined): boolean =>
  earlier === undefined || later === undefined || earlier.isMoving || later.isMoving || earlier.moved !== later.moved;
