// Checks one route as the operator wrote it. Sentences name fields and never contain a configured value.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { configuredPath, DEFAULT_PREFIX, PATH_FAULTS } from "./configured-path.ts";
import type { Fault } from "./rejection.ts";
import { isSendable, MAX_SECRET_BYTES } from "./secret.ts";
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
});

type RouteEntry = z.infer<typeof routeSchema>;

//= CONFIG-2, CONFIG-3
const HINTS = {
  enabled: "must be true or false",
  path: "must be a path such as /plugins/webhooks/zapier",
  sessionKey: "is missing or empty. Set it to the session that owns the flows, for example agent:main:main",
  secret:
    "is missing, or is neither a string nor a SecretRef. Set a long random string, or a SecretRef with source, provider and id",
  controllerId: "must be a string that is not empty",
  description: "must be a string",
} as const satisfies Record<keyof RouteEntry, string>;

const isField = (name: string): name is keyof RouteEntry => Object.hasOwn(HINTS, name);

/** `sentence`: what is wrong with the field and what to do. */
export const fieldFault = (field: string, sentence: string): Fault => ({ field, sentence });

const faultOf = (issue: z.core.$ZodIssue | undefined): Fault => {
  const field = printable(String(issue?.code === "unrecognized_keys" ? issue.keys[0] : (issue?.path[0] ?? "")));
  if (issue?.code === "unrecognized_keys")
    return fieldFault(field, "is not a field of a route. Remove it or correct its name");
  return isField(field)
    ? fieldFault(field, HINTS[field])
    : { sentence: "must be an object with sessionKey and secret" };
};

/** The Gateway leaves `${NAME}` as written when the variable is not set. Such a text is not a secret. */
const PLACEHOLDER = /\$\{[A-Z_][A-Z0-9_]*\}/u;

//= ROUTE-3
/** The secret, or undefined if it is unresolved: a SecretRef, a placeholder or blank. */
const configuredSecret = ({ secret }: RouteEntry): Result<string | undefined, Fault> => {
  const value = typeof secret === "string" ? secret.trim() : "";
  if (value === "" || PLACEHOLDER.test(value)) return ok(undefined);
  if (isSendable(value)) return ok(value);
  return err(fieldFault("secret", `is longer than ${String(MAX_SECRET_BYTES)} bytes. Set a shorter one`));
};

const pathOf = (id: string, { path }: RouteEntry): Result<string, Fault> =>
  configuredPath(path?.trim() ?? `${DEFAULT_PREFIX}/${id}`).mapErr((code) =>
    fieldFault(path === undefined ? "path, by default made from the route id," : "path", PATH_FAULTS[code]),
  );

const nonEmpty = (
  field: "sessionKey" | "controllerId",
  value: string | undefined,
): Result<string | undefined, Fault> => {
  const trimmed = value?.trim();
  return trimmed === "" ? err(fieldFault(field, HINTS[field])) : ok(trimmed);
};

/** A route with valid fields, not yet compared with the other routes. */
export type RouteDraft = {
  readonly id: string;
  readonly path: string;
  readonly sessionKey: string;
  readonly controllerId: string;
  /** Undefined if it is unresolved. */
  readonly secret: string | undefined;
};

//= CONFIG-6
const draftOf = (id: string, entry: RouteEntry): Result<RouteDraft, Fault> =>
  nonEmpty("sessionKey", entry.sessionKey).andThen((sessionKey = "") =>
    nonEmpty("controllerId", entry.controllerId).andThen((controllerId = `webhooks/${id}`) =>
      configuredSecret(entry).andThen((secret) =>
        pathOf(id, entry).map((path) => ({ id, path, sessionKey, controllerId, secret })),
      ),
    ),
  );

/** Errs with the first fault. Strings are trimmed and defaults filled in (M-4, M-7). */
export const parseRoute = (id: string, written: unknown): Result<RouteDraft, Fault> => {
  if (id.trim() === "") return err({ sentence: "has an empty id. Give it an id" });
  const parsed = routeSchema.safeParse(written);
  return parsed.success ? draftOf(id.trim(), parsed.data) : err(faultOf(parsed.error.issues[0]));
};
