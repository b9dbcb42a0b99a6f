// Words of other code for the operator's log: one printable line without session keys or what looks like a secret.

import { HIDDEN, hideSessions, isSessionKey, printable, WORD_START } from "../../core/index.ts";
import { Sentence } from "../flows/flow-store.ts";

const SECRET_SHAPES = [/\bbearer\s+\S+/giu, /\b(?:secret|token|password|authorization)["']?\s*[:=]\s*\S+/giu];

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/gu, "\\$&");

const hex = (code: number, length: number): string => code.toString(16).padStart(length, "0");

/** A character as a pattern: as it stands in prose, in JSON, in a URL and in a form, also in one inside of another. */
const writingOf = (character: string): string => {
  const units = character.split("").map((unit) => String.raw`\\{1,8}u${hex(unit.charCodeAt(0), 4)}`);
  const bytes = [...new TextEncoder().encode(character)].map((byte) => `%(?:25)*${hex(byte, 2)}`);
  const escape = JSON.stringify(character).slice(1, -1).replace(/^\\/u, "");
  const escaped = /[/"\\\p{Cc}]/u.test(character) ? [String.raw`\\{1,8}${literal(escape)}`] : [];
  const plus = character === " " ? [String.raw`\+`] : [];
  return `(?:${[literal(character), units.join(""), bytes.join(""), ...escaped, ...plus].join("|")})`;
};

const patternOf = (value: string): string => [...value].map(writingOf).join("");

/** UTF-16 units. A value so long, or with the shape of a session key, is in no word by chance. */
const DISTINCT = 12;

const AT_START = new RegExp(`${WORD_START}$`, "iu");
const LETTER_FIRST = /^[\p{L}\p{N}]/u;
const LETTER_LAST = /[\p{L}\p{N}]$/u;

/** Whether the value that stands at `start` of `text` is no part of a longer word, or can only be meant. */
const isWhole = (value: string, text: string, start: number): boolean => {
  if (value.length >= DISTINCT || isSessionKey(value)) return true;
  const [before, after] = [text.slice(Math.max(0, start - 6), start), text.slice(start + value.length)];
  return (!LETTER_FIRST.test(value) || AT_START.test(before)) && !(LETTER_LAST.test(value) && LETTER_FIRST.test(after));
};

//= AUDIT-1
/** Hides each of `values` where it is meant, in any case, because the Gateway writes session keys in lower case. */
export const hideValues = (text: string, values: readonly string[]): string => {
  const patterns = values.filter((value) => value !== "").map(patternOf);
  if (patterns.length === 0) return text;
  const places = text.matchAll(new RegExp(`(?=(${patterns.join("|")}))`, "giu"));
  let [shown, end] = ["", 0];
  for (const { index, 1: value = "" } of places) {
    if (index < end || !isWhole(value, text, index)) continue;
    shown += `${text.slice(end, index)}${HIDDEN}`;
    end = index + value.length;
  }
  return shown + text.slice(end);
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
