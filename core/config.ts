// From the operator's configuration to live routes. A route with a problem is skipped and named; the rest live
// (M-9, CONFIG-1). No sentence here ever holds a configured value, only route ids and field names (CONFIG-3).

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { configuredPath, DEFAULT_PREFIX, PATH_FAULTS } from "./configured-path.ts";
import type { Route, Routes } from "./route.ts";
import { digestSecret, MAX_SECRET_LENGTH, type Sha256 } from "./secret.ts";
import { printable } from "./text.ts";

const text = z.string().min(1);

const secretRef = z.strictObject({
  source: z.enum(["env", "file", "exec", "store"]),
  provider: z.string(),
  id: z.string(),
});

/** One route as written: M-3 … M-8. The manifest's JSON Schema is generated from this. */
export const routeSchema = z.strictObject({
  enabled: z.boolean().optional(),
  path: text.optional(),
  sessionKey: text,
  secret: z.union([text, secretRef]),
  controllerId: text.optional(),
  description: z.string().optional(),
});

/** The plugin's whole configuration block. */
export const configSchema = z.strictObject({ routes: z.record(z.string(), routeSchema).optional() });

type RouteEntry = z.infer<typeof routeSchema>;

/** `skipped`: the route does not exist. `cold`: the same, until its secret resolves. `advice`: it lives. */
export type Problem = {
  readonly effect: "skipped" | "cold" | "advice";
  readonly routeId?: string;
  readonly field?: string;
  /** What is wrong and what to do. */
  readonly sentence: string;
};

/** `paths`: canonical paths of live and cold routes, each with its route's id. */
export type Config = {
  readonly routes: Routes;
  readonly paths: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
};

/** Shorter secrets can be guessed; they work, with advice (M-11). UTF-16 units. */
const STRONG_SECRET_LENGTH = 16;

const HINTS: Readonly<Record<string, string>> = {
  enabled: "must be true or false",
  path: "must be a path such as /plugins/webhooks/zapier",
  sessionKey: "is missing or empty. Set it to the session that owns the flows, for example agent:main:main",
  secret: "is missing or empty. Set a long random text, or a SecretRef with source, provider and id",
  controllerId: "must be a text that is not empty",
  description: "must be a text",
};

type Flaw = Pick<Problem, "field" | "sentence">;

const flaw = (field: string, sentence: string): Flaw => ({ field, sentence });

const flawOf = (issue: z.core.$ZodIssue | undefined): Flaw => {
  const field = printable(String(issue?.code === "unrecognized_keys" ? issue.keys[0] : (issue?.path[0] ?? "")));
  if (issue?.code === "unrecognized_keys") return flaw(field, "is no field of a route. Remove it or correct its name");
  return field === ""
    ? { sentence: "must be an object with sessionKey and secret" }
    : flaw(field, HINTS[field] ?? "is not valid");
};

type Secret = { readonly kind: "plain"; readonly value: string } | { readonly kind: "unresolved" };

/** The Gateway leaves `${NAME}` as written when the variable is not set: a secret that everybody can read. */
const PLACEHOLDER = /\$\{[A-Z_][A-Z0-9_]*\}/u;

const configuredSecret = ({ secret }: RouteEntry): Result<Secret, Flaw> => {
  if (typeof secret !== "string" || PLACEHOLDER.test(secret)) return ok({ kind: "unresolved" });
  const value = secret.trim();
  if (value === "") return err(flaw("secret", HINTS["secret"] ?? ""));
  if (value.length <= MAX_SECRET_LENGTH) return ok({ kind: "plain", value });
  return err(flaw("secret", `is longer than ${String(MAX_SECRET_LENGTH)} characters. Set a shorter one`));
};

const pathOf = (id: string, { path }: RouteEntry): Result<string, Flaw> =>
  configuredPath(path?.trim() ?? `${DEFAULT_PREFIX}/${id}`).mapErr((fault) =>
    flaw(path === undefined ? "path, by default made from the route id," : "path", PATH_FAULTS[fault]),
  );

const nonEmpty = (field: string, value: string | undefined): Result<string | undefined, Flaw> => {
  const trimmed = value?.trim();
  return trimmed === "" ? err(flaw(field, HINTS[field] ?? "")) : ok(trimmed);
};

type Draft = {
  readonly id: string;
  readonly path: string;
  readonly sessionKey: string;
  readonly controllerId: string;
  readonly secret: Secret;
};

const draftOf = (id: string, entry: RouteEntry): Result<Draft, Flaw> =>
  nonEmpty("sessionKey", entry.sessionKey).andThen((sessionKey = "") =>
    nonEmpty("controllerId", entry.controllerId).andThen((controllerId = `webhooks/${id}`) =>
      configuredSecret(entry).andThen((secret) =>
        pathOf(id, entry).map((path) => ({ id, path, sessionKey, controllerId, secret })),
      ),
    ),
  );

const parseRoute = (id: string, written: unknown): Result<Draft, Flaw> => {
  if (id.trim() === "") return err({ sentence: "has an empty id. Give it a name" });
  const parsed = routeSchema.safeParse(written);
  return parsed.success ? draftOf(id.trim(), parsed.data) : err(flawOf(parsed.error.issues[0]));
};

const UNRESOLVED =
  "could not be resolved. Repair its reference or provider, then run: openclaw secrets reload. Callers get 404 until then";

const adviceOn = (value: string, sharedWith: string | undefined): string | undefined => {
  if (sharedWith !== undefined) {
    return `is the same as that of route ${printable(sharedWith)}. Give each route a secret of its own`;
  }
  return value.length < STRONG_SECRET_LENGTH
    ? `is shorter than ${String(STRONG_SECRET_LENGTH)} characters. Use a long random text`
    : undefined;
};

/** Collects routes one by one; what an earlier route took stays taken. */
class Collector {
  readonly routes = new Map<string, Route>();
  readonly paths = new Map<string, string>();
  readonly problems: Problem[] = [];
  readonly #secrets = new Map<string, string>();
  readonly #hash: Sha256;

  constructor(hash: Sha256) {
    this.#hash = hash;
  }

  skip(routeId: string, found: Flaw): void {
    this.problems.push({ effect: "skipped", routeId, ...found });
  }

  add(draft: Draft): void {
    const holder = this.paths.get(draft.path);
    if (holder !== undefined) {
      return this.skip(draft.id, flaw("path", `is taken by route ${printable(holder)}. Set another path`));
    }
    this.paths.set(draft.path, draft.id);
    if (draft.secret.kind === "plain") return this.#open(draft, draft.secret.value);
    this.problems.push({ effect: "cold", routeId: draft.id, ...flaw("secret", UNRESOLVED) });
  }

  #open({ id, path, sessionKey, controllerId }: Draft, value: string): void {
    this.routes.set(path, { id, path, sessionKey, controllerId, secret: digestSecret(value, this.#hash) });
    const advice = adviceOn(value, this.#secrets.get(value));
    if (advice !== undefined) this.problems.push({ effect: "advice", routeId: id, ...flaw("secret", advice) });
    this.#secrets.set(value, id);
  }
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const member = (value: object, name: string): unknown => Object.getOwnPropertyDescriptor(value, name)?.value;

const isDisabled = (written: unknown): boolean => isObject(written) && member(written, "enabled") === false;

const nothing = (sentence: string): Config => ({
  routes: new Map(),
  paths: new Map(),
  problems: [{ effect: "skipped", sentence }],
});

/**
 * Live routes and problems of a plugin configuration, whatever it is (CONFIG-1). Strings are taken as resolved
 * secrets, objects as SecretRefs that the host could not resolve. Disabled routes leave no trace.
 */
export const loadConfig = (written: unknown, hash: Sha256): Config => {
  if (written === undefined || written === null) return { routes: new Map(), paths: new Map(), problems: [] };
  if (!isObject(written)) return nothing("the configuration must be an object with routes");
  const routes = member(written, "routes") ?? {};
  if (!isObject(routes)) return nothing("routes must be an object of routes by id");
  const collector = new Collector(hash);
  for (const [id, entry] of Object.entries(routes)) {
    if (isDisabled(entry)) continue;
    parseRoute(id, entry).match(
      (draft) => collector.add(draft),
      (found) => collector.skip(id, found),
    );
  }
  return { routes: collector.routes, paths: collector.paths, problems: collector.problems };
};

const EFFECTS = { skipped: "skipped", cold: "skipped", advice: "advice" } as const;

/** The problem as one line for the operator: the route, the field, what is wrong, what to do (CONFIG-2). */
export const problemLine = ({ effect, routeId, field, sentence }: Problem): string => {
  const route = routeId === undefined ? "" : `route ${printable(routeId)} `;
  return `${route}${EFFECTS[effect]}: ${field === undefined ? "" : `${field} `}${sentence}.`;
};
