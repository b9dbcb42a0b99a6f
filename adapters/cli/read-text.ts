// Reads a small regular file as text, if no unprivileged other could have written it. The file is opened once: the checked
// file is the file that is read.

import { constants, readFileSync, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { err, ok, Result, ResultAsync } from "neverthrow";
import { MISSING, pathHint, trustedPlace } from "./trusted-path.ts";

export type Reading = {
  readonly maxBytes: number;
  /** What is wrong with a longer file and what to do. */
  readonly tooLong: string;
  /** A secret is for the current user and who root chose; of a configuration anyone may read. */
  readonly isSecret: boolean;
};

export type TextFile = {
  /** Without a byte order mark. */
  readonly text: string;
  /** Whether users other than the current one, and those whom root chose, may read the file. */
  readonly isExposed: boolean;
};

const REPLACED = "was replaced while it was read: try again";
const LINKED = "has more than one hard link: copy it into a new private file";
const UNREADABLE = "cannot be read: let the current user read it";

export const decodeText: (bytes: Buffer) => Result<string, "not text"> = Result.fromThrowable(
  (bytes: Buffer) => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
  () => "not text" as const,
);

const isOwn = ({ uid }: Stats): boolean => uid === process.geteuid?.();

/** A file of root's that not everyone may read is for a group or for users that root chose. */
const isExposed = (stats: Stats): boolean => (stats.mode & (isOwn(stats) ? 0o044 : 0o004)) !== 0;

/** Whether the file was opened on a read-only mount, as Kubernetes, Docker and systemd have for secrets. */
const isReadOnly = Result.fromThrowable(
  ({ fd }: FileHandle): boolean => {
    const info = readFileSync(`/proc/self/fdinfo/${String(fd)}`, "utf8");
    const id = /^mnt_id:\s*(\d+)$/mu.exec(info)?.[1] ?? "";
    const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
    const fields = mounts.find((line) => line.startsWith(`${id} `))?.split(" ") ?? [];
    // the options of the mount, and those of its file system
    return [fields[5], fields.at(-1)].some((options) => options?.split(",").includes("ro"));
  },
  // a system without /proc
  () => false,
);

const closeHint = (stats: Stats): string =>
  isOwn(stats)
    ? "run chmod 600 on it"
    : `as root run chgrp ${String(process.getegid?.())} and chmod 640 on it, or mount it read-only`;

//= FILE-2
const secretFault = (handle: FileHandle, stats: Stats): string | undefined => {
  if (stats.nlink > 1) return LINKED;
  if (!isExposed(stats) || isReadOnly(handle).unwrapOr(false)) return undefined;
  return `is open to group or others: ${closeHint(stats)}`;
};

const IRREGULAR = "is not a regular file: give the path of a regular file";

/** One byte more than `maxBytes` at most. */
const bytesOf = (handle: FileHandle, maxBytes: number): Promise<Buffer> =>
  buffer(handle.createReadStream({ end: maxBytes, autoClose: false }));

const readOpened = async (
  handle: FileHandle,
  path: string,
  { maxBytes, tooLong, isSecret }: Reading,
): Promise<Result<TextFile, string>> => {
  const stats = await handle.stat();
  if (!stats.isFile()) return err(IRREGULAR);
  const place = await trustedPlace(path, isSecret ? "none" : "own");
  if (place.isErr()) return err(place.error === MISSING ? REPLACED : place.error);
  if (place.value.stats.dev !== stats.dev || place.value.stats.ino !== stats.ino) return err(REPLACED);
  const fault = isSecret ? secretFault(handle, stats) : undefined;
  if (fault !== undefined) return err(fault);
  const bytes = await bytesOf(handle, maxBytes);
  if (bytes.length > maxBytes) return err(tooLong);
  return decodeText(bytes)
    .map((text) => ({ text, isExposed: isExposed(stats) }))
    .mapErr(() => "is not UTF-8: save it as UTF-8");
};

/** Opens without blocking, because opening a pipe would wait for a writer. */
const opened = async <T>(
  path: string,
  use: (handle: FileHandle) => Promise<Result<T, string>>,
): Promise<Result<T, string>> => {
  const handle = await ResultAsync.fromPromise(open(path, constants.O_RDONLY | constants.O_NONBLOCK), pathHint);
  if (handle.isErr()) return err(handle.error);
  const read = await ResultAsync.fromPromise(use(handle.value), () => UNREADABLE);
  await handle.value.close().catch(() => undefined);
  return read.andThen((value) => value);
};

const attempt = (path: string, reading: Reading): Promise<Result<TextFile, string>> =>
  opened(path, (handle) => readOpened(handle, path, reading));

/** Errs with what is wrong and what to do. Never rejects. A file that is replaced meanwhile is read anew, `attempts` times. */
export const readText = async (path: string, reading: Reading, attempts = 20): Promise<Result<TextFile, string>> => {
  const read = await attempt(path, reading);
  const isReplaced = read.isErr() && read.error === REPLACED;
  return isReplaced && attempts > 1 ? readText(path, reading, attempts - 1) : read;
};

/** The bytes of a regular file, whoever could have written it. Errs as `readText` does. Never rejects. */
export const readBytes = (
  path: string,
  { maxBytes, tooLong }: Omit<Reading, "isSecret">,
): Promise<Result<Buffer, string>> =>
  opened(path, async (handle) => {
    if (!(await handle.stat()).isFile()) return err(IRREGULAR);
    const bytes = await bytesOf(handle, maxBytes);
    return bytes.length > maxBytes ? err(tooLong) : ok(bytes);
  });
