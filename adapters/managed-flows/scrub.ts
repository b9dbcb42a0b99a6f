// A host's words for the operator's log: one printable line without session keys or secrets' usual shapes (AUDIT-1).

import { printable } from "../../core/index.ts";

const SESSION_KEY = /agent:\S+/gu;

/** Scrubs what the host said, whatever it is; names of `hidden` values are replaced wherever they occur. */
export const scrub = (said: unknown, hidden: readonly string[]): string => {
  const words = said instanceof Error ? said.message : typeof said === "string" ? said : typeof said;
  const bare = hidden.reduce((text, value) => text.replaceAll(value, "[hidden]"), words.slice(0, 1000));
  return printable(bare.replace(SESSION_KEY, "[hidden]"));
};
