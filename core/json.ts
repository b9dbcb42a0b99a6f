// A JSON value that survives storage unchanged: bounded depth, finite numbers, well-formed text, no `__proto__`.
// Recursion ends at the bound on the depth, so that no nesting can overflow the stack.

import { err, ok, type Result } from "neverthrow";
import { isNamed, type Named, own } from "./own.ts";

export type JsonValue = null | boolean | number | string | JsonValue[] | { readonly [member: string]: JsonValue };

/** Levels of arrays and objects that a request's value may have: what the Gateway's own store survives. */
export const MAX_REQUEST_DEPTH = 1000;

/** Levels that a host's value may have: more than any request, so that older flows stay readable. */
export const MAX_HOST_DEPTH = 1500;

export const JSON_FAULTS = {
  too_deep: "Nested too deep, 1000 levels are allowed",
  not_finite: "Number outside the range of a double",
  lone_surrogate: "Text holds half of a surrogate pair",
  forbidden_member: "Member name __proto__ is not allowed",
  not_json: "Not a JSON value",
} as const;

export type JsonFault = keyof typeof JSON_FAULTS;

/** Members that one host value may have in all: a graph that refers to itself cannot grow beyond it. */
const MAX_HOST_MEMBERS = 2_000_000;

const nameFault = (name: string): JsonFault | undefined => {
  if (name === "__proto__") return "forbidden_member";
  return name.isWellFormed() ? undefined : "lone_surrogate";
};

/** A value without members. */
const scalarFault = (value: unknown): JsonFault | undefined => {
  if (typeof value === "string") return value.isWellFormed() ? undefined : "lone_surrogate";
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "not_finite";
  return value === null || typeof value === "boolean" ? undefined : "not_json";
};

/** `depth`: the level that the members of `value` stand on. */
const itemsFault = (items: readonly unknown[], depth: number): JsonFault | undefined => {
  for (const item of items) {
    const fault = requestFault(item, depth);
    if (fault !== undefined) return fault;
  }
  return undefined;
};

/** Own members only: `for … in` gives inherited names too, and `hasOwn` is asked only at a fault, because it costs. */
const membersFault = (value: Named, depth: number): JsonFault | undefined => {
  for (const name in value) {
    const fault = nameFault(name) ?? requestFault(value[name], depth);
    if (fault !== undefined && Object.hasOwn(value, name)) return fault;
  }
  return undefined;
};

const requestFault = (value: unknown, depth: number): JsonFault | undefined => {
  if (!isNamed(value)) return scalarFault(value);
  if (depth > MAX_REQUEST_DEPTH) return "too_deep";
  return Array.isArray(value) ? itemsFault(value, depth + 1) : membersFault(value, depth + 1);
};

//= BODY-4, BODY-5
/** Checks a value made by `JSON.parse`: it can be stored and read back unchanged. Linear time. */
export const checkRequestJson = (value: unknown): Result<JsonValue, JsonFault> => {
  const fault = requestFault(value, 1);
  // boundary: requestFault has just proved the shape that the cast claims.
  return fault === undefined ? ok(value as JsonValue) : err(fault);
};

/** Whether `part` stands fewer than `limit` times in `text`. */
const isRare = (text: string, part: string, limit: number): boolean => {
  let seen = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    seen += 1;
    if (seen >= limit) return false;
  }
  return true;
};

const isDigit = (text: string, at: number): boolean => {
  const unit = text.charCodeAt(at);
  return unit >= 0x30 && unit <= 0x39;
};

/** Digits of a number that a double holds, whatever they are; 309 may be too many. */
const SAFE_DIGITS = 300;

/** Whether a run of SAFE_DIGITS digits stands in `text`: such a run contains one of the places 299, 599, 899 and so on. */
const hasLongNumber = (text: string): boolean => {
  for (let at = SAFE_DIGITS - 1; at < text.length; at += SAFE_DIGITS) {
    let from = at;
    let to = at;
    while (isDigit(text, from - 1)) from -= 1;
    while (isDigit(text, to + 1)) to += 1;
    if (isDigit(text, at) && to - from + 1 >= SAFE_DIGITS) return true;
  }
  return false;
};

const EXPONENT = /[eE][-+0-9]/u;

//= BODY-4, BODY-5
/**
 * Whether well-formed JSON text shows by itself that no value in it can be at fault: no escape that could be half a
 * surrogate pair, no `__proto__`, no exponent, no run of 300 digits, and too few brackets to nest too deep. A text of which
 * this is not true may still be harmless.
 */
export const isProvedByText = (text: string): boolean =>
  !text.includes("\\u") &&
  !text.includes("__proto__") &&
  isRare(text, "[", MAX_REQUEST_DEPTH / 2) &&
  isRare(text, "{", MAX_REQUEST_DEPTH / 2) &&
  !EXPONENT.test(text) &&
  !hasLongNumber(text);

/** With fewer commas than this, checking each member costs less than scanning the text. */
const FEW = 32;

/** Whether the values parsed from `text` need not be looked at one by one. */
export const needsNoWalk = (text: string): boolean => !isRare(text, ",", FEW) && isProvedByText(text);

/** Members that may still be read, so that a graph which refers to itself comes to an end. */
type Budget = { left: number };

const copyArray = (source: readonly unknown[], depth: number, budget: Budget): JsonValue | undefined => {
  const { length } = source;
  // a length that other code makes up may be negative or not a number
  budget.left -= Math.max(length, 0);
  if (!(budget.left >= 0)) return undefined;
  const copy: JsonValue[] = [];
  for (let index = 0; index < length; index += 1) {
    const item = copyMember(source[index], depth, budget);
    if (item === undefined) return undefined;
    copy.push(item);
  }
  return copy;
};

type Scalar = string | number | boolean | null;

const isScalar = (value: unknown): value is Scalar =>
  typeof value === "string" || typeof value === "boolean" || value === null || Number.isFinite(value);

type Copy = { [member: string]: unknown };

/** Puts copies in the place of what is not a scalar; false when a member is not JSON. */
const copyMembers = (copy: Copy, depth: number, budget: Budget): boolean => {
  for (const name in copy) {
    const member = copy[name];
    if (isScalar(member) || !Object.hasOwn(copy, name)) continue;
    const copied = copyMember(member, depth, budget);
    if (copied === undefined) return false;
    copy[name] = copied;
  }
  return true;
};

/**
 * The spread reads each own member once, an accessor too; what it read is checked and shown. All members are counted before
 * one of them is entered, because a graph that refers to itself is copied anew on each level.
 */
const copyObject = (source: object, depth: number, budget: Budget): JsonValue | undefined => {
  const copy: Copy = { ...source };
  let isFlat = true;
  for (const name in copy) {
    budget.left -= 1;
    isFlat &&= isScalar(copy[name]);
  }
  if (budget.left < 0 || !(isFlat || copyMembers(copy, depth, budget))) return undefined;
  // boundary: each member has just been checked.
  return copy as JsonValue;
};

/** The value, or a copy of it when it is a container; undefined when it is not JSON. */
const copyMember = (value: unknown, depth: number, budget: Budget): JsonValue | undefined => {
  if (isScalar(value)) return value;
  if (!isNamed(value) || depth >= MAX_HOST_DEPTH) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) return prototype === Array.prototype ? copyArray(value, depth + 1, budget) : undefined;
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  return copyObject(value, depth + 1, budget);
};

//= VIEW-5
/**
 * A copy of a JSON value in a record: each part is read once, and what is checked is what is shown. Undefined when it is
 * not JSON: an instance of a class, a function, a hole, a number that is not finite, more than 1,500 levels, or more than
 * `members` members. Throws only what reading the value throws.
 */
export const copyHostJson = (value: unknown, members: number = MAX_HOST_MEMBERS): JsonValue | undefined =>
  copyMember(value, 0, { left: members });

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** Where the text between quotation marks ends that begins at `start`. */
const endOfText = (text: string, start: number): number => {
  for (let at = start + 1; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH) at += 1;
  }
  return text.length;
};

//= BODY-4
/** Whether the text nests deeper than `levels`, before it is parsed: a megabyte of brackets takes a second to parse. */
export const nestsDeeper = (text: string, levels: number): boolean => {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) at = endOfText(text, at);
    else if (unit === OPEN_LIST || unit === OPEN_OBJECT) depth += 1;
    else if (unit === CLOSE_LIST || unit === CLOSE_OBJECT) depth -= 1;
    if (depth > levels) return true;
  }
  return false;
};

//= TOTAL-1
/** `JSON.parse` as a total function. */
export const parseJson = (text: string): Result<JsonValue, "not_json"> => {
  try {
    // boundary: JSON.parse makes nothing else.
    return ok(JSON.parse(text) as JsonValue);
  } catch {
    return err("not_json");
  }
};

/** The own member `name` of a JSON value; undefined when it has none. */
export const jsonMember = (value: JsonValue | undefined, name: string | number): JsonValue | undefined =>
  // boundary: an own member of JSON is JSON, also the length of an array.
  own(value, name) as JsonValue | undefined;

//= TOTAL-1
/** `JSON.stringify` as a total function; undefined for a text longer than the engine can hold. */
export const stringifyJson = (value: object): string | undefined => {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
};
