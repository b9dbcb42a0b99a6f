// What a route's callers may ask for, as far as the operator confines it. Undefined parts confine nothing.

import type { ActionName, FlowAction } from "./action.ts";
import { DELIVERY_ACTIONS, ruleName } from "./mapping.ts";
import type { Rejection } from "./rejection.ts";

/** Words that stand for several actions: those that change nothing, and those that may. */
export const ACTION_GROUPS = {
  read: ["get_flow", "list_flows", "find_latest_flow", "resolve_flow", "get_task_summary"],
  write: DELIVERY_ACTIONS,
} as const satisfies Readonly<Record<string, readonly ActionName[]>>;

export type ActionGroup = keyof typeof ACTION_GROUPS;

const isGroup = (name: ActionName | ActionGroup): name is ActionGroup => Object.hasOwn(ACTION_GROUPS, name);

/** The actions that a list of names and groups stands for. */
export const actionsOf = (names: readonly (ActionName | ActionGroup)[]): ReadonlySet<ActionName> =>
  new Set(names.flatMap((name): readonly ActionName[] => (isGroup(name) ? ACTION_GROUPS[name] : [name])));

/** The child sessions that a task may name: some keys, or all that begin alike. No key: none. */
export type ChildSessions =
  { readonly kind: "keys"; readonly keys: ReadonlySet<string> } | { readonly kind: "prefix"; readonly prefix: string };

export type Policy = {
  readonly actions: ReadonlySet<ActionName> | undefined;
  /** Which controllers a body may name, beside the route's own. */
  readonly controllerIds: ReadonlySet<string> | undefined;
  readonly childSessions: ChildSessions | undefined;
};

//= POLICY-1
export const allowsAction = ({ actions }: Pick<Policy, "actions">, action: ActionName): boolean =>
  actions === undefined || actions.has(action);

//= POLICY-2
/** `own`: the route's controller. */
export const allowsController = (
  { controllerIds }: Pick<Policy, "controllerIds">,
  controllerId: string | undefined,
  own: string,
): boolean =>
  controllerIds === undefined || controllerId === undefined || controllerId === own || controllerIds.has(controllerId);

//= POLICY-3
/** Keys are compared as a Gateway compares them: white space around them is gone, and case counts. */
export const allowsChild = (
  { childSessions }: Pick<Policy, "childSessions">,
  sessionKey: string | undefined,
): boolean => {
  if (childSessions === undefined || sessionKey === undefined) return true;
  return childSessions.kind === "prefix"
    ? sessionKey.startsWith(childSessions.prefix)
    : childSessions.keys.has(sessionKey);
};

/** Fields for which an action is refused, and where the route says what it allows. */
const LISTS = { action: "actions", controllerId: "controllerIds", childSessionKey: "childSessions" } as const;

const forbiddenField = (policy: Policy, action: FlowAction, own: string): keyof typeof LISTS | undefined => {
  if (!allowsAction(policy, action.action)) return "action";
  if ("controllerId" in action && !allowsController(policy, action.controllerId, own)) return "controllerId";
  return "childSessionKey" in action && !allowsChild(policy, action.childSessionKey) ? "childSessionKey" : undefined;
};

//= POLICY-4
/** The actions of a route may be told to its callers; its controllers and sessions may not. */
const sentenceFor = (field: keyof typeof LISTS, { actions }: Policy, action: ActionName): string => {
  switch (field) {
    case "action":
      return `${action} is not allowed here. The route allows ${[...(actions ?? [])].join(", ")}.`;
    case "controllerId":
      return "The route does not allow this controller. Leave the field out, or name the route's own or another that it allows.";
    case "childSessionKey":
      return "The route does not allow a task to name this session.";
  }
};

/** A rejection, with the action where it was a valid one that the policy refuses. */
export type Refusal = Rejection & { readonly action?: ActionName };

//= POLICY-1, POLICY-2, POLICY-3, POLICY-4
/**
 * Why a valid action is refused; undefined when the policy allows it. `own`: the route's controller. `rule`: the place of the
 * rule that made the action of a delivery.
 */
export const refusalBy = (policy: Policy, action: FlowAction, own: string, rule?: number): Refusal | undefined => {
  const field = forbiddenField(policy, action, own);
  if (field === undefined) return undefined;
  const maker = rule === undefined ? "" : `${ruleName(rule)}: `;
  const what = field === "action" ? action.action : `the ${field} of ${action.action}`;
  const why = `${maker}${what} is not allowed by ${LISTS[field]}`;
  const fault = { field, sentence: sentenceFor(field, policy, action.action) };
  return { code: "action_not_allowed", fault, why, action: action.action };
};
