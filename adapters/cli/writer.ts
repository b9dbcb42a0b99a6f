// Writes to a stream of the process.

import type { Io } from "./io.ts";

/** A stream whose reader has gone, such as `| head`, or whose disk is full costs its lines only. */
export const writer = (stream: NodeJS.WriteStream): Io["out"] => {
  stream.on("error", () => undefined);
  return (line) => {
    try {
      stream.write(line);
    } catch {
      // as above
    }
  };
};
