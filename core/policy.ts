// What a route's callers may ask for, as far as the operator confines it. Undefined parts confine nothing.

import type { ActionName } from "./action.ts";
import { DELIVERY_ACTIONS } from "./mapping.ts";

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
