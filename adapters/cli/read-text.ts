// A small regular file as text: opened once, so that what is checked is what is read, and read up to a limit.

import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { err, Result, ResultAsync } from "neverthrow";

export type ReadFault = "missing" | "symlink" | "not a file" | "unreadable" | "too long" | "not text";

export type Reading<F> = {
  readonly maxBytes: number;
  readonly followSymlink: boolean;
  /** What is wrong with the opened file; undefined when nothing is. */
  readonly check: (stats: Stats) => F | undefined;
};

const openFault = (error: unknown): ReadFault => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return "missing";
  return code === "ELOOP" ? "symlink" : "unreadable";
};

/** Without a byte order mark; errs for bytes that are not UTF-8. */
export const decodeText: (bytes: Buffer) => Result<string, "not text"> = Result.fromThrowable(
  (bytes: Buffer) => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
  () => "not text" as const,
);

const readOpened = async <F>(handle: FileHandle, reading: Reading<F>): Promise<Result<string, F | ReadFault>> => {
  const stats = await handle.stat();
  if (!stats.isFile()) return err("not a file");
  const found = reading.check(stats);
  if (found !== undefined) return err(found);
  const bytes = await buffer(handle.createReadStream({ end: reading.maxBytes, autoClose: false }));
  return bytes.length > reading.maxBytes ? err("too long") : decodeText(bytes);
};

/** Does not wait for a pipe's writer: a pipe is no file. Never rejects. */
export const readText = async <F>(path: string, reading: Reading<F>): Promise<Result<string, F | ReadFault>> => {
  const follow = reading.followSymlink ? 0 : constants.O_NOFOLLOW;
  const opened = await ResultAsync.fromPromise(
    open(path, constants.O_RDONLY | constants.O_NONBLOCK | follow),
    openFault,
  );
  if (opened.isErr()) return err(opened.error);
  const read = await ResultAsync.fromPromise(readOpened(opened.value, reading), () => err("unreadable" as const));
  await opened.value.close().catch(() => undefined);
  return read.match(
    (text) => text,
    (unreadable) => unreadable,
  );
};
