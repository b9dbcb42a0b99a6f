// One run of a command that knows secrets: no shell, no environment but the given one, an end in time. What it writes
// is handed back only when the run is a success; what it complains of is thrown away.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { dirname } from "node:path";
import { err, type Result } from "neverthrow";
import { decodeText } from "../read-text.ts";

export type Command = {
  /** An absolute path; the directory of it is where the command runs. */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
  /** Between two pieces of output, and before the first one. */
  readonly noOutputTimeoutMs: number;
  /** Of both outputs together. */
  readonly maxOutputBytes: number;
};

export type CommandFault = "not started" | "failed" | "late" | "silent" | "too much" | "not text";

/** Ends the command and all that it started: they are one process group. */
const kill = (child: ChildProcessWithoutNullStreams): void => {
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // nothing of it is left
  }
};

const start = ({ path, args, env }: Command): ChildProcessWithoutNullStreams =>
  spawn(path, args, { cwd: dirname(path), env, detached: true, stdio: "pipe" });

const follow = (
  child: ChildProcessWithoutNullStreams,
  { input, timeoutMs, noOutputTimeoutMs, maxOutputBytes }: Command,
  resolve: (result: Result<string, CommandFault>) => void,
): void => {
  const written: Buffer[] = [];
  let size = 0;
  const settle = (result: Result<string, CommandFault>): void => {
    clearTimeout(deadline);
    clearTimeout(silence);
    resolve(result);
  };
  const stop = (why: CommandFault): void => {
    kill(child);
    settle(err(why));
  };
  const deadline = setTimeout(stop, timeoutMs, "late" as const);
  const silence = setTimeout(stop, noOutputTimeoutMs, "silent" as const);
  const count = (chunk: Buffer): void => {
    silence.refresh();
    size += chunk.length;
    if (size > maxOutputBytes) stop("too much");
  };
  // first, for without descriptors there are no streams to listen to
  child.once("error", () => settle(err("not started")));
  child.stdout.on("data", count).on("data", (chunk: Buffer) => written.push(chunk));
  child.stderr.on("data", count);
  child.once("close", (code) => settle(code === 0 ? decodeText(Buffer.concat(written)) : err("failed")));
  // a command may well end without reading what it is asked
  child.stdin.on("error", () => undefined).end(input);
};

/** What the command writes to its output. Never rejects. */
export const runCommand = (command: Command): Promise<Result<string, CommandFault>> =>
  new Promise((resolve) => {
    try {
      follow(start(command), command, resolve);
    } catch {
      resolve(err("not started"));
    }
  });
