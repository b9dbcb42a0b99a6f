// The command line, run in this process.

import type { Io } from "../../adapters/cli/io.ts";
import { run } from "../../adapters/cli/program.ts";

export type Ran = { readonly status: number; readonly out: string; readonly error: string };

/** Runs one command line to its end. */
export const cli = async (args: readonly string[], io: Partial<Io> = {}): Promise<Ran> => {
  let [out, error] = ["", ""];
  const status = await run(args, {
    out: (text) => (out += text),
    error: (text) => (error += text),
    env: {},
    input: () => Promise.resolve(new Uint8Array()),
    isTerminal: false,
    onStop: () => () => undefined,
    ...io,
  });
  return { status, out, error };
};
