// How long a list may be, and a lower bound on what a flow adds to its text: cheap, so that a list which is too long is refused
// before it is made.

import type { JsonValue } from "./json.ts";
import { isNamed } from "./own.ts";

/** UTF-8 bytes of an answer with a whole list, and about as many of one with a page. */
export const MAX_LIST_BYTES = 8 << 20;

/** Bytes of the shortest flow that an answer can show: the names of the fields that each flow has, and the shortest values. */
export const LEAST_FLOW_BYTES = 126;

/** Flows that may fit into one answer. */
export const MOST_LISTED = Math.floor(MAX_LIST_BYTES / LEAST_FLOW_BYTES);

/** At most as many bytes as the value's JSON has: texts without their escapes, and a number as one digit. */
export const jsonWeight = (value: JsonValue | undefined): number => {
  if (typeof value === "string") return value.length + 2;
  if (!isNamed(value)) return 1;
  let weight = 2;
  if (Array.isArray(value)) {
    for (const item of value) weight += jsonWeight(item) + 1;
    return Math.max(2, weight - 1);
  }
  for (const name in value) weight += name.length + 4 + jsonWeight(value[name]);
  return Math.max(2, weight - 1);
};

type Weighed = {
  readonly goal?: unknown;
  readonly stateJson?: JsonValue | undefined;
  readonly waitJson?: JsonValue | undefined;
};

/** At most as many bytes as the flow's JSON has; most of them, where it is long. */
export const flowWeight = ({ goal, stateJson, waitJson }: Weighed): number =>
  LEAST_FLOW_BYTES +
  (typeof goal === "string" ? goal.length : 0) +
  optionalWeight(stateJson) +
  optionalWeight(waitJson);

const optionalWeight = (value: JsonValue | undefined): number => (value === undefined ? 0 : jsonWeight(value));

/** UTF-8 bytes that one UTF-16 unit takes at most. */
const MOST_PER_UNIT = 3;

const utf8Length = (text: string): number => {
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    // half of a pair takes half of four bytes
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : MOST_PER_UNIT;
  }
  return bytes;
};

//= LIST-4
/** Whether a text, well-formed as JSON is, has more UTF-8 bytes than an answer with a whole list may have. */
export const isLongerThanList = (text: string): boolean =>
  text.length > MAX_LIST_BYTES || (text.length * MOST_PER_UNIT > MAX_LIST_BYTES && utf8Length(text) > MAX_LIST_BYTES);
