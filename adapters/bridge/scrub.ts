// Words of other code for the operator's log: one printable line without session keys or what looks like a secret.

import { printable } from "../../core/index.ts";

const SECRET_SHAPES = [
  /\b(?:agent|hook|cron|subagent):\S+/giu,
  /\bbearer\s+\S+/giu,
  /\b(?:secret|token|password|authorization)["']?\s*[:=]\s*\S+/giu,
];

/** A value as it stands in prose, and as it stands in JSON in prose. */
const formsOf = (value: string): readonly string[] => [value, JSON.stringify(value).slice(1, -1)];

const wordsOf = (detail: unknown): string => {
  try {
    return detail instanceof Error ? String(detail.message) : typeof detail === "string" ? detail : typeof detail;
  } catch {
    return "an error that cannot be read";
  }
};

//= AUDIT-1
/** Hides the values of `hidden` wherever they occur, then what has the shape of a key or a secret. `detail` may be anything. */
export const scrub = (detail: unknown, hidden: readonly string[]): string => {
  const bare = hidden.flatMap(formsOf).reduce((text, value) => text.replaceAll(value, "[hidden]"), wordsOf(detail));
  return printable(SECRET_SHAPES.reduce((text, shape) => text.replace(shape, "[hidden]"), bare));
};
