// What keeps a run from going on for now, and how the operator is told of it.

import type { Result } from "neverthrow";
import type { Log } from "../bridge/log.ts";
import { scrub } from "../bridge/scrub.ts";
import type { FileFault } from "../managed-flows/plugin-file.ts";

/** The host or the file of runs has failed; the message is the product's own. */
export class HostTrouble extends Error {}

/** What the file of runs has answered. Throws when it has failed. */
export const unwrap = <T>(result: Result<T, FileFault>): T => {
  if (result.isErr()) throw new HostTrouble(`the file of runs ${result.error.advice}`);
  return result.value;
};

/** `line`: what goes wrong, in the product's words. */
export const warnOf = (log: Log, line: string, error: unknown): void => {
  const said = error instanceof HostTrouble ? error.message : scrub(error, []);
  log.warnSometimes(`${line}: ${said}`, line);
};
