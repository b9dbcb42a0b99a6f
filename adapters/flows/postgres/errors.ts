// What an error of PostgreSQL, or of the connection to it, says of the transaction.

import { own } from "../../../core/index.ts";

/** The five characters of an SQLSTATE, or the system's code, such as ECONNREFUSED; "" of any other error. */
export const codeOf = (error: unknown): string => {
  const code = own(error, "code");
  return typeof code === "string" ? code : "";
};

const SQLSTATE = /^[0-9A-Z]{5}$/u;

/** Classes of what ends a connection: its failure, a stop of the server, a start that is not over. */
const ENDS = /^(?:08|57P0)/u;

/** Whether the server has answered at all: otherwise nobody knows what became of the last thing that it was sent. */
export const hasAnswered = (error: unknown): boolean => SQLSTATE.test(codeOf(error)) && !ENDS.test(codeOf(error));

const UNDONE: ReadonlySet<string> = new Set(["40001", "40P01"]);

/** Whether the transaction was undone because of another one: decided again, it may succeed. */
export const mayTryAgain = (error: unknown): boolean => UNDONE.has(codeOf(error));
