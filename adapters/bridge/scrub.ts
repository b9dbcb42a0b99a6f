// A host's words for the operator's log: one printable line without session keys or what looks like a secret.

import { printable } from "../../core/index.ts";

const TELLING = [
  /\b(?:agent|hook|cron|subagent):\S+/giu,
  /\bbearer\s+\S+/giu,
  /\b(?:secret|token|password|authorization)["']?\s*[:=]\s*\S+/giu,
];

/** A value as it stands in prose, and as it stands in JSON in prose. */
const formsOf = (value: string): readonly string[] => [value, JSON.stringify(value).slice(1, -1)];

const wordsOf = (said: unknown): string => {
  try {
    return said instanceof Error ? String(said.message) : typeof said === "string" ? said : typeof said;
  } catch {
    return "an error that cannot be read";
  }
};

//= AUDIT-1
/** Scrubs what the host said, whatever it is: `hidden` values first, wherever they occur, then what tells by its shape. */
export const scrub = (said: unknown, hidden: readonly string[]): string => {
  const bare = hidden.flatMap(formsOf).reduce((text, value) => text.replaceAll(value, "[hidden]"), wordsOf(said));
  return printable(TELLING.reduce((text, shape) => text.replace(shape, "[hidden]"), bare));
};
