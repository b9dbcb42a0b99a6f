// A connection to the server, whoever makes it.

import type { Script } from "./scripts.ts";

export interface Link {
  /** Runs a script whose keys are of one slot. Rejects when there is no connection, when it breaks, or when the server refuses. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
  /** Has the server learn these scripts, where that is not left to the first call of each. Rejects as `run` does. */
  prepare?(scripts: readonly Script[]): Promise<unknown>;
  /** Ends it. What is on its way rejects. */
  close(): void;
}

/** One command, in the words of the server. `key`: by which a cluster finds the node. */
export type Send = (key: string, words: readonly string[]) => Promise<unknown>;

/** The server has forgotten its scripts, such as after a restart. */
const isUnknown = (error: unknown): boolean => error instanceof Error && error.message.startsWith("NOSCRIPT");

/** Names the script by its digest, and sends its text only to a server that does not know it. */
export const scriptRunner =
  (send: Send): Link["run"] =>
  async (script, keys, args) => {
    const rest = [String(keys.length), ...keys, ...args.map(String)];
    const key = keys[0] ?? "";
    try {
      return await send(key, ["EVALSHA", script.sha, ...rest]);
    } catch (error) {
      if (!isUnknown(error)) throw error;
      return send(key, ["EVAL", script.text, ...rest]);
    }
  };
