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

/** What no waiting repairs. */
export type Refusal = "no_password" | "wrong_password" | "no_rights" | "no_database";

const REFUSALS: readonly (readonly [words: RegExp, refusal: Refusal])[] = [
  [/^NOAUTH\b/u, "no_password"],
  [/^(?:WRONGPASS|ERR AUTH)\b/u, "wrong_password"],
  // the second one is of a command within a script
  [/^(?:NOPERM\b|ERR The user executing the script can't run)/u, "no_rights"],
  [/^ERR (?:DB index is out of range|invalid DB index)/u, "no_database"],
];

/** How the server refuses what it is asked for, if it does. */
export const refusalOf = (trouble: Trouble | undefined): Refusal | undefined => {
  if (trouble?.kind !== "failed") return undefined;
  const message = messageOf(trouble.error);
  return REFUSALS.find(([words]) => words.test(message))?.[1];
};
