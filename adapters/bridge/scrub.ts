// Words of other code for the operator's log: one printable line without session keys or what looks like a secret.

import { HIDDEN, hideSessions, printable, WORD_START } from "../../core/index.ts";
import { Sentence } from "../flows/flow-store.ts";

const SECRET_SHAPES = [/\bbearer\s+\S+/giu, /\b(?:secret|token|password|authorization)["']?\s*[:=]\s*\S+/giu];

/** A value as it stands in prose, in JSON in prose, and in a URL. */
const formsOf = (value: string): readonly string[] => [
  value,
  JSON.stringify(value).slice(1, -1),
  encodeURIComponent(value.toWellFormed()),
];

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");

/** UTF-16 units. A value so long, or with the shape of a session key, is in no word by chance. */
const DISTINCT = 12;

/** The text where it is no part of a longer word; anywhere if nothing but the value can be meant. */
const wholeWord = (text: string): string => {
  if (text.length >= DISTINCT || hideSessions(text, "") === "") return literal(text);
  const start = /^[\p{L}\p{N}]/u.test(text) ? WORD_START : "";
  const end = /[\p{L}\p{N}]$/u.test(text) ? String.raw`(?![\p{L}\p{N}])` : "";
  return `${start}${literal(text)}${end}`;
};

//= AUDIT-1
/** Hides each of `values` where it is meant, in any case, because the Gateway writes session keys in lower case. */
export const hideValues = (text: string, values: readonly string[]): string => {
  const words = values
    .filter((value) => value !== "")
    .flatMap(formsOf)
    .map(wholeWord);
  return words.length === 0 ? text : text.replace(new RegExp(words.join("|"), "giu"), HIDDEN);
};

const wordsOf = (detail: unknown): string => {
  try {
    return detail instanceof Error ? String(detail.message) : typeof detail === "string" ? detail : typeof detail;
  } catch {
    return "an error that cannot be read";
  }
};

//= AUDIT-1, AUDIT-4
/**
 * A sentence of the product's own as it is. Of anything else its words, cut, without the values of `hidden` and without
 * what has the shape of a session key or a secret.
 */
export const scrub = (detail: unknown, hidden: readonly string[]): string => {
  if (detail instanceof Sentence) return detail.text;
  const bare = hideSessions(hideValues(wordsOf(detail), hidden), HIDDEN);
  return printable(SECRET_SHAPES.reduce((text, shape) => text.replace(shape, HIDDEN), bare));
};
