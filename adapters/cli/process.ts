// Runs the command line in this process.

import { text } from "node:stream/consumers";
import type { Io } from "./io.ts";
import { run } from "./program.ts";
import { isForced, watchReloads, watchStops } from "./signals.ts";

/** A stream whose reader has gone, such as `| head`, or whose disk is full costs its lines only. */
const writer = (stream: NodeJS.WriteStream): Io["out"] => {
  stream.on("error", () => undefined);
  return (line) => {
    try {
      stream.write(line);
    } catch {
      // as above
    }
  };
};

const onDefect: Io["onDefect"] = (handle) => {
  process.on("uncaughtException", handle);
  return () => void process.off("uncaughtException", handle);
};

process.exitCode = await run(process.argv.slice(2), {
  out: writer(process.stdout),
  error: writer(process.stderr),
  env: process.env,
  input: () => text(process.stdin),
  isTerminal: process.stderr.isTTY,
  onStop: watchStops,
  onReload: watchReloads,
  onDefect,
});
// after a second request to stop, open connections must not keep the process alive
if (isForced()) process.exit();
