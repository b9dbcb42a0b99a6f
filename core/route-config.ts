// One route as the operator wrote it: what it must hold, and in words of ours what is wrong with it.
// No sentence here holds a configured value, only names of fields.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { configuredPath, DEFAULT_PREFIX, PATH_FAULTS } from "./configured-path.ts";
import { isSendable, MAX_SECRET_BYTES } from "./secret.ts";
import { printable } from "./text.ts";

const text = z.string().min(1);

const secretRef = z.strictObject({
  source: z.enum(["env", "file", "exec", "store"]),
  provider: z.string(),
  id: z.string(),
});

//= CONFIG-7
/** One route as written: M-3 … M-8. The manifest's JSON Schema is generated from this. */
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
  secret: "is missing or no secret. Set a long random text, or a SecretRef with source, provider and id",
  controllerId: "must be a text that is not empty",
  description: "must be a text",
} as const satisfies Record<keyof RouteEntry, string>;

const isField = (name: string): name is keyof RouteEntry => Object.hasOwn(HINTS, name);

/** What is wrong and what to do; `field` where one is to blame. */
export type Flaw = { readonly field?: string; readonly sentence: string };

export const flaw = (field: string, sentence: string): Flaw => ({ field, sentence });

const flawOf = (issue: z.core.$ZodIssue | undefined): Flaw => {
  const field = printable(String(issue?.code === "unrecognized_keys" ? issue.keys[0] : (issue?.path[0] ?? "")));
  if (issue?.code === "unrecognized_keys") return flaw(field, "is no field of a route. Remove it or correct its name");
  return isField(field) ? flaw(field, HINTS[field]) : { sentence: "must be an object with sessionKey and secret" };
};

/**
 * The Gateway leaves `${NAME}` as written when the variable is not set: a secret that everybody can read. A reference
 * that resolves to blank text has not resolved either.
 */
const PLACEHOLDER = /\$\{[A-Z_][A-Z0-9_]*\}/u;

//= ROUTE-3
/** The secret, or undefined while it is unresolved. */
const configuredSecret = ({ secret }: RouteEntry): Result<string | undefined, Flaw> => {
  const value = typeof secret === "string" ? secret.trim() : "";
  if (value === "" || PLACEHOLDER.test(value)) return ok(undefined);
  if (isSendable(value)) return ok(value);
  return err(flaw("secret", `is longer than ${String(MAX_SECRET_BYTES)} bytes. Set a shorter one`));
};

const pathOf = (id: string, { path }: RouteEntry): Result<string, Flaw> =>
  configuredPath(path?.trim() ?? `${DEFAULT_PREFIX}/${id}`).mapErr((fault) =>
    flaw(path === undefined ? "path, by default made from the route id," : "path", PATH_FAULTS[fault]),
  );

const nonEmpty = (
  field: "sessionKey" | "controllerId",
  value: string | undefined,
): Result<string | undefined, Flaw> => {
  const trimmed = value?.trim();
  return trimmed === "" ? err(flaw(field, HINTS[field])) : ok(trimmed);
};

/** A route whose fields are right, before its secret and path meet those of others. */
export type RouteDraft = {
  readonly id: string;
  readonly path: string;
  readonly sessionKey: string;
  readonly controllerId: string;
  /** Undefined while it is unresolved. */
  readonly secret: string | undefined;
};

//= CONFIG-6
const draftOf = (id: string, entry: RouteEntry): Result<RouteDraft, Flaw> =>
  nonEmpty("sessionKey", entry.sessionKey).andThen((sessionKey = "") =>
    nonEmpty("controllerId", entry.controllerId).andThen((controllerId = `webhooks/${id}`) =>
      configuredSecret(entry).andThen((secret) =>
        pathOf(id, entry).map((path) => ({ id, path, sessionKey, controllerId, secret })),
      ),
    ),
  );

/** Errs with the first flaw. Texts come out trimmed, defaults filled in (M-4, M-7). */
export const parseRoute = (id: string, written: unknown): Result<RouteDraft, Flaw> => {
  if (id.trim() === "") return err({ sentence: "has an empty id. Give it a name" });
  const parsed = routeSchema.safeParse(written);
  return parsed.success ? draftOf(id.trim(), parsed.data) : err(flawOf(parsed.error.issues[0]));
};
