// What a route takes and what its rules do, in plain words for the operator.

import { originOf } from "./callback.ts";
import { stringifyJson } from "./json.ts";
import { type Condition, type Rule, ruleName } from "./mapping.ts";
import type { ChildSessions } from "./policy.ts";
import { MAX_BODY_BYTES } from "./prove.ts";
import type { Route } from "./route.ts";
import { SLOTS } from "./slot.ts";
import { readPath, type Source, type Template } from "./template.ts";
import { grouped, printable } from "./text.ts";
import { WINDOW } from "./window.ts";

/** UTF-16 units of a key or a value that a sentence shows. */
const SHOWN = 200;

/** A value as JSON writes it. */
export const shownValue = (value: unknown): string => {
  const list = stringifyJson([value]) ?? "[…]";
  return printable(list.slice(1, -1), SHOWN);
};

const anyOfText = (values: ReadonlySet<unknown>): string => [...values].map(shownValue).join(" or ");

const conditionText = ({ path, anyOf }: Condition): string =>
  `${printable(path.written)} is ${anyOf === undefined ? "there" : anyOfText(anyOf)}`;

const written = (template: Template): string =>
  template.map((part) => (typeof part === "string" ? part : part.written)).join("");

/** What the action is about: the flow of a key, or the one that the rule itself names. */
const aboutText = ({ action, key, fields }: Rule): string => {
  if (key !== undefined) {
    const text = shownValue(written(key));
    return action === "create_flow" ? `, bound to key ${text}` : ` of the flow that is bound to key ${text}`;
  }
  return fields.some(([name]) => name === "flowId") ? " of the flow that do.flowId names" : "";
};

const ruleText = (rule: Rule): string => {
  const when = rule.when.length === 0 ? "always" : `when ${rule.when.map(conditionText).join(" and ")}`;
  return `${when}: ${rule.action}${aboutText(rule)}`;
};

const takenText = ({ deliveries }: Route): string => {
  if (deliveries === undefined) return "actions";
  return deliveries.allowActions ? "deliveries, and actions of callers," : "deliveries";
};

const credentialText = ({ credential }: Route): string => {
  if (credential.kind === "secret") {
    const more = credential.header === undefined ? "" : `, which may stand in the header ${credential.header}`;
    const previous = credential.secrets.length > 1 ? " or its previousSecret" : "";
    return `with its secret${previous}${more}`;
  }
  const previous = credential.keys.length > 1 ? ", by secret or previousSecret" : "";
  return `that are signed as ${credential.scheme}${previous}`;
};

/** Nothing when it is what every route allows. */
const bodyText = ({ maxBodyBytes }: Route): string =>
  maxBodyBytes === MAX_BODY_BYTES ? "" : `, in bodies of at most ${grouped(maxBodyBytes)} bytes`;

/** Of an address only the origin, because its path or query may be a secret. */
const toldText = ({ notify }: Route): readonly string[] =>
  notify === undefined
    ? []
    : [`tells ${printable(originOf(notify), SHOWN)} when a flow is ${[...notify.on].join(", ")}`];

const CHILDREN = "child session";

const childrenText = (sessions: ChildSessions): string => {
  if (sessions.kind === "prefix") return `only ${CHILDREN}s that begin with its prefix`;
  const { size } = sessions.keys;
  if (size === 0) return `no ${CHILDREN}`;
  return size === 1 ? `one ${CHILDREN} only` : `${String(size)} ${CHILDREN}s only`;
};

//= POLICY-4
/** What the policy allows. Of sessions only how many, because their keys belong in no log. */
const allowedText = ({ policy }: Route): readonly string[] => {
  if (policy === undefined) return [];
  const { actions, controllerIds, childSessions } = policy;
  return [
    ...(actions === undefined ? [] : [`allows no action but ${[...actions].join(", ")}`]),
    ...(controllerIds === undefined
      ? []
      : [`lets a body name no controller but its own and ${[...controllerIds].map(shownValue).join(", ")}`]),
    ...(childSessions === undefined ? [] : [`lets a task name ${childrenText(childSessions)}`]),
  ];
};

/** What the route's own limits say otherwise than those of every route. */
const limitsText = ({ limits }: Route): readonly string[] => {
  if (limits === undefined) return [];
  const { perMinute, inFlight, maxFlows, maxTasks } = limits;
  const counts = [
    ...(perMinute === WINDOW.limit ? [] : [`${grouped(perMinute)} requests a minute`]),
    ...(inFlight === SLOTS.client ? [] : [`${grouped(inFlight)} at once`]),
  ];
  return [
    ...(counts.length === 0 ? [] : [`takes at most ${counts.join(" and ")} of each client`]),
    ...(maxFlows === undefined ? [] : [`makes no flow beyond ${grouped(maxFlows)} open in its session`]),
    ...(maxTasks === undefined ? [] : [`adds no task beyond ${grouped(maxTasks)} active of a flow`]),
  ];
};

/** What matters most to an operator comes first: whether words from outside reach an agent that has tools. */
const runText = ({ run }: Route): readonly string[] => {
  if (run === undefined) return [];
  const session = run.session === undefined ? "a session of its own" : `the session ${printable(run.session, SHOWN)}`;
  const bounds = `${grouped(run.timeoutMs / 1000)} s and ${String(run.concurrency)} at once at most`;
  return [
    `has a Gateway start an agent for each new flow, ${run.tools ? "with" : "without"} tools, in ${session}, ${bounds}`,
  ];
};

const isPlain = ({ credential, deliveries, limits, maxBodyBytes, notify, policy, run }: Route): boolean =>
  deliveries === undefined &&
  limits === undefined &&
  notify === undefined &&
  policy === undefined &&
  run === undefined &&
  maxBodyBytes === MAX_BODY_BYTES &&
  credential.kind === "secret" &&
  credential.header === undefined &&
  credential.secrets.length === 1;

/** Sentences on what the route takes, allows and bounds, one for each rule, one on its agents, and one on its callbacks. None for a route that takes all actions with one secret only. */
export const explainRoute = (route: Route): readonly string[] => {
  if (isPlain(route)) return [];
  const rules = route.deliveries?.rules ?? [];
  return [
    `takes ${takenText(route)} ${credentialText(route)}${bodyText(route)}`,
    ...allowedText(route),
    ...limitsText(route),
    ...rules.map((rule, place) => `${ruleName(place)}: ${ruleText(rule)}`),
    ...runText(route),
    ...toldText(route),
  ];
};

/** Why a condition does not hold for a delivery. */
export const explainUnmet = ({ path, anyOf }: Condition, source: Source): string => {
  const value = readPath(path, source);
  const wanted = anyOf === undefined ? "" : `, not ${anyOfText(anyOf)}`;
  return `${printable(path.written)} is ${value === undefined ? "missing" : shownValue(value)}${wanted}`;
};
