// Runs the command line in this process.

import { buffer } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import type { Io } from "./io.ts";
import { run } from "./program.ts";
import { writer } from "./writer.ts";
import { isForced, isServer, watchReloads, watchStops } from "./signals.ts";

/** Bytes that may wait for the reader of standard error. */
const MAX_WAITING = 1024 * 1024;

/** Milliseconds in which that reader must take the last lines of a server. */
const FLUSH_MS = 1000;

const onDefect: Io["onDefect"] = (handle) => {
  process.on("uncaughtException", handle);
  return () => void process.off("uncaughtException", handle);
};

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => void stream.write("", () => resolve()));

//= SERVE-7
/** Ends the process, whatever still waits: lines that nobody reads, or files and commands of a reload. */
const endServer = async (): Promise<never> => {
  const all = Promise.all([process.stdout, process.stderr].map(flushed)).catch(() => undefined);
  await Promise.race([all, setTimeout(FLUSH_MS)]);
  process.exit();
};

process.exitCode = await run(process.argv.slice(2), {
  out: writer(process.stdout),
  error: writer(process.stderr),
  env: process.env,
  input: () => buffer(process.stdin),
  isTerminal: process.stderr.isTTY,
  hasRoom: () => process.stderr.writableLength <= MAX_WAITING,
  onStop: watchStops,
  onReload: watchReloads,
  onDefect,
});
// after a second request to stop, open connections must not keep the process alive
if (isForced()) process.exit();
if (isServer) await endServer();
