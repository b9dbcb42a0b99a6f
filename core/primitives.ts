// What the core is lent by its platform: all that reaches it from outside. Results are the same whoever computes them.

import type { Sha256 } from "./secret.ts";
import type { HmacSha256 } from "./signature.ts";

//= TOTAL-2
export type Primitives = {
  readonly sha256: Sha256;
  readonly hmacSha256: HmacSha256;
  /** Strict UTF-8 without a byte order mark at the start; undefined when the bytes are not UTF-8. */
  readonly decodeUtf8: (bytes: Uint8Array) => string | undefined;
};
