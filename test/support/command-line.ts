// The command line as a process of its own, also of another user.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export const MAIN = join(import.meta.dirname, "..", "..", "adapters", "cli", "main.ts");

export const isRoot = process.geteuid?.() === 0;

export type User = { readonly uid?: number; readonly gid?: number };
export const NOBODY: User = { uid: 65_534, gid: 65_534 };

export type Ended = { readonly status: number | null; readonly out: string; readonly error: string };

const isOpenToAll = (folder: string): boolean =>
  (statSync(folder).mode & 0o1) !== 0 && (dirname(folder) === folder || isOpenToAll(dirname(folder)));

const ROOT = join(import.meta.dirname, "..", "..");
/** Where another user finds the checkout. */
const SHOWN = join(tmpdir(), "openclaw-webhooks-checkout");
const SHOW = `mkdir -p -m 755 "$0" && mount -t tmpfs -o mode=755 none "$0" && cp "$1/package.json" "$0" || exit
for part in adapters core node_modules; do
  mkdir "$0/$part" && mount --bind "$1/$part" "$0/$part" || exit
done
shift && exec "$@"`;

/** The command as another user runs it: where the checkout or a folder above it is private, they are shown its parts elsewhere. */
export const asUser = (command: string, args: readonly string[], { uid, gid }: User): [string, ...string[]] => {
  if (uid === undefined) return [command, ...args];
  const become = ["setpriv", `--reuid=${String(uid)}`, `--regid=${String(gid ?? uid)}`, "--clear-groups"] as const;
  if (isOpenToAll(ROOT)) return [...become, command, ...args];
  const seen = [command, ...args].map((one) => (one.startsWith(ROOT) ? SHOWN + one.slice(ROOT.length) : one));
  return ["unshare", "--mount", "sh", "-c", SHOW, SHOWN, ROOT, ...become, ...seen];
};

/** Runs a program to its end; killed after `deadlineMs`. */
export const runToEnd = async (
  command: string,
  args: readonly string[],
  { env = {}, user = {}, deadlineMs = 30_000 }: { env?: object; user?: User; deadlineMs?: number } = {},
): Promise<Ended> => {
  const [program, ...words] = asUser(command, args, user);
  const child = spawn(program, words, { env: { ...process.env, ...env }, timeout: deadlineMs });
  child.stdin.end();
  let [out, error] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (error += String(chunk)));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, out, error };
};

/** Runs a command line to its end. */
export const runCli = (args: readonly string[], env: object = {}, user: User = {}): Promise<Ended> =>
  runToEnd(process.execPath, [MAIN, ...args], { env, user });
