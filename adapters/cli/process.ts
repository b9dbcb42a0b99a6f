// Runs the command line in this process.

import { text } from "node:stream/consumers";
import type { Io } from "./io.ts";
import { run } from "./program.ts";

let isForced = false;

const onStop: Io["onStop"] = (handle) => {
  let isFirst = true;
  const stop = (): void => {
    isForced = !isFirst;
    handle(isFirst);
    isFirst = false;
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return () => void process.off("SIGINT", stop).off("SIGTERM", stop);
};

// a reader such as `| head` may close the pipe early; that is not a failure of the command
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

process.exitCode = await run(process.argv.slice(2), {
  out: (line) => void process.stdout.write(line),
  error: (line) => void process.stderr.write(line),
  env: process.env,
  input: () => text(process.stdin),
  isTerminal: process.stderr.isTTY,
  onStop,
});
// after a second request to stop, open connections must not keep the process alive
if (isForced) process.exit();
