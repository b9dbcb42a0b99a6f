// Runs a command that prints secrets: without a shell, with only the given environment, within a deadline. The output
// is returned only if the command succeeds; standard error is dropped.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { dirname } from "node:path";
import { err, type Result } from "neverthrow";
import { decodeText } from "../read-text.ts";

export type Command = {
  /** An absolute path. The command runs in its directory. */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
  /** The longest time without output. */
  readonly noOutputTimeoutMs: number;
  /** Standard output and standard error together. */
  readonly maxOutputBytes: number;
};

export type CommandFault = "not started" | "failed" | "late" | "silent" | "too much" | "not text";

/** Ends the command and its children, which are one process group. */
const kill = (child: ChildProcessWithoutNullStreams): void => {
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // the process group has already ended
  }
};

const running = new Set<ChildProcessWithoutNullStreams>();
const killAll = (): void => running.forEach(kill);

const SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"] as const;

/** A signal to this process does not reach the commands. If nothing else handles it, it ends this process as before. */
const onSignal = (signal: NodeJS.Signals): void => {
  const isHandled = process.listenerCount(signal) > 1;
  // a reload, which needs its commands
  if (signal === "SIGHUP" && isHandled) return;
  killAll();
  if (isHandled) return;
  process.off(signal, onSignal);
  process.kill(process.pid, signal);
};

let watched = 0;

//= FILE-5
/** Lets no command outlive this process, from before the command is there. */
const watch = (): void => {
  if ((watched += 1) > 1) return;
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on("exit", killAll);
};

const unwatch = (): void => {
  if ((watched -= 1) > 0) return;
  for (const signal of SIGNALS) process.off(signal, onSignal);
  process.off("exit", killAll);
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
    running.delete(child);
    resolve(result);
  };
  const stop = (fault: CommandFault): void => {
    kill(child);
    settle(err(fault));
  };
  const deadline = setTimeout(stop, timeoutMs, "late" as const);
  const silence = setTimeout(stop, noOutputTimeoutMs, "silent" as const);
  const count = (chunk: Buffer): void => {
    silence.refresh();
    size += chunk.length;
    if (size > maxOutputBytes) stop("too much");
  };
  // first, because a child that could not start has no streams
  child.once("error", () => settle(err("not started")));
  child.stdout.on("data", count).on("data", (chunk: Buffer) => written.push(chunk));
  child.stderr.on("data", count);
  child.once("close", (code) => settle(code === 0 ? decodeText(Buffer.concat(written)) : err("failed")));
  // the command may end without reading its input
  child.stdin.on("error", () => undefined).end(input);
  running.add(child);
};

/** The standard output of the command. Never rejects. */
export const runCommand = async (command: Command): Promise<Result<string, CommandFault>> => {
  watch();
  const result = await new Promise<Result<string, CommandFault>>((resolve) => {
    try {
      follow(start(command), command, resolve);
    } catch {
      resolve(err("not started"));
    }
  });
  unwatch();
  return result;
};
