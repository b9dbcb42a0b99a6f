// The rules of a route's deliveries: which one holds for a delivery, and the action that it makes of it. Nothing here can loop,
// choose an action by the payload, or read anything but the payload and the headers.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { ACTIONS, type ActionName } from "./action.ts";
import { checkRequestJson, type JsonValue } from "./json.ts";
import { isNamed, own } from "./own.ts";
import type { Fault } from "./rejection.ts";
import {
  type Budget,
  fill,
  type FillFault,
  fillText,
  parsePath,
  parseTemplate,
  type Path,
  readPath,
  type Source,
  type Template,
} from "./template.ts";
import { printable } from "./text.ts";

/** Actions that a delivery may cause. A provider does not read what a reading action would answer. */
export const DELIVERY_ACTIONS = [
  "create_flow",
  "set_waiting",
  "resume_flow",
  "finish_flow",
  "fail_flow",
  "request_cancel",
  "cancel_flow",
  "run_task",
] as const satisfies readonly ActionName[];

export type DeliveryAction = (typeof DELIVERY_ACTIONS)[number];

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** A rule as written. */
export const ruleSchema = z.strictObject({
  when: z.record(z.string(), z.union([scalar, z.array(scalar).min(1)])).optional(),
  key: z.string().optional(),
  do: z.looseObject({ action: z.enum(DELIVERY_ACTIONS) }),
});

type WrittenRule = z.infer<typeof ruleSchema>;

/** `anyOf`: the values that hold; undefined when it is enough that something is there. */
export type Condition = { readonly path: Path; readonly anyOf: ReadonlySet<unknown> | undefined };

/** A JSON value with templates in the places of its texts. */
type Tree =
  | { readonly kind: "value"; readonly value: JsonValue }
  | { readonly kind: "text"; readonly template: Template }
  | { readonly kind: "list"; readonly items: readonly Tree[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [name: string, value: Tree])[] };

export type Rule = {
  readonly when: readonly Condition[];
  /** What the flow is bound to, or found by. */
  readonly key: Template | undefined;
  readonly action: DeliveryAction;
  readonly fields: readonly (readonly [name: string, value: Tree])[];
};

/** What a rule makes of a delivery. `body`: as a caller would have sent it. */
export type Mapped = {
  readonly rule: number;
  readonly key: string | undefined;
  readonly body: { readonly [field: string]: JsonValue };
};

/** How a message calls the rule at a place of the list. */
export const ruleName = (place: number): string => `deliveries[${String(place)}]`;

/** UTF-16 units and members that one mapped action may hold. */
export const MAX_MAPPED = 524_288;

/** UTF-16 units of a key. */
export const MAX_KEY = 512;

//= MAP-3
/** Header fields that hold a credential: no mapping reads them, so that none can put one into a flow. */
const isCredential = (path: Path, credentials: readonly string[]): boolean =>
  path.from === "headers" && credentials.includes(path.name);

const templateFault = (place: number): string =>
  ` has a placeholder that cannot be read at character ${String(place)}. Write it like {{payload.a.b[0]}} or {{headers.x ?? "none"}}`;

const secretFault = (path: Path): string => ` reads ${printable(path.written)}, which holds a credential. Remove it`;

const checkedTemplate = (text: string, credentials: readonly string[]): Result<Template, string> =>
  parseTemplate(text)
    .mapErr(templateFault)
    .andThen((template) => {
      const paths = template.flatMap((part) => (typeof part === "string" ? [] : part.paths));
      const bad = paths.find((path) => isCredential(path, credentials));
      return bad === undefined ? ok(template) : err(secretFault(bad));
    });

/** Stops at the first fault. */
const each = <In, Out>(
  items: readonly In[],
  make: (item: In) => Result<Out, string>,
): Result<readonly Out[], string> => {
  const made: Out[] = [];
  for (const item of items) {
    const one = make(item);
    if (one.isErr()) return err(one.error);
    made.push(one.value);
  }
  return ok(made);
};

const membersOf = (value: Mapped["body"], credentials: readonly string[]): Result<Rule["fields"], string> =>
  each(Object.entries(value), ([name, member]) =>
    treeOf(member, credentials)
      .map((tree): readonly [string, Tree] => [name, tree])
      .mapErr((said) => `.${printable(name)}${said}`),
  );

/** Errs with what is to be said behind the field's name. `value` has been checked, so it does not nest too deep. */
const treeOf = (value: JsonValue, credentials: readonly string[]): Result<Tree, string> => {
  if (typeof value === "string")
    return checkedTemplate(value, credentials).map((template) => ({ kind: "text", template }));
  if (Array.isArray(value)) {
    return each([...value.entries()], ([place, item]) =>
      treeOf(item, credentials).mapErr((said) => `[${String(place)}]${said}`),
    ).map((items) => ({ kind: "list", items }));
  }
  return isNamed(value)
    ? membersOf(value, credentials).map((members) => ({ kind: "object", members }))
    : ok({ kind: "value", value });
};

const conditionOf = (written: string, wanted: unknown, credentials: readonly string[]): Result<Condition, string> => {
  const path = parsePath(written);
  if (path === undefined)
    return err(`when.${printable(written)} is not a path. Write it like payload.action or headers.x-github-event`);
  if (isCredential(path, credentials)) return err(`when${secretFault(path)}`);
  if (wanted === true) return ok({ path, anyOf: undefined });
  const anyOf = new Set<unknown>(Array.isArray(wanted) ? wanted : [wanted]);
  if (path.from === "headers" && ![...anyOf].some((value) => typeof value === "string"))
    return err(
      `when.${printable(written)} never holds, because a header is a text. Put its value between quotation marks`,
    );
  return ok({ path, anyOf });
};

/** Fields that the bound flow gives, with what stands for them until it is found. */
const BOUND: Readonly<Record<string, JsonValue>> = { flowId: "by-key", expectedRevision: 0 };

/** Names of the fields that a rule's key gives to an action on the flow that it finds. */
export const BOUND_FIELDS: readonly string[] = Object.keys(BOUND);

const boundFields = (action: DeliveryAction): Rule["fields"] =>
  Object.entries(BOUND).flatMap(([name, value]): Rule["fields"] =>
    Object.hasOwn(ACTIONS[action].shape, name) ? [[name, { kind: "value", value }]] : [],
  );

const fieldsFault = ({ do: written, key }: WrittenRule): string | undefined => {
  const fields = Object.keys(ACTIONS[written.action].shape);
  const unknown = Object.keys(written).find((name) => !fields.includes(name));
  if (unknown !== undefined)
    return `do.${printable(unknown)} is not a field of ${written.action}. Remove it or correct its name`;
  if (written.action === "create_flow") return undefined;
  const bound = BOUND_FIELDS.find((name) => Object.hasOwn(written, name));
  if (key !== undefined && bound !== undefined) return `do.${bound} is given by key. Remove one of the two`;
  const needed = fields.includes("flowId") && !Object.hasOwn(written, "flowId");
  return key === undefined && needed ? "needs key, or do.flowId, to name the flow that it acts on. Set one" : undefined;
};

const keyTemplate = (key: string | undefined, credentials: readonly string[]): Result<Template | undefined, string> =>
  key === undefined ? ok(undefined) : checkedTemplate(key, credentials).mapErr((said) => `key${said}`);

/** A tree without placeholders as the value that it is. */
const literalOf = (tree: Tree): JsonValue | undefined => {
  if (tree.kind === "value") return tree.value;
  if (tree.kind !== "text") return undefined;
  const [only = "", ...more] = tree.template;
  return typeof only === "string" && more.length === 0 ? only : undefined;
};

/** The value that a rule gives a field whatever is delivered; undefined where it has none, or reads it. */
export const literalIn = ({ fields }: Rule, name: string): JsonValue | undefined => {
  const tree = fields.find(([field]) => field === name)?.[1];
  return tree === undefined ? undefined : literalOf(tree);
};

//= CONFIG-11
/** A field that every delivery would lack, or have with a value that the action does not take. */
const valueFault = (action: DeliveryAction, fields: Rule["fields"]): string | undefined => {
  const given = new Map(fields);
  for (const [name, schema] of Object.entries<z.ZodType>(ACTIONS[action].shape)) {
    const tree = given.get(name);
    const value = tree === undefined ? undefined : literalOf(tree);
    if (tree !== undefined && value === undefined) continue;
    const issue = schema.safeParse(value).error?.issues[0];
    if (issue !== undefined) {
      return tree === undefined ? `do.${name} is missing. ${action} needs it` : `do.${name}: ${issue.message}`;
    }
  }
  return undefined;
};

const isBlankKey = (key: Template | undefined): boolean =>
  key !== undefined && key.every((part) => typeof part === "string" && part.trim() === "");

const parseRule = (written: WrittenRule, credentials: readonly string[]): Result<Rule, string> => {
  const fault = fieldsFault(written);
  if (fault !== undefined) return err(fault);
  const json = checkRequestJson(written.do);
  if (json.isErr()) return err("do must hold JSON");
  const when = each(Object.entries(written.when ?? {}), ([path, wanted]) => conditionOf(path, wanted, credentials));
  const key = keyTemplate(written.key, credentials);
  const tree = treeOf(json.value, credentials).mapErr((said) => `do${said}`);
  if (when.isErr()) return err(when.error);
  if (key.isErr()) return err(key.error);
  if (isBlankKey(key.value)) return err("key is blank. Write what the flow is about, such as {{payload.id}}");
  if (tree.isErr()) return err(tree.error);
  const { action } = written.do;
  const bound = written.key === undefined || action === "create_flow" ? [] : boundFields(action);
  const fields = tree.value.kind === "object" ? [...bound, ...tree.value.members] : bound;
  const wrong = valueFault(action, fields);
  return wrong === undefined ? ok({ when: when.value, key: key.value, action, fields }) : err(wrong);
};

/** Whether whatever satisfies `later` satisfies `earlier`. */
const covers = (earlier: Rule, later: Rule): boolean =>
  earlier.when.every(({ path, anyOf }) =>
    later.when.some(
      (other) =>
        other.path.written === path.written &&
        (anyOf === undefined || (other.anyOf !== undefined && [...other.anyOf].every((value) => anyOf.has(value)))),
    ),
  );

const HINTS: Readonly<Record<string, string>> = {
  when: "when must be an object of paths, each with a text, a number, true, false, null, or a list of these that is not empty",
  key: "key must be a text",
  do: `do must be an object with an action: ${DELIVERY_ACTIONS.join(", ")}`,
};

const NOT_A_RULE = "must be an object with do: { action, … }, and with when and key where they are wanted";

/** In the place of a rule that is refused: it comes before no other. */
const NEVER: Rule = {
  when: [{ path: { from: "headers", written: "", name: "" }, anyOf: new Set() }],
  key: undefined,
  action: "create_flow",
  fields: [],
};

const shapeFault = (issue: z.core.$ZodIssue | undefined): string => {
  if (issue?.code === "unrecognized_keys") {
    return `${printable(issue.keys.join(", "))} is not a part of a rule. A rule has when, key and do`;
  }
  return HINTS[String(issue?.path[0] ?? "")] ?? NOT_A_RULE;
};

/** The schema drops a member that it cannot hold, such as `__proto__`. */
const isWhole = (one: unknown, parsed: WrittenRule): boolean =>
  ["when", "do"].every((name) => namesIn(own(one, name)) === namesIn(own(parsed, name)));

const namesIn = (value: unknown): number => (isNamed(value) ? Object.keys(value).length : 0);

const ruleOf = (one: unknown, credentials: readonly string[]): Result<Rule, string> => {
  const parsed = ruleSchema.safeParse(one);
  if (!parsed.success) return err(shapeFault(parsed.error.issues[0]));
  return isWhole(one, parsed.data)
    ? parseRule(parsed.data, credentials)
    : err("has a member that cannot be read. Remove it");
};

/** Why a rule behind others is never reached, if it is so. */
const unreached = (rule: Rule, earlier: readonly Rule[]): string | undefined => {
  const place = earlier.findIndex((before) => covers(before, rule));
  const before = earlier[place];
  if (before === undefined) return undefined;
  const remedy = covers(rule, before) ? "Remove one of the two" : "Put it first";
  return `is never reached, because ${ruleName(place)} holds whenever it does. ${remedy}`;
};

//= CONFIG-11
/** The rules as written. Errs with a fault of each rule that is malformed, or that an earlier one always comes before. */
export const parseRules = (
  written: readonly unknown[],
  credentials: readonly string[],
): Result<readonly Rule[], readonly Fault[]> => {
  const rules: Rule[] = [];
  const faults: Fault[] = [];
  for (const [place, one] of written.entries()) {
    const rule = ruleOf(one, credentials);
    const sentence = rule.isErr() ? rule.error : unreached(rule.value, rules);
    if (sentence !== undefined) faults.push({ field: ruleName(place), sentence });
    // a place in the list is the rule's own, also after one that is refused
    rules.push(rule.isErr() ? NEVER : rule.value);
  }
  return faults.length === 0 ? ok(rules) : err(faults);
};

const holds = ({ path, anyOf }: Condition, source: Source): boolean => {
  const value = readPath(path, source);
  return anyOf === undefined ? value !== undefined : anyOf.has(value);
};

/** The first condition of a rule that a delivery does not meet; undefined when the rule holds. */
export const unmetIn = ({ when }: Rule, source: Source): Condition | undefined =>
  when.find((condition) => !holds(condition, source));

/** A value that a rule needs and that the delivery does not have, or of which it has too much. */
export type MappingFault = FillFault & { readonly rule: number };

const grow = (tree: Tree, source: Source, budget: Budget): Result<JsonValue, FillFault> => {
  switch (tree.kind) {
    case "value":
      return ok(tree.value);
    case "text":
      return fill(tree.template, source, budget);
    case "list": {
      const items: JsonValue[] = [];
      for (const item of tree.items) {
        const grown = grow(item, source, budget);
        if (grown.isErr()) return err(grown.error);
        items.push(grown.value);
      }
      return ok(items);
    }
    case "object":
      return growMembers(tree.members, source, budget);
  }
};

const growMembers = (members: Rule["fields"], source: Source, budget: Budget): Result<Mapped["body"], FillFault> => {
  const grown: { [name: string]: JsonValue } = {};
  for (const [name, tree] of members) {
    const value = grow(tree, source, budget);
    if (value.isErr()) return err(value.error);
    grown[name] = value.value;
  }
  return ok(grown);
};

const keyOf = ({ key }: Rule, source: Source, budget: Budget): Result<string | undefined, FillFault> => {
  if (key === undefined) return ok(undefined);
  return fillText(key, source, budget).andThen((text) => {
    if (text.trim() === "") return err({ path: "key", reason: "missing" as const });
    return text.length > MAX_KEY ? err({ path: "key", reason: "too_large" as const }) : ok(text);
  });
};

//= MAP-4
/** What the first rule that holds makes of a delivery, or undefined when none does. */
export const mapDelivery = (rules: readonly Rule[], source: Source): Result<Mapped, MappingFault> | undefined => {
  const place = rules.findIndex((rule) => unmetIn(rule, source) === undefined);
  const rule = rules[place];
  if (rule === undefined) return undefined;
  const budget: Budget = { left: MAX_MAPPED };
  return keyOf(rule, source, budget)
    .andThen((key) => growMembers(rule.fields, source, budget).map((body) => ({ rule: place, key, body })))
    .mapErr((fault) => ({ ...fault, rule: place }));
};
