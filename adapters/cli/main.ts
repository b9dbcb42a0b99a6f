#!/usr/bin/env node
// The process around the command line.

import { text } from "node:stream/consumers";
import type { Io } from "./io.ts";
import { run } from "./program.ts";

const onStop: Io["onStop"] = (handle) => {
  let isFirst = true;
  const stop = (): void => {
    handle(isFirst);
    isFirst = false;
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return () => void process.off("SIGINT", stop).off("SIGTERM", stop);
};

// nobody reads on, as behind `| head`: that is no failure of ours
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => process.exit());

process.exitCode = await run(process.argv.slice(2), {
  out: (line) => void process.stdout.write(line),
  error: (line) => void process.stderr.write(line),
  env: process.env,
  input: () => text(process.stdin),
  isTerminal: process.stderr.isTTY,
  onStop,
});
// after a second request to stop, connections that still live must not keep the process
if (process.exitCode !== 0) process.exit();
