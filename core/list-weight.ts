// How long a list may be. What it adds to an answer is measured where it is serialised; before that a lower bound, which is cheap,
// tells that a list is too long to be read.

import type { JsonValue } from "./json.ts";
import { isNamed } from "./own.ts";
import { FLOW_TEXTS, type FlowView, type Shown } from "./view.ts";

/** UTF-8 bytes of an answer with a list; a page of one flow may have more. */
export const MAX_LIST_BYTES = 8 << 20;

/** Bytes that the flows of a page leave to the rest of its answer. */
const FRAME_BYTES = 8 << 10;

/** UTF-8 bytes of the flows of a page. */
export const MAX_PAGE_BYTES = MAX_LIST_BYTES - FRAME_BYTES;

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

const textWeight = (value: JsonValue | undefined): number => {
  if (value === undefined) return 0;
  return typeof value === "string" ? value.length : jsonWeight(value);
};

//= LIST-4
/** At most as many bytes as the flow's JSON has; most of them, where it is long. */
export const flowWeight = (flow: Shown): number =>
  FLOW_TEXTS.reduce((weight, name) => weight + textWeight(flow[name]), LEAST_FLOW_BYTES);

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

const bytesOf = ({ text }: FlowView): number => (text === undefined ? Infinity : utf8Length(text) + 1);

//= LIST-4
/** Finds out while a list grows that it is too long. UTF-16 units are counted until they could be too many bytes. */
export class Scale {
  readonly #room: number;
  readonly #flows: FlowView[] = [];
  #units = 0;
  #bytes: number | undefined;

  /** `room`: bytes that the flows may have. */
  constructor(room: number) {
    this.#room = room;
  }

  /** Adds the flow to those before it. */
  isTooLong(flow: FlowView): boolean {
    this.#flows.push(flow);
    this.#units += (flow.text?.length ?? Infinity) + 1;
    if (this.#units > this.#room) return true;
    if (this.#units * MOST_PER_UNIT <= this.#room) return false;
    this.#bytes =
      this.#bytes === undefined ? this.#flows.reduce((sum, one) => sum + bytesOf(one), 0) : this.#bytes + bytesOf(flow);
    return this.#bytes > this.#room;
  }
}
