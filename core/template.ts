// The texts of a mapping: `{{payload.a.b[0]}}` and `{{headers.x ?? "none"}}` between literal parts. A template is parsed when the
// configuration is loaded. Filling it in reads own members and joins texts and does nothing else. A prompt's template is one, too,
// and reads a flow.

import { err, ok, type Result } from "neverthrow";
import { checkRequestJson, jsonMember, type JsonValue, MAX_REQUEST_DEPTH, parseJson, stringifyJson } from "./json.ts";
import { isNamed } from "./own.ts";

/** What a delivery offers to a mapping. `header`: by lower-case name. Of a flow, the `payload` is what callers see of it. */
export type Source = { readonly payload: JsonValue; readonly header: (name: string) => string | undefined };

/** Where a path may begin. */
export type Root = "payload" | "headers" | "flow";

const OF_DELIVERIES: readonly Root[] = ["payload", "headers"];

type Members = readonly (string | number)[];

/** A place in a delivery, and how the operator wrote it. */
export type Path =
  | { readonly from: "headers"; readonly written: string; readonly name: string }
  | { readonly from: "payload" | "flow"; readonly written: string; readonly members: Members };

export type Scalar = string | number | boolean | null;

type Literal = { readonly from: "literal"; readonly value: Scalar };

/** What stands between `{{` and `}}`: paths in the order in which they are tried, and what is taken when none is there. */
export type Placeholder = {
  readonly written: string;
  readonly paths: readonly Path[];
  readonly otherwise: Literal | undefined;
};

export type Template = readonly (string | Placeholder)[];

/** UTF-16 units of one text that is joined from parts. */
export const MAX_JOINED_TEXT = 65_536;

/** Members that one path names at most. */
const MAX_MEMBERS = 32;

/** A name of a header field (RFC 9110 §5.6.2). */
export const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/u;
const MEMBER = /\.([^\s.[\]{}"?]+)|\[(0|[1-9][0-9]{0,8})\]|\["([^"\\]*)"\]/uy;

const membersOf = (text: string): Members | undefined => {
  const members: (string | number)[] = [];
  MEMBER.lastIndex = 0;
  for (let end = 0; end < text.length; end = MEMBER.lastIndex) {
    const found = MEMBER.exec(text);
    if (found === null || members.length >= MAX_MEMBERS) return undefined;
    const [, name, index, quoted] = found;
    members.push(index === undefined ? (name ?? quoted ?? "") : Number(index));
  }
  return members;
};

//= MAP-1
/** `payload.a.b[0]`, `payload["odd name"]` or `headers.x-github-event`; undefined for anything else, and for another root. */
export const parsePath = (written: string, roots: readonly Root[] = OF_DELIVERIES): Path | undefined => {
  const from = roots.find((root) => written.startsWith(root));
  if (from === undefined) return undefined;
  const rest = written.slice(from.length);
  if (from === "headers") {
    const name = rest.slice(1).toLowerCase();
    return rest.startsWith(".") && HEADER_NAME.test(name) ? { from, written, name } : undefined;
  }
  const members = membersOf(rest);
  return members === undefined ? undefined : { from, written, members };
};

//= MAP-1
/** What stands at a path; undefined when nothing does. */
export const readPath = (path: Path, { payload, header }: Source): JsonValue | undefined => {
  if (path.from === "headers") return header(path.name);
  let value: JsonValue | undefined = payload;
  for (const member of path.members) value = jsonMember(value, member);
  return value;
};

const PATH = /(?:payload|headers|flow)(?:\.[^\s.[\]{}"?]+|\[\d+\]|\["[^"\\]*"\])*/uy;
const LITERAL = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null/uy;
const BETWEEN = /\s*\?\?\s*/uy;
const OPEN = /\{\{\s*/uy;
const CLOSE = /\s*\}\}/uy;

/** The text that `pattern` finds at `at`, or undefined. */
const tokenAt = (pattern: RegExp, text: string, at: number): string | undefined => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
};

const isScalar = (value: unknown): value is Scalar => value === null || !(isNamed(value) || value === undefined);

const literalOf = (token: string): Literal | undefined => {
  const value = parseJson(token).unwrapOr(undefined);
  return isScalar(value) ? { from: "literal", value } : undefined;
};

const termAt = (
  text: string,
  at: number,
  roots: readonly Root[],
): { readonly token: string; readonly term: Path | Literal } | undefined => {
  const written = tokenAt(PATH, text, at);
  const token = written ?? tokenAt(LITERAL, text, at);
  if (token === undefined) return undefined;
  const term = written === undefined ? literalOf(token) : parsePath(written, roots);
  return term === undefined ? undefined : { token, term };
};

/** A placeholder that starts at `start`, and where it ends. A literal ends it, because what follows would never be asked. */
const placeholderAt = (
  text: string,
  start: number,
  roots: readonly Root[],
): { readonly placeholder: Placeholder; readonly end: number } | undefined => {
  const paths: Path[] = [];
  let otherwise: Literal | undefined;
  let at = start + (tokenAt(OPEN, text, start) ?? "").length;
  for (;;) {
    const found = otherwise === undefined ? termAt(text, at, roots) : undefined;
    if (found === undefined) return undefined;
    at += found.token.length;
    if (found.term.from === "literal") otherwise = found.term;
    else paths.push(found.term);
    const close = tokenAt(CLOSE, text, at);
    if (close !== undefined) {
      const end = at + close.length;
      return { placeholder: { written: text.slice(start, end), paths, otherwise }, end };
    }
    const between = tokenAt(BETWEEN, text, at);
    if (between === undefined) return undefined;
    at += between.length;
  }
};

//= MAP-2
/** The template of a text. Errs with the place, counted from 1, of what is not a placeholder. */
export const parseTemplate = (text: string, roots: readonly Root[] = OF_DELIVERIES): Result<Template, number> => {
  const parts: (string | Placeholder)[] = [];
  let from = 0;
  for (let open = text.indexOf("{{"); open >= 0; open = text.indexOf("{{", from)) {
    const found = placeholderAt(text, open, roots);
    if (found === undefined) return err(open + 1);
    if (open > from) parts.push(text.slice(from, open));
    parts.push(found.placeholder);
    from = found.end;
  }
  if (from < text.length) parts.push(text.slice(from));
  return ok(parts);
};

/** Why a template cannot be filled in. `path`: as the operator wrote it. `unstorable`: what JSON cannot keep (BODY-5). */
export type FillFault = { readonly path: string; readonly reason: "missing" | "too_large" | "unstorable" };

/** UTF-16 units and members that may still be mapped, so that a payload cannot be multiplied by a template. */
export type Budget = { left: number };

/** Takes what a value weighs off the budget; false when that is used up, or when the value nests too deep for a request. */
const charge = (value: unknown, budget: Budget, depth = 1): boolean => {
  budget.left -= typeof value === "string" ? value.length + 1 : 1;
  if (budget.left < 0) return false;
  if (!isNamed(value)) return true;
  if (depth > MAX_REQUEST_DEPTH) return false;
  const isList = Array.isArray(value);
  for (const name in value) {
    if (!isList) budget.left -= name.length;
    if (!charge(value[name], budget, depth + 1)) return false;
  }
  return true;
};

/** The first value that is there. `null` counts only where nothing else is tried. */
export const valueOf = ({ paths, otherwise }: Placeholder, source: Source): JsonValue | undefined => {
  let last: JsonValue | undefined;
  for (const path of paths) {
    const value = readPath(path, source);
    if (value !== undefined && value !== null) return value;
    last = value;
  }
  return otherwise === undefined ? last : otherwise.value;
};

/** A text as it is, everything else as JSON; undefined when it is too large for one text. */
export const textOf = (value: unknown): string | undefined => {
  if (typeof value === "string") return value;
  return isNamed(value) ? stringifyJson(value) : String(value);
};

/** A literal is not named, because a provider reads the fault. */
const pathsOf = ({ paths }: Placeholder): string => `{{${paths.map(({ written }) => written).join(" ?? ")}}}`;

//= BODY-5
const charged = (placeholder: Placeholder, source: Source, budget: Budget): Result<JsonValue, FillFault> => {
  const value = valueOf(placeholder, source);
  const path = pathsOf(placeholder);
  if (value === undefined) return err({ path, reason: "missing" });
  if (!charge(value, budget)) return err({ path, reason: "too_large" });
  return checkRequestJson(value).mapErr(() => ({ path, reason: "unstorable" as const }));
};

const partText = (part: string | Placeholder, source: Source, budget: Budget): Result<string, FillFault> =>
  typeof part === "string"
    ? ok(part)
    : charged(part, source, budget).andThen((value) => {
        const text = value === null ? undefined : textOf(value);
        return text === undefined ? err({ path: pathsOf(part), reason: "missing" as const }) : ok(text);
      });

//= MAP-2
/** The template's text. A value that is missing or null is a fault here, because no text stands for it. */
export const fillText = (template: Template, source: Source, budget: Budget): Result<string, FillFault> => {
  let text = "";
  for (const part of template) {
    const added = partText(part, source, budget);
    if (added.isErr()) return added;
    text += added.value;
    const path = typeof part === "string" ? "" : pathsOf(part);
    if (text.length > MAX_JOINED_TEXT) return err({ path, reason: "too_large" });
  }
  return ok(text);
};

//= MAP-2
/** The template's value: a text that is one placeholder keeps the value's type, all others are joined. */
export const fill = (template: Template, source: Source, budget: Budget): Result<JsonValue, FillFault> => {
  const [only, ...more] = template;
  if (only === undefined || typeof only === "string" || more.length > 0) return fillText(template, source, budget);
  return charged(only, source, budget);
};
