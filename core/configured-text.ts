// Texts of the configuration that name something: a reference that was not filled in names nothing.

import { err, ok, type Result } from "neverthrow";
import { hasReference } from "./placeholder.ts";
import type { Fault } from "./rejection.ts";

/** UTF-16 units of an id, a session, a controller or a path. */
export const MAX_CONFIGURED = 4096;

export const TOO_LONG = `is longer than ${String(MAX_CONFIGURED)} characters. Set a shorter one`;

const REFERENCE =
  "contains a reference that was not replaced by its value. Set the variable, or write the value itself";

//= CONFIG-9
/** The text as it is. Errs when it is too long, or holds a reference. */
export const filledIn = (field: string, value: string): Result<string, Fault> => {
  if (value.length > MAX_CONFIGURED) return err({ field, sentence: TOO_LONG });
  return hasReference(value) ? err({ field, sentence: REFERENCE }) : ok(value);
};
