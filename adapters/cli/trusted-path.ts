// Whether only root and the current user decide what a path leads to. The path is walked as the kernel does it: each
// folder, each symlink with the steps of its target, and the file at the end.

import type { Stats } from "node:fs";
import { lstat, readlink, stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { err, ok, Result, ResultAsync } from "neverthrow";
import { printable } from "../../core/index.ts";

/** What a path leads to, without symlinks. */
export type Place = { readonly path: string; readonly stats: Stats };

/** `own`: a group with the number of the owner, which by convention has no other member, may write. `none`: no group. */
export type Writers = "own" | "none";

/** As in Linux. */
const MAX_LINKS = 40;
const MAX_PATH = 4096;
const STICKY = 0o1000;

export const MISSING = "does not exist: correct the path or create the file";
const LINKED = "has more than one hard link: put a new copy in its place";
const OPEN = "can be changed by group or others: run chmod go-w on it";
const LOOP = "leads through too many symlinks: correct the path";
const UNKNOWN = "cannot be checked on this system: use an environment variable";

/** What to do about an error of the file system. */
export const pathHint = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") return MISSING;
  return code === "ELOOP" ? LOOP : "cannot be read: let the current user read it";
};

const canBeChanged = ({ uid, gid, mode }: Stats, writers: Writers): boolean =>
  (mode & (writers === "own" && uid === gid ? 0o002 : 0o022)) !== 0;

const foreign = (stats: Stats): string =>
  stats.isSymbolicLink()
    ? "is a symlink of another user: make it anew as root or the current user"
    : "does not belong to the current user or root: change its owner";

/** What is wrong with a step in `folder`, or undefined. */
const faultOf = ({ stats }: Place, folder: Place, writers: Writers): string | undefined => {
  if (stats.uid !== 0 && stats.uid !== process.geteuid?.()) return foreign(stats);
  // in a sticky folder, such as /tmp, others may make entries but not change these: only link a file of root's there
  if (canBeChanged(folder.stats, writers) && !stats.isDirectory() && stats.nlink > 1) return LINKED;
  const mayBeOpen = stats.isSymbolicLink() || (stats.isDirectory() && (stats.mode & STICKY) !== 0);
  return !mayBeOpen && canBeChanged(stats, writers) ? OPEN : undefined;
};

const placeAt = async (path: string): Promise<Place> => ({ path, stats: await lstat(path) });

/** The step's fault as one of the path. */
const blame = (step: Place, given: string, fault: string): string =>
  step.path === resolve(given) ? fault : `leads through ${printable(step.path, MAX_PATH)}, which ${fault}`;

const walk = async (given: string, writers: Writers): Promise<Result<Place, string>> => {
  const steps = (isAbsolute(given) ? given : `${process.cwd()}/${given}`).split("/");
  let [place, links] = [await placeAt("/"), 0];
  const rootFault = faultOf(place, place, writers);
  if (rootFault !== undefined) return err(blame(place, given, rootFault));
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const next = await placeAt(join(place.path, step));
    const fault = faultOf(next, place, writers);
    if (fault !== undefined) return err(blame(next, given, fault));
    if (!next.stats.isSymbolicLink()) {
      place = next;
      continue;
    }
    if ((links += 1) > MAX_LINKS) return err(LOOP);
    const target = await readlink(next.path);
    if (isAbsolute(target)) place = await placeAt("/");
    steps.unshift(...target.split("/"));
  }
  return ok(place);
};

//= FILE-1
/** Errs with what is wrong and what to do. Never rejects. */
export const trustedPlace = async (path: string, writers: Writers): Promise<Result<Place, string>> => {
  // without user ids, as on Windows, nothing can be said
  if (process.geteuid === undefined && writers === "none") return err(UNKNOWN);
  const placed = process.geteuid === undefined ? stat(path).then((stats) => ok({ path, stats })) : walk(path, writers);
  return (await ResultAsync.fromPromise(placed, pathHint)).andThen((place) => place);
};
