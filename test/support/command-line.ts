// The command line as a process of its own, also of another user.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export const MAIN = join(import.meta.dirname, "..", "..", "adapters", "cli", "main.ts");

export const isRoot = process.geteuid?.() === 0;

export type User = { readonly uid?: number; readonly gid?: number };
export const NOBODY: User = { uid: 65_534, gid: 65_534 };

export type Ended = { readonly status: number | null; readonly out: string; readonly error: string };

/** Runs a program to its end; killed after `deadlineMs`. */
export const runToEnd = async (
  command: string,
  args: readonly string[],
  { env = {}, user = {}, deadlineMs = 30_000 }: { env?: object; user?: User; deadlineMs?: number } = {},
): Promise<Ended> => {
  const child = spawn(command, args, { env: { ...process.env, ...env }, timeout: deadlineMs, ...user });
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
