// Checks what a route says of what its callers may ask for. Sentences never contain a configured value.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { filledIn } from "./configured-text.ts";
import { literalIn, type Rule, ruleName } from "./mapping.ts";
import {
  ACTION_GROUPS,
  actionsOf,
  allowsAction,
  allowsChild,
  allowsController,
  type ChildSessions,
  type Policy,
} from "./policy.ts";
import type { Fault } from "./rejection.ts";

const WORDS = ["read", "write", ...ACTION_GROUPS.read, ...ACTION_GROUPS.write] as const;

/** Ends a prefix of session keys, and stands nowhere else. */
const ANY = "*";

const wholeName = z
  .string()
  .trim()
  .min(1)
  .refine((name) => !name.includes(ANY));

/** The fields as written. */
export const policyShape = {
  actions: z.array(z.enum(WORDS)).min(1).optional(),
  controllerIds: z.array(wholeName).min(1).optional(),
  childSessions: z.union([z.string().trim().min(1), z.array(z.string().trim().min(1)).min(1)]).optional(),
};

type Written = z.infer<z.ZodObject<typeof policyShape>>;

/** What `childSessions` says when a task may name no session. */
const NONE = "none";

const SESSIONS_HINT = `must be "${NONE}", a session key, a list of at least one, or one prefix with ${ANY} at its end`;

export const POLICY_HINTS = {
  actions: `must be a list of at least one of ${WORDS.join(", ")}`,
  controllerIds: `must be a list of at least one controller id, each in full, without ${ANY}`,
  childSessions: SESSIONS_HINT,
} as const satisfies Record<keyof Written, string>;

/** A word of a list, or in another writing, would be the key of a session that nobody has. */
const isKey = (text: string): boolean => !text.includes(ANY) && text.toLowerCase() !== NONE;

const sessionsOf = (written: Written["childSessions"]): Result<ChildSessions | undefined, Fault> => {
  if (written === undefined) return ok(undefined);
  if (written === NONE) return ok({ kind: "keys", keys: new Set() });
  const prefix = typeof written === "string" && written.endsWith(ANY) ? written.slice(0, -ANY.length) : undefined;
  if (prefix !== undefined && prefix !== "" && isKey(prefix)) return ok({ kind: "prefix", prefix });
  const keys = typeof written === "string" ? [written] : written;
  return keys.every(isKey)
    ? ok({ kind: "keys", keys: new Set(keys) })
    : err({ field: "childSessions", sentence: SESSIONS_HINT });
};

/** The first text that names nothing, because a reference in it was not filled in. */
const unfilled = (field: keyof Written, written: string | readonly string[] | undefined): readonly Fault[] =>
  [written ?? []]
    .flat()
    .flatMap((text) =>
      filledIn(field, text).match(
        () => [],
        (fault) => [fault],
      ),
    )
    .slice(0, 1);

/** What else of the route the policy has to agree with. */
export type Confined = {
  /** The route's own. */
  readonly controllerId: string;
  readonly rules: readonly Rule[];
  /** Whether new flows are to start agents. */
  readonly hasRun: boolean;
};

/** A text that the schema of an action would trim. */
const literal = (rule: Rule, name: string): string | undefined => {
  const value = literalIn(rule, name);
  return typeof value === "string" ? value.trim() : undefined;
};

/** Why every delivery that the rule takes would be refused. */
const ruleFault = (rule: Rule, policy: Policy, controllerId: string): string | undefined => {
  if (!allowsAction(policy, rule.action))
    return `has the action ${rule.action}, which is not among actions of the route`;
  if (!allowsController(policy, literal(rule, "controllerId"), controllerId))
    return "has do.controllerId with a controller that is not among controllerIds of the route";
  return allowsChild(policy, literal(rule, "childSessionKey"))
    ? undefined
    : "has do.childSessionKey with a session that is not among childSessions of the route";
};

const NO_RUN: Fault = {
  field: "run",
  sentence: "has no effect, because create_flow is not among actions of the route. Add it, or remove run",
};

/** What the route asks for and could only ever be refused. */
const contradictions = (policy: Policy, { controllerId, rules, hasRun }: Confined): readonly Fault[] => [
  ...rules.flatMap((rule, place): readonly Fault[] => {
    const sentence = ruleFault(rule, policy, controllerId);
    return sentence === undefined ? [] : [{ field: ruleName(place), sentence }];
  }),
  ...(hasRun && !allowsAction(policy, "create_flow") ? [NO_RUN] : []),
];

//= POLICY-6
/** What the fields ask for; undefined when none is there. Errs with everything that is wrong. */
export const policyOf = (
  { actions: words, controllerIds, childSessions: written }: Written,
  confined: Confined,
): Result<Policy | undefined, readonly Fault[]> => {
  if (words === undefined && controllerIds === undefined && written === undefined) return ok(undefined);
  const sessions = sessionsOf(written);
  const policy: Policy = {
    actions: words === undefined ? undefined : actionsOf(words),
    controllerIds: controllerIds === undefined ? undefined : new Set(controllerIds),
    childSessions: sessions.unwrapOr(undefined),
  };
  const faults = [
    ...unfilled("controllerIds", controllerIds),
    ...(sessions.isErr() ? [sessions.error] : unfilled("childSessions", written)),
    ...contradictions(policy, confined),
  ];
  return faults.length === 0 ? ok(policy) : err(faults);
};
