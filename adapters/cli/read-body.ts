// Reads a body as bytes, because a signature is over the bytes.

import { err, ok, type Result } from "neverthrow";
import { MOST_BODY_BYTES, printable } from "../../core/index.ts";
import { type CliFault, fault } from "./fault.ts";
import type { Io } from "./io.ts";
import { readBytes } from "./read-text.ts";

const READING = { maxBytes: MOST_BODY_BYTES, tooLong: "is longer than any route allows: give a body that was sent" };

/** The bytes of `file`, or of standard input where it is `-`. Never rejects. */
export const readBody = async (file: string, io: Io): Promise<Result<Uint8Array, CliFault>> => {
  if (file !== "-") return (await readBytes(file, READING)).mapErr((hint) => fault(`${printable(file, 500)} ${hint}`));
  const bytes = await (io.inputBytes?.() ?? io.input().then((text) => Buffer.from(text)));
  return bytes.length > READING.maxBytes ? err(fault(`Standard input ${READING.tooLong}`)) : ok(bytes);
};
