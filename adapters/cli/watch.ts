// Watches files that are replaced as Kubernetes and certbot do it: a rename, perhaps of a symlink or of a folder above. Asking
// for each file's identity is reliable where notifications are not: over a network, in a container, across a rename.

import { stat } from "node:fs/promises";

const EVERY_MS = 1000;

/** Looks at files that are not as they were read, after which they are read although they go on changing. */
const MAX_LOOKS = 5;

/** What changes when a file is written or replaced, by path. */
export type Prints = ReadonlyMap<string, string>;

/** Follows links. A file that cannot be looked at has a print as well. */
const printOf = (path: string): Promise<readonly [string, string]> =>
  stat(path, { bigint: true }).then(
    ({ dev, ino, size, mtimeNs, ctimeNs }) => [path, [dev, ino, size, mtimeNs, ctimeNs].join(" ")],
    (error: NodeJS.ErrnoException) => [path, error.code ?? error.name],
  );

/** Never rejects. */
export const printsOf = async (paths: readonly string[]): Promise<Prints> =>
  new Map(await Promise.all(paths.map(printOf)));

export type WatchOptions = {
  /** The files to watch, as they were before they were last read; undefined while they are being read. */
  readonly known: () => Prints | undefined;
  readonly onChange: () => void;
  readonly everyMs?: number;
};

/**
 * Calls `onChange` when files are not as they were read, and have stayed the same for one look, or have changed for five.
 * It must read them, or it is called again. The function that comes back ends it.
 */
export const watchFiles = ({ known, onChange, everyMs = EVERY_MS }: WatchOptions): (() => void) => {
  let last: Prints = new Map();
  let looks = 0;
  const look = async (): Promise<void> => {
    const read = known();
    if (read === undefined) return;
    const now = await printsOf([...read.keys()]);
    const isAs = (before: Prints): boolean => [...now].every(([path, print]) => before.get(path) === print);
    looks = isAs(read) ? 0 : looks + 1;
    const isDue = looks > 0 && (isAs(last) || looks >= MAX_LOOKS);
    last = now;
    if (isDue) looks = 0;
    // what was read meanwhile may be as it is now
    if (isDue && known() === read) onChange();
  };
  const next = async (): Promise<void> => {
    await look().catch(() => undefined);
    if (!isEnded) timer = setTimeout(next, everyMs).unref();
  };
  let isEnded = false;
  let timer = setTimeout(next, everyMs).unref();
  return () => {
    isEnded = true;
    clearTimeout(timer);
  };
};
