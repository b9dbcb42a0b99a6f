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

/** Containers that are still to be looked into, and the level that each stands on: two lists, for they grow by thousands. */
type Pending = { readonly containers: object[]; readonly depths: number[] };

/** Looks at the members of one container; those that are containers wait for their turn. */
const checkMembers = (members: readonly unknown[], depth: number, texts: TextRule, pending: Pending) => {
  for (const member of members) {
    if (isContainer(member)) {
      pending.containers.push(member);
      pending.depths.push(depth);
    } else if (typeof member === "string") {
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
  const pending: Pending = { containers: [], depths: [] };
  const fault = checkMembers([root], 1, texts, pending);
  if (fault !== undefined) return fault;
  for (let next = pending.containers.pop(); next !== undefined; next = pending.containers.pop()) {
    const depth = pending.depths.pop() ?? 0;
    if (depth > MAX_REQUEST_DEPTH) return "too_deep";
    const named = texts === "any" && !Array.isArray(next) ? firstNameFault(next) : undefined;
    const found = named ?? checkMembers(Array.isArray(next) ? next : Object.values(next), depth + 1, texts, pending);
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

/** A container of our own: nobody else holds it, nothing in it runs. Its containers are a host's until they are copied. */
type Copy = unknown[] | { [member: string]: unknown };

/** A plain array without holes or a plain object: what `JSON.stringify` reads without running anything. */
const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) ? prototype === Array.prototype : prototype === Object.prototype || prototype === null;
};

const copyItems = (source: readonly unknown[]): Copy | undefined => {
  const copy: unknown[] = [];
  for (let index = 0; index < source.length; index += 1) {
    const item = Object.getOwnPropertyDescriptor(source, index);
    if (item === undefined || !("value" in item)) return undefined;
    copy.push(item.value);
  }
  return copy;
};

/** Made in one piece, the copy keeps the form that the engine knows; no member is an accessor, so that nothing is run. */
const copyFields = (source: object): Copy | undefined => {
  if (Object.getOwnPropertySymbols(source).length > 0) return undefined;
  for (const name in source) {
    const member = Object.getOwnPropertyDescriptor(source, name);
    if (member !== undefined && !("value" in member)) return undefined;
  }
  return { ...source };
};

const copyContainer = (source: object): Copy | undefined => {
  if (!isPlain(source)) return undefined;
  return Array.isArray(source) ? copyItems(source) : copyFields(source);
};

/** Our copies whose containers are still a host's, and the level of each copy. */
type Copying = { readonly copies: Copy[]; readonly depths: number[] };

/** What one member becomes: itself, a copy that waits to be looked into, or undefined when it is no JSON. */
const ownMember = (member: unknown, depth: number, copying: Copying): unknown => {
  if (!isContainer(member)) return scalarFault(member) === undefined ? member : undefined;
  const copy = copyContainer(member);
  if (copy === undefined) return undefined;
  copying.copies.push(copy);
  copying.depths.push(depth);
  return copy;
};

/** Makes the members of a copy our own; says how many there are, or that one is no JSON. */
const ownMembers = (copy: Copy, depth: number, copying: Copying): number | undefined => {
  if (Array.isArray(copy)) {
    for (let index = 0; index < copy.length; index += 1) {
      const item = copy[index];
      const own = ownMember(item, depth, copying);
      if (own === undefined) return undefined;
      if (own !== item) copy[index] = own;
    }
    return copy.length;
  }
  const names = Object.keys(copy);
  for (const name of names) {
    const member = copy[name];
    const own = ownMember(member, depth, copying);
    if (own === undefined) return undefined;
    if (own !== member) copy[name] = own;
  }
  return names.length;
};

const copyUnguarded = (value: unknown): Result<JsonValue, JsonFault> => {
  const copying: Copying = { copies: [], depths: [] };
  const copied = ownMember(value, 1, copying);
  if (copied === undefined) return err("not_json");
  let members = 0;
  for (let next = copying.copies.pop(); next !== undefined; next = copying.copies.pop()) {
    const depth = copying.depths.pop() ?? 0;
    if (depth > MAX_HOST_DEPTH) return err("too_deep");
    const owned = ownMembers(next, depth + 1, copying);
    members += owned ?? 0;
    if (owned === undefined || members > MAX_HOST_MEMBERS) return err("not_json");
  }
  // boundary: every scalar in it has passed scalarFault and every container is a plain copy of ours.
  return ok(copied as JsonValue);
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
