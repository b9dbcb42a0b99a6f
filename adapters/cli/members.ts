// Reads a value below other values, as they come out of a file.

import { own } from "../../core/index.ts";

/** The value at the end of a path of own properties; undefined when one of them is missing. */
export const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce((parent, name) => own(parent, name), value);
