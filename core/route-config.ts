// Checks one route as the operator wrote it. Sentences name fields and never contain a configured value.

import { err, ok, Result } from "neverthrow";
import * as z from "zod";
import { configuredPath, DEFAULT_PREFIX, PATH_FAULTS } from "./configured-path.ts";
import { filledIn, MAX_CONFIGURED, TOO_LONG } from "./configured-text.ts";
import { type DeliveryFields, deliveryFields } from "./delivery-config.ts";
import { LIMITS_HINTS, limitsOf, limitsSchema } from "./limits-config.ts";
import { NOTIFY_HINTS, type NotifyFault, notifyOf, notifyShape } from "./notify-config.ts";
import { isObject, own } from "./own.ts";
import type { Policy } from "./policy.ts";
import { POLICY_HINTS, policyOf, policyShape } from "./policy-config.ts";
import { MOST_BODY_BYTES } from "./prove.ts";
import type { Fault } from "./rejection.ts";
import type { Notify, RouteLimits, Run } from "./route.ts";
import { RUN_HINTS, runOf, runSchema } from "./run-config.ts";
import { coldness, unresolved } from "./secret-config.ts";
import { SCHEME_NAMES, signingKey } from "./signature.ts";
import { printable } from "./text.ts";

const text = z.string().min(1);

/** Names a secret that a provider keeps; `store` is the Gateway's own. */
export const secretRef = z.strictObject({
  source: z.enum(["env", "file", "exec", "store"]),
  provider: z.string(),
  id: z.string(),
});

//= CONFIG-7
/** One route as written (M-3 to M-8). The JSON Schema of the manifest is generated from this. */
export const routeSchema = z.strictObject({
  enabled: z.boolean().default(true),
  path: text.optional(),
  sessionKey: text,
  secret: z.union([z.string(), secretRef]),
  controllerId: text.optional(),
  description: z.string().optional(),
  signature: z.enum(SCHEME_NAMES).optional(),
  secretHeader: text.optional(),
  previousSecret: z.union([z.string(), secretRef]).optional(),
  // what a rule must be is said rule by rule when the route is loaded
  deliveries: z.array(z.record(z.string(), z.unknown())).optional(),
  allowActions: z.boolean().optional(),
  maxBodyBytes: z.int().min(1).max(MOST_BODY_BYTES).optional(),
  run: runSchema.optional(),
  notify: z.strictObject({ ...notifyShape, secret: z.union([z.string(), secretRef]) }).optional(),
  ...policyShape,
  limits: limitsSchema.optional(),
});

type RouteEntry = z.infer<typeof routeSchema>;

const partialSchema = routeSchema.partial();

//= CONFIG-2, CONFIG-3
const HINTS = {
  enabled: "must be true or false",
  path: "must be a path such as /plugins/webhooks/zapier",
  sessionKey: "is missing or empty. Set it to the session that owns the flows, for example agent:main:main",
  secret:
    "is missing, or is neither a string nor a SecretRef. Set a long random string, or a SecretRef with source, provider and id",
  controllerId: "must be a string that is not empty",
  description: "must be a string",
  signature: `must be one of ${SCHEME_NAMES.join(", ")}`,
  secretHeader: "must be the name of a header, such as X-Gitlab-Token",
  previousSecret:
    "is neither a string nor a SecretRef. Set the secret from before the rotation, or remove it once no sender uses it",
  deliveries: "must be a list of rules, such as { when: { … }, key: …, do: { action: … } }",
  allowActions: "must be true or false",
  maxBodyBytes: `must be a whole number of bytes from 1 to ${String(MOST_BODY_BYTES)}`,
  run: 'must be an object with a message, such as { message: "Review this: {{flow.goal}}" }',
  notify: "must be an object with url and secret",
  ...POLICY_HINTS,
  limits: "must be an object with perMinute, inFlight, maxFlows or maxTasks",
} as const satisfies Record<keyof RouteEntry, string>;

const isField = (name: string): name is keyof RouteEntry => Object.hasOwn(HINTS, name);

/** `sentence`: what is wrong with the field and what to do. */
export const fieldFault = (field: string, sentence: string): Fault => ({ field, sentence });

/** What a problem of a secret means for callers, where its route is not served. */
export const UNSERVED = ", so callers get 404";

/** What a problem of a previous secret means for callers. */
const UNUSED = ", so it opens nothing";

/** Faults of a secret about which a host without SecretRefs has something else to say. */
export const SECRET_FAULTS = {
  missing: HINTS.secret,
  unresolved: unresolved(UNSERVED),
  /** How the sentence about an object that is not a SecretRef begins. */
  malformed: "is not a SecretRef: ",
} as const;

const NOT_AN_OBJECT = { sentence: "must be an object with sessionKey and secret" };

const NAMES_OF_SOURCES = "env, file or exec, and in a Gateway also store";

/** Which part of a SecretRef is at fault. */
const partFault = (ref: object, issue: z.core.$ZodIssue): string => {
  if (issue.code === "unrecognized_keys") return `${printable(issue.keys.join(", "))} does not belong to it`;
  const part = String(issue.path[0]);
  if (own(ref, part) === undefined) return `${part} is missing`;
  return part === "source" ? "there is no such source" : `${part} must be a string`;
};

const refHint = (ref: object): string => {
  const parts = (secretRef.safeParse(ref).error?.issues ?? []).map((issue) => partFault(ref, issue)).join(", ");
  return `${SECRET_FAULTS.malformed}${parts}. Give it source (${NAMES_OF_SOURCES}), provider and id, and nothing else`;
};

const SESSION_TYPE = "must be a string. Set it to the session that owns the flows, for example agent:main:main";

/** What is wrong with the value of a field that has the wrong shape. */
const hintOf = (field: keyof RouteEntry, value: unknown): string => {
  if (field === "sessionKey" && value !== undefined && typeof value !== "string") return SESSION_TYPE;
  return (field === "secret" || field === "previousSecret") && isObject(value) ? refHint(value) : HINTS[field];
};

//= CONFIG-12
/** What may stand in a field that is an object, and what each part must be. */
const PARTS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  run: RUN_HINTS,
  notify: NOTIFY_HINTS,
  limits: LIMITS_HINTS,
};

/** Faults of the parts of such a field. */
const partFaults = (field: string, entry: object, issue: z.core.$ZodIssue): readonly Fault[] | undefined => {
  const hints = PARTS[field];
  if (hints === undefined) return undefined;
  const names = Object.keys(hints);
  if (issue.code === "unrecognized_keys" && issue.path.length === 1) {
    const sentence = `does not belong to ${field}. It has ${names.join(", ")}`;
    return issue.keys.map((key) => fieldFault(`${field}.${printable(key)}`, sentence));
  }
  const part = names.find((name) => name === issue.path[1]);
  if (part === undefined) return undefined;
  const ref = own(own(entry, field), part);
  return [fieldFault(`${field}.${part}`, part === "secret" && isObject(ref) ? refHint(ref) : (hints[part] ?? ""))];
};

const faultsOf = (entry: object, issue: z.core.$ZodIssue): readonly Fault[] => {
  if (issue.code === "unrecognized_keys" && issue.path.length === 0) {
    return issue.keys.map((key) =>
      fieldFault(printable(key), "is not a field of a route. Remove it or correct its name"),
    );
  }
  const field = String(issue.path[0]);
  const inside = partFaults(field, entry, issue);
  if (inside !== undefined) return inside;
  return [isField(field) ? fieldFault(field, hintOf(field, own(entry, field))) : NOT_AN_OBJECT];
};

//= CONFIG-2
/** What a problem calls a route: its whole id, because two routes may begin alike. */
export const problemName = (id: string): string => printable(id, MAX_CONFIGURED);

const COMMA = "contains a comma, which may be two lines of secretHeader joined. Set a secret without one";

type Given = z.infer<typeof partialSchema>;

/** What makes a usable secret unusable for the way in which it is presented. */
const unfit = (secret: string, { signature, secretHeader }: Given): string | undefined => {
  if (signature !== undefined) {
    const key = signingKey(signature, secret);
    return key.isErr() ? key.error : undefined;
  }
  return secretHeader !== undefined && secret.includes(",") ? COMMA : undefined;
};

/** `effect`: what it means for callers when the field holds no secret that can open the route. */
const secretOf = (given: Given, field: "secret" | "previousSecret", effect: string): Result<string, Fault> => {
  const written = given[field];
  const secret = typeof written === "string" ? written.trim() : "";
  const sentence = coldness(secret, effect) ?? unfit(secret, given);
  return sentence === undefined ? ok(secret) : err(fieldFault(field, sentence));
};

//= AUTH-9
/** The secret from before the rotation, if there is one. Errs when it cannot open the route. */
const previousOf = (given: Given): Result<string | undefined, Fault> =>
  given.previousSecret === undefined ? ok(undefined) : secretOf(given, "previousSecret", UNUSED);

const pathOf = (id: string, path: string | undefined): Result<string, Fault> => {
  const field = path === undefined ? "path, by default made from the route id," : "path";
  return filledIn(field, path?.trim() ?? `${DEFAULT_PREFIX}/${id}`).andThen((whole) =>
    configuredPath(whole).mapErr((code) => fieldFault(field, PATH_FAULTS[code])),
  );
};

const nonEmpty = (field: "sessionKey" | "controllerId", value: string): Result<string, Fault> =>
  value.trim() === "" ? err(fieldFault(field, HINTS[field])) : filledIn(field, value.trim());

/** A route with valid fields, not yet compared with the other routes. */
export type RouteDraft = DeliveryFields & {
  readonly id: string;
  readonly path: string;
  readonly sessionKey: string;
  readonly controllerId: string;
  /** Errs with why the route is cold. */
  readonly secret: Result<string, Fault>;
  /** Errs with why it opens nothing. */
  readonly previousSecret: Result<string | undefined, Fault>;
  readonly run: Run | undefined;
  /** Errs with why no callback is sent. */
  readonly notify: Result<Notify | undefined, Fault>;
  readonly policy: Policy | undefined;
  readonly limits: RouteLimits | undefined;
};

/** `skipped`: the route does not exist. `cold`: it does not exist until its secret is repaired. */
export type RouteFault = Fault & { readonly effect: "skipped" | "cold" };

const skipping = ({ field, sentence }: Fault): RouteFault => ({
  effect: "skipped",
  ...(field === undefined ? {} : { field }),
  sentence,
});

const isWrong = ({ effect }: NotifyFault): boolean => effect === "skipped";

/** The fields that have the right shape. */
const soundOf = (entry: object, faulty: ReadonlySet<string>): Given => {
  const sound = Object.entries(entry).filter(([name]) => isField(name) && !faulty.has(name));
  return partialSchema.safeParse(Object.fromEntries(sound)).data ?? {};
};

//= CONFIG-6
const draftOf = (id: string, entry: object): Result<RouteDraft, readonly RouteFault[]> => {
  const faults = (routeSchema.safeParse(entry).error?.issues ?? []).flatMap((issue) => faultsOf(entry, issue));
  const faulty = new Set(faults.map(({ field = "" }) => field.split(".", 1).join("")));
  const given = soundOf(entry, faulty);
  const sessionKey = nonEmpty("sessionKey", given.sessionKey ?? "");
  const controllerId =
    given.controllerId === undefined ? ok(`webhooks/${id}`) : nonEmpty("controllerId", given.controllerId);
  const path = pathOf(id, given.path);
  const secret = secretOf(given, "secret", UNSERVED);
  const deliveries = deliveryFields(given);
  const run = runOf(given.run);
  const notify = notifyOf(given.notify);
  const policy = policyOf(given, {
    controllerId: controllerId.unwrapOr(""),
    rules: deliveries.map((fields) => fields.deliveries?.rules).unwrapOr(undefined) ?? [],
    hasRun: given.run !== undefined,
  });
  const further = Object.entries({ sessionKey, controllerId, path, secret }).flatMap(([name, value]): RouteFault[] =>
    value.isOk() || faulty.has(name) ? [] : [{ effect: name === "secret" ? "cold" : "skipped", ...value.error }],
  );
  const all = [
    ...faults.map(skipping),
    ...further,
    ...(deliveries.isErr() ? deliveries.error.map(skipping) : []),
    ...(run.isErr() ? [skipping(run.error)] : []),
    ...(policy.isErr() ? policy.error.map(skipping) : []),
    ...(notify.isErr() && isWrong(notify.error) ? [skipping(notify.error)] : []),
  ];
  const isSkipped = all.some(({ effect }) => effect === "skipped");
  if (isSkipped || sessionKey.isErr() || controllerId.isErr() || path.isErr()) return err(all);
  if (deliveries.isErr() || run.isErr() || policy.isErr()) return err(all);
  const texts = { id, sessionKey: sessionKey.value, controllerId: controllerId.value, path: path.value };
  const optional = { previousSecret: previousOf(given), run: run.value, notify };
  const confined = { policy: policy.value, limits: limitsOf(given.limits) };
  return ok({ ...texts, secret, ...optional, ...confined, ...deliveries.value });
};

/** Errs with everything that is wrong. Strings are trimmed and defaults filled in (M-4, M-7). */
export const parseRoute = (id: string, written: unknown): Result<RouteDraft, readonly RouteFault[]> => {
  if (id.trim() === "") return err([skipping({ sentence: "has an empty id. Give it an id" })]);
  if (id.trim().length > MAX_CONFIGURED) return err([skipping({ field: "id", sentence: TOO_LONG })]);
  return isObject(written) ? draftOf(id.trim(), written) : err([skipping(NOT_AN_OBJECT)]);
};
