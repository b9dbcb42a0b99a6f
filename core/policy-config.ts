// Checks what a route says of what its callers may ask for. Sentences never contain a configured value.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import type { ActionName } from "./action.ts";
import { ruleName } from "./mapping.ts";
import { ACTION_GROUPS, actionsOf, type ChildSessions, type Policy } from "./policy.ts";
import type { Fault } from "./rejection.ts";
import type { Deliveries } from "./route.ts";

const WORDS = ["read", "write", ...ACTION_GROUPS.read, ...ACTION_GROUPS.write] as const;

/** The fields as written. */
export const policyShape = {
  actions: z.array(z.enum(WORDS)).min(1).optional(),
  controllerIds: z.array(z.string().trim().min(1)).min(1).optional(),
  childSessions: z.union([z.string().trim().min(1), z.array(z.string().trim().min(1)).min(1)]).optional(),
};

type Written = z.infer<z.ZodObject<typeof policyShape>>;

/** What `childSessions` says when a task may name no session. */
const NONE = "none";

const SESSIONS_HINT = `must be "${NONE}", a list of session keys, or one prefix with * at its end`;

export const POLICY_HINTS = {
  actions: `must be a list of ${WORDS.join(", ")}`,
  controllerIds: "must be a list of controller ids",
  childSessions: SESSIONS_HINT,
} as const satisfies Record<keyof Written, string>;

const WRONG_SESSIONS: Fault = { field: "childSessions", sentence: SESSIONS_HINT };

const sessionsOf = (written: Written["childSessions"]): Result<ChildSessions | undefined, Fault> => {
  if (written === undefined) return ok(undefined);
  if (written === NONE) return ok({ kind: "keys", keys: new Set() });
  const prefix = typeof written === "string" && written.endsWith("*") ? written.slice(0, -1) : undefined;
  if (prefix !== undefined && prefix !== "" && !prefix.includes("*")) return ok({ kind: "prefix", prefix });
  const keys = typeof written === "string" ? [written] : written;
  return keys.some((key) => key.includes("*")) ? err(WRONG_SESSIONS) : ok({ kind: "keys", keys: new Set(keys) });
};

/** A rule that could only ever be refused. */
const forbidden = (
  actions: ReadonlySet<ActionName> | undefined,
  deliveries: Deliveries | undefined,
): readonly Fault[] =>
  (deliveries?.rules ?? []).flatMap(({ action }, place) =>
    actions === undefined || actions.has(action)
      ? []
      : [{ field: ruleName(place), sentence: `has the action ${action}, which is not among the actions of the route` }],
  );

/** What the fields ask for; undefined when none is there. Errs with everything that is wrong. */
export const policyOf = (
  { actions: words, controllerIds, childSessions: written }: Written,
  deliveries: Deliveries | undefined,
): Result<Policy | undefined, readonly Fault[]> => {
  const actions = words === undefined ? undefined : actionsOf(words);
  const childSessions = sessionsOf(written);
  const faults = [...(childSessions.isErr() ? [childSessions.error] : []), ...forbidden(actions, deliveries)];
  if (childSessions.isErr() || faults.length > 0) return err(faults);
  if (words === undefined && controllerIds === undefined && written === undefined) return ok(undefined);
  const names = controllerIds === undefined ? undefined : new Set(controllerIds);
  return ok({ actions, controllerIds: names, childSessions: childSessions.value });
};
