// Reads a body as bytes, because a signature is over the bytes.

import { err, ok, type Result } from "neverthrow";
import { MOST_BODY_BYTES, printable } from "../../core/index.ts";
import { type CliFault, fault } from "./fault.ts";
import type { Io } from "./io.ts";
import { readBytes } from "./read-text.ts";

const BODY = { maxBytes: MOST_BODY_BYTES, tooLong: "is longer than 25 MiB, which no route takes: shorten it" };

/** UTF-16 units. A longer name of a file is cut. */
const MAX_NAME = 500;

/** The bytes of `file`, or of standard input where it is `-`. Never rejects. */
export const readBody = async (file: string, io: Io): Promise<Result<Uint8Array, CliFault>> => {
  if (file !== "-")
    return (await readBytes(file, BODY)).mapErr((hint) => fault(`The body file ${printable(file, MAX_NAME)} ${hint}`));
  const bytes = await io.input();
  return bytes.length > BODY.maxBytes ? err(fault(`The body on standard input ${BODY.tooLong}`)) : ok(bytes);
};
