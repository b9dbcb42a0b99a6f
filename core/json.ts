// A JSON value that survives storage unchanged: bounded depth, finite numbers, well-formed text, no `__proto__`.
// One loop and no recursion, so that no nesting can overflow the stack (BODY-4).

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

type Rules = {
  readonly depth: number;
  readonly text: (text: string) => JsonFault | undefined;
  readonly member: (name: string) => JsonFault | undefined;
  readonly container: (value: object) => JsonFault | undefined;
};

type Level = readonly [value: unknown, depth: number];

const wellFormed = (text: string): JsonFault | undefined => (text.isWellFormed() ? undefined : "lone_surrogate");

/** What `JSON.parse` made has plain containers already; what it holds must be storable. */
const REQUEST: Rules = {
  depth: MAX_REQUEST_DEPTH,
  text: wellFormed,
  member: (name) => (name === "__proto__" ? "forbidden_member" : wellFormed(name)),
  container: () => undefined,
};

const isAccessor = ({ get, set }: PropertyDescriptor): boolean => get !== undefined || set !== undefined;

/** A host's object may be anything: only plain data that `JSON.stringify` reads without running code passes. */
const plainData = (value: object): JsonFault | undefined => {
  const prototype: unknown = Object.getPrototypeOf(value);
  const expected = Array.isArray(value) ? [Array.prototype] : [Object.prototype, null];
  if (!expected.some((allowed) => allowed === prototype)) return "not_json";
  if (Object.values(Object.getOwnPropertyDescriptors(value)).some(isAccessor)) return "not_json";
  return "toJSON" in value && typeof value.toJSON === "function" ? "not_json" : undefined;
};

const HOST: Rules = {
  depth: MAX_HOST_DEPTH,
  text: () => undefined,
  member: () => undefined,
  container: plainData,
};

const scalarFault = (value: unknown, rules: Rules): JsonFault | undefined => {
  if (typeof value === "string") return rules.text(value);
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "not_finite";
  return value === null || typeof value === "boolean" ? undefined : "not_json";
};

const openArray = (items: readonly unknown[], depth: number, stack: Level[]): undefined => {
  for (const item of items) stack.push([item, depth]);
};

const openObject = (value: object, depth: number, stack: Level[], rules: Rules): JsonFault | undefined => {
  for (const [name, member] of Object.entries(value)) {
    const fault = rules.member(name);
    if (fault !== undefined) return fault;
    stack.push([member, depth]);
  }
  return undefined;
};

/** Puts the members of a container on the stack, or says what is wrong with the container itself. */
const open = (value: object, depth: number, stack: Level[], rules: Rules): JsonFault | undefined => {
  if (depth > rules.depth) return "too_deep";
  const fault = rules.container(value);
  if (fault !== undefined) return fault;
  return Array.isArray(value) ? openArray(value, depth, stack) : openObject(value, depth, stack, rules);
};

const firstFault = (root: unknown, rules: Rules): JsonFault | undefined => {
  const stack: Level[] = [[root, 0]];
  for (let level = stack.pop(); level !== undefined; level = stack.pop()) {
    const [value, depth] = level;
    const isContainer = typeof value === "object" && value !== null;
    const fault = isContainer ? open(value, depth + 1, stack, rules) : scalarFault(value, rules);
    if (fault !== undefined) return fault;
  }
  return undefined;
};

// boundary: firstFault has just proved the shape that the cast claims.
const check = (value: unknown, rules: Rules): Result<JsonValue, JsonFault> => {
  const fault = firstFault(value, rules);
  return fault === undefined ? ok(value as JsonValue) : err(fault);
};

/** Checks a value made by `JSON.parse`: it can be stored and read back unchanged (BODY-4, BODY-5). Linear time. */
export const checkRequestJson = (value: unknown): Result<JsonValue, JsonFault> => check(value, REQUEST);

/**
 * Checks a value that a host handed over: plain data that can be put into a reply without running the host's code
 * (VIEW-3). May throw only if `value` holds a proxy whose traps throw; `viewed` in view.ts is the boundary for that.
 */
export const checkHostJson = (value: unknown): Result<JsonValue, JsonFault> => check(value, HOST);

/** `JSON.parse` as a total function. */
export const parseJson = (text: string): Result<unknown, "not_json"> => {
  try {
    const value: unknown = JSON.parse(text);
    return ok(value);
  } catch {
    return err("not_json");
  }
};
