// What keeps a run from going on for now, and how the operator is told of it.

import type { Result } from "neverthrow";
import { inTime } from "../bridge/deadline.ts";
import { STORE_DEADLINE_MS } from "../bridge/execute.ts";
import type { Log } from "../bridge/log.ts";
import { scrub } from "../bridge/scrub.ts";
import type { FileFault } from "../managed-flows/plugin-file.ts";

/** The host or the file of runs has failed; the message is the product's own. */
export class HostTrouble extends Error {}

/** The host has not answered in time, and may yet do what it was asked for. */
export class LateHost extends HostTrouble {}

const lateFlows = (): LateHost => new LateHost("the Gateway's flows did not answer in time");

/** What a call of the flows answers. Rejects when it does so, and when it takes longer than a request would wait. */
export const flowsInTime = <T>(call: () => T | PromiseLike<T>): Promise<T> =>
  inTime(call, STORE_DEADLINE_MS, lateFlows);

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

/** Warns of what one call has failed with, so that the next one is made; a host that does not answer is not asked further. */
export const unlessLate =
  (log: Log, line: string) =>
  (error: unknown): undefined => {
    if (error instanceof LateHost) throw error;
    warnOf(log, line, error);
  };
