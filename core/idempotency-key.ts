// The `Idempotency-Key` header: a quoted text of structured fields (RFC 8941 §3.3.3), as the draft says, or the bare text that
// most clients send. `"k"` and `k` are one key.

import { err, ok, type Result } from "neverthrow";
import type { Fault } from "./rejection.ts";

export const IDEMPOTENCY_KEY = "idempotency-key";

/** Characters of a key. */
const MAX_KEY_LENGTH = 255;

const PRINTABLE = /^[ -~]+$/u;
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/u;

const MALFORMED: Fault = {
  field: "Idempotency-Key",
  sentence: "must be 1 to 255 printable ASCII characters, quoted or not",
};

/** Undefined for what may be two lines of the header, joined. */
const bare = (value: string): string | undefined => (value.includes(", ") ? undefined : value);

const unquoted = (value: string): string | undefined =>
  value.startsWith('"') ? QUOTED.exec(value)?.[1]?.replace(/\\(.)/gu, "$1") : bare(value);

//= ONCE-4
/** The key that the header's value names; undefined when it was not sent. Errs when it is malformed. */
export const idempotencyKey = (value: string | undefined): Result<string | undefined, Fault> => {
  if (value === undefined) return ok(undefined);
  const key = value.length > 2 * MAX_KEY_LENGTH + 2 ? undefined : unquoted(value.trim());
  return key !== undefined && key.length <= MAX_KEY_LENGTH && PRINTABLE.test(key) ? ok(key) : err(MALFORMED);
};

/** The key as the draft says that a client sends it. */
export const quotedKey = (key: string): string => `"${key.replace(/["\\]/gu, "\\$&")}"`;
