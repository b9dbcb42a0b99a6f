// What an operator is told of a server that cannot be asked.

import { own, printable } from "../../../core/index.ts";
import { DEADLINE_MS, type Trouble } from "./gate.ts";

/** UTF-16 units of a reason that the server or the system gives. */
const REASON = 300;

const messageOf = (error: unknown): string => {
  const message = own(error, "message");
  const code = own(error, "code");
  // of a name with several addresses that all fail, the system gives a code only
  return typeof message === "string" && message !== "" ? message : typeof code === "string" ? code : String(error);
};

/** Why requests cannot be counted on the server. */
export const reasonOf = (trouble: Trouble): string =>
  trouble.kind === "failed"
    ? printable(messageOf(trouble.error), REASON)
    : `no answer within ${String(DEADLINE_MS)} ms`;

/** Whether the server refuses this user, which no waiting repairs. */
export const isRefusal = (trouble: Trouble | undefined): boolean =>
  trouble?.kind === "failed" && /^(?:WRONGPASS|NOAUTH|NOPERM|ERR AUTH)\b/u.test(messageOf(trouble.error));
