// What makes a text unusable as a secret, whatever it is for. Sentences never contain it.

import { placeholderIn } from "./placeholder.ts";
import { isOneLine, isSendable, MAX_SECRET_BYTES } from "./secret.ts";

/** `effect`: what that means for callers. */
export const unresolved = (effect: string): string =>
  `is empty or could not be resolved${effect}. Set it, or repair its reference or provider`;

//= ROUTE-3, CONFIG-8
/** What makes a secret unusable. `effect`: what that means for callers. */
export const coldness = (secret: string, effect: string): string | undefined => {
  if (secret === "") return unresolved(effect);
  if (!isSendable(secret)) return `is longer than ${String(MAX_SECRET_BYTES)} bytes. Set a shorter one`;
  if (!isOneLine(secret)) {
    return "contains a line break or another control character, which no header can carry. Set one line of text";
  }
  const placeholder = placeholderIn(secret);
  return placeholder === undefined
    ? undefined
    : `${placeholder}${effect}. Set a long random string, such as openssl rand -base64 32 prints`;
};
