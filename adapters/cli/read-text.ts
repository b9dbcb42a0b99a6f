// Reads a small regular file as text. The file is opened once, so that the checked file is the file that is read.

import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { err, Result, ResultAsync } from "neverthrow";

export type ReadFault = "missing" | "symlink" | "not a file" | "unreadable" | "too long" | "not text";

export type Reading<F> = {
  readonly maxBytes: number;
  readonly followSymlink: boolean;
  /** The fault of the opened file, or undefined. */
  readonly check: (stats: Stats) => F | undefined;
};

const openFault = (error: unknown): ReadFault => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return "missing";
  return code === "ELOOP" ? "symlink" : "unreadable";
};

/** The text without a byte order mark. */
export const decodeText: (bytes: Buffer) => Result<string, "not text"> = Result.fromThrowable(
  (bytes: Buffer) => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
  () => "not text" as const,
);

const readOpened = async <F>(handle: FileHandle, reading: Reading<F>): Promise<Result<string, F | ReadFault>> => {
  const stats = await handle.stat();
  if (!stats.isFile()) return err("not a file");
  const fault = reading.check(stats);
  if (fault !== undefined) return err(fault);
  const bytes = await buffer(handle.createReadStream({ end: reading.maxBytes, autoClose: false }));
  return bytes.length > reading.maxBytes ? err("too long") : decodeText(bytes);
};

/** Opens without blocking, because opening a pipe would wait for a writer. Never rejects. */
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
