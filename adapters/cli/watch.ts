// Watches files that are replaced as Kubernetes and certbot do it: a rename, perhaps of a symlink or of a folder above. Asking
// for each file's identity is reliable where notifications are not: over a network, in a container, across a rename.

import { stat } from "node:fs/promises";

const EVERY_MS = 1000;

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
  /** The files to watch, asked for at each look. */
  readonly files: () => readonly string[];
  /** How the files were before they were read. */
  readonly known: Prints;
  readonly onChange: () => void;
  readonly everyMs?: number;
};

/** Calls `onChange` once files have changed and then stayed the same for one look. The function that comes back ends it. */
export const watchFiles = ({ files, known, onChange, everyMs = EVERY_MS }: WatchOptions): (() => void) => {
  let [told, last] = [known, known];
  const look = async (): Promise<void> => {
    const now = await printsOf(files());
    const differs = (before: Prints): boolean =>
      [...now].some(([path, print]) => (before.get(path) ?? print) !== print);
    const isDue = differs(told) && !differs(last);
    // a file that was not known yet is known from now on
    told = isDue ? now : new Map([...now, ...told]);
    last = now;
    if (isDue) onChange();
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
