// A JSON value that survives storage unchanged: bounded depth, finite numbers, well-formed text, no `__proto__`.
// One loop and no recursion, so that no nesting can overflow the stack.

import { err, ok, type Result } from "neverthrow";

export type JsonValue = null | boolean | number | string | JsonValue[] | { readonly [member: string]: JsonValue };

/** Levels of arrays and objects that a request's value may have: what the Gateway's own store survives. */
export const MAX_REQUEST_DEPTH = 1000;

/** Levels that a host's value may have: more than any request, so that older flows stay readable. */
export const MAX_HOST_DEPTH = 2000;

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

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;

const scalarFault = (value: unknown): JsonFault | undefined => {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "not_finite";
  return value === null || typeof value === "boolean" || typeof value === "string" ? undefined : "not_json";
};

const nameFault = (name: string): JsonFault | undefined => {
  if (name === "__proto__") return "forbidden_member";
  return name.isWellFormed() ? undefined : "lone_surrogate";
};

const firstNameFault = (value: object): JsonFault | undefined => {
  for (const name of Object.keys(value)) {
    const fault = nameFault(name);
    if (fault !== undefined) return fault;
  }
  return undefined;
};

/** Containers that are still to be looked into, with the level that they stand on. */
type Pending = { readonly value: object; readonly depth: number }[];

/** Looks at the members of one container; those that are containers wait for their turn. */
const checkMembers = (members: readonly unknown[], depth: number, texts: TextRule, pending: Pending) => {
  for (const member of members) {
    if (isContainer(member)) pending.push({ value: member, depth });
    else if (typeof member === "string") {
      if (texts === "any" && !member.isWellFormed()) return "lone_surrogate";
    } else {
      const fault = scalarFault(member);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
};

/**
 * What the texts and names of a value can be. `harmless`: it was parsed from well-formed text without a `\u` escape and
 * without `__proto__`, so that no text and no name in it can be at fault.
 */
export type TextRule = "any" | "harmless";

/** What the members of a value parsed from `text` can be; `text` is well-formed. */
export const textRuleOf = (text: string): TextRule =>
  text.includes("\\u") || text.includes("__proto__") ? "any" : "harmless";

const requestFault = (root: unknown, texts: TextRule): JsonFault | undefined => {
  const pending: Pending = [];
  const fault = checkMembers([root], 1, texts, pending);
  if (fault !== undefined) return fault;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next;
    if (depth > MAX_REQUEST_DEPTH) return "too_deep";
    const named = texts === "any" ? firstNameFault(value) : undefined;
    const found = named ?? checkMembers(Array.isArray(value) ? value : Object.values(value), depth + 1, texts, pending);
    if (found !== undefined) return found;
  }
  return undefined;
};

//= BODY-4, BODY-5
/**
 * Checks a value made by `JSON.parse`: it can be stored and read back unchanged. Linear time. `texts`: what is known of
 * the text that it was parsed from.
 */
export const checkRequestJson = (value: unknown, texts: TextRule = "any"): Result<JsonValue, JsonFault> => {
  const fault = requestFault(value, texts);
  // boundary: requestFault has just proved the shape that the cast claims.
  return fault === undefined ? ok(value as JsonValue) : err(fault);
};

type Named = { [member: string]: JsonValue };
type Copy = JsonValue[] | Named;
type Copying = { readonly source: object; readonly copy: Copy; readonly depth: number }[];

/** A plain array without holes or a plain object: what `JSON.stringify` reads without running anything. */
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) ? prototype === Array.prototype : prototype === Object.prototype || prototype === null;
};

/** A member as it is shown; a container is shown empty and filled later. Undefined: no JSON. */
const shownMember = (member: unknown, depth: number, pending: Copying): JsonValue | undefined => {
  // boundary: scalarFault has just proved it.
  if (!isContainer(member)) return scalarFault(member) === undefined ? (member as JsonValue) : undefined;
  const copy = Array.isArray(member) ? [] : {};
  pending.push({ source: member, copy, depth });
  return copy;
};

/** Own data only: an accessor has no value, and what has none is no JSON. */
const valueOf = (source: object, name: string | number): unknown =>
  Object.getOwnPropertyDescriptor(source, name)?.value;

/** An item that is not there is no JSON either, so that no length can promise more than there is. */
const copyItems = (source: object, length: number, copy: JsonValue[], depth: number, pending: Copying): boolean => {
  if (length > MAX_HOST_MEMBERS) return false;
  for (let index = 0; index < length; index += 1) {
    const shown = shownMember(valueOf(source, index), depth, pending);
    if (shown === undefined) return false;
    copy.push(shown);
  }
  return true;
};

const copyNamed = (source: object, names: readonly string[], copy: Named, depth: number, pending: Copying): boolean => {
  for (const name of names) {
    const shown = shownMember(valueOf(source, name), depth, pending);
    if (shown === undefined) return false;
    if (name === "__proto__") Object.defineProperty(copy, name, { value: shown, enumerable: true });
    else copy[name] = shown;
  }
  return true;
};

/** Copies the members of one container, each read once; says how many, or undefined when one is no plain data. */
const copyMembers = ({ source, copy, depth }: Copying[number], pending: Copying): number | undefined => {
  if (!isPlain(source)) return undefined;
  if (Array.isArray(copy)) {
    const length = Array.isArray(source) ? source.length : 0;
    return copyItems(source, length, copy, depth + 1, pending) ? length : undefined;
  }
  const names = Object.keys(source);
  return copyNamed(source, names, copy, depth + 1, pending) ? names.length : undefined;
};

const copyUnguarded = (value: unknown): Result<JsonValue, JsonFault> => {
  const pending: Copying = [];
  const shown = shownMember(value, 1, pending);
  if (shown === undefined) return err("not_json");
  let members = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.depth > MAX_HOST_DEPTH) return err("too_deep");
    const copied = copyMembers(next, pending);
    members += copied ?? 0;
    if (copied === undefined || members > MAX_HOST_MEMBERS) return err("not_json");
  }
  return ok(shown);
};

//= VIEW-3, TOTAL-1
/**
 * A copy of a value that a host handed over: plain data, read once, that can be put into a reply without running the
 * host's code. A proxy whose traps throw is no JSON.
 */
export const copyHostJson = (value: unknown): Result<JsonValue, JsonFault> => {
  try {
    return copyUnguarded(value);
  } catch {
    return err("not_json");
  }
};

//= TOTAL-1
/** `JSON.parse` as a total function. */
export const parseJson = (text: string): Result<unknown, "not_json"> => {
  try {
    const value: unknown = JSON.parse(text);
    return ok(value);
  } catch {
    return err("not_json");
  }
};
