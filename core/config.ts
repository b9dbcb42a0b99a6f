// Makes live routes from the operator's configuration. A route with a problem is skipped and reported; the others live
// (M-9).

import { err, ok } from "neverthrow";
import * as z from "zod";
import { auditOf, auditSchema, type AuditSettings } from "./audit-config.ts";
import { holdsKey } from "./audit.ts";
import { isObject, own } from "./own.ts";
import { fieldFault, parseRoute, problemName, type RouteDraft, type RouteFault, routeSchema } from "./route-config.ts";
import type { Fault } from "./rejection.ts";
import type { Credential, Route, Routes } from "./route.ts";
import { digestSecret, type Sha256 } from "./secret.ts";
import { signingKey } from "./signature.ts";
import { STRONG_SECRET_LENGTH, WEAKNESSES, weaknessesOf, type WeaknessKind } from "./weakness.ts";

/** The plugin's whole configuration block. */
export const configSchema = z.strictObject({
  routes: z.record(z.string(), routeSchema).optional(),
  audit: auditSchema.optional(),
});

/** `skipped`: the route does not exist. `cold`: not until its secret resolves. `untold`: it lives without callbacks. `advice`: it lives. */
export type Effect = "skipped" | "cold" | "untold" | "advice";

export type Problem = {
  readonly effect: Effect;
  readonly routeId?: string;
  readonly field?: string;
  /** What is wrong and what to do. */
  readonly sentence: string;
  /** The id is its route's session key, or holds it. The operator's log names it; nothing that is shown to others does. */
  readonly isKeyInId?: true;
};

/** `paths`: the canonical paths of live and cold routes, with the route's id. `audit`: undefined for no file. */
export type Config = {
  readonly routes: Routes;
  readonly paths: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
  readonly audit?: AuditSettings | undefined;
};

const SAME_ID = "has the same id as another route except for spaces. Give it another id";

const adviceOn = (value: string, sharedWith: string | undefined): string | undefined => {
  if (sharedWith !== undefined) {
    return `is the same as the secret of route ${problemName(sharedWith)}. Give each route its own secret`;
  }
  return value.length < STRONG_SECRET_LENGTH ? WEAKNESSES.short.sentence : undefined;
};

const SAME_SECRET = "is the same as secret. Remove it";

/** The secret from before the rotation, where it is another one. */
const previousOf = (previous: RouteDraft["previousSecret"], secret: string): RouteDraft["previousSecret"] =>
  previous.andThen((value) => (value === secret ? err(fieldFault("previousSecret", SAME_SECRET)) : ok(value)));

/** Each secret has been found fit for what the draft makes of it. */
const credentialOf = ({ signature, secretHeader }: RouteDraft, secrets: readonly string[], hash: Sha256): Credential =>
  signature === undefined
    ? { kind: "secret", secrets: secrets.map((secret) => digestSecret(secret, hash)), header: secretHeader }
    : {
        kind: "signature",
        scheme: signature,
        keys: secrets.flatMap((secret) =>
          signingKey(signature, secret).match(
            (key) => [key],
            () => [],
          ),
        ),
      };

//= CONFIG-4
/** Collects routes in order. An id or a path belongs to the first route that has it. */
class Collector {
  readonly routes = new Map<string, Route>();
  readonly paths = new Map<string, string>();
  readonly problems: Problem[] = [];
  readonly #ids = new Set<string>();
  readonly #secrets = new Map<string, string>();
  readonly #hash: Sha256;

  constructor(hash: Sha256) {
    this.#hash = hash;
  }

  report(routeId: string, faults: readonly RouteFault[]): void {
    for (const fault of faults) this.problems.push({ routeId, ...fault });
  }

  add(draft: RouteDraft): void {
    const conflicts = this.#conflictsOf(draft);
    const cold = draft.secret.isOk() ? [] : [{ effect: "cold", ...draft.secret.error } as const];
    this.report(draft.id, [...conflicts, ...cold]);
    if (conflicts.length > 0) return;
    this.paths.set(draft.path, draft.id);
    this.#ids.add(draft.id);
    if (draft.secret.isOk()) this.#open(draft, draft.secret.value);
  }

  #conflictsOf({ id, path }: RouteDraft): readonly RouteFault[] {
    const conflicts: RouteFault[] = [];
    const holder = this.paths.get(path);
    if (this.#ids.has(id)) conflicts.push({ effect: "skipped", sentence: SAME_ID });
    if (holder !== undefined) {
      const sentence = `is taken by route ${problemName(holder)}. Set another path`;
      conflicts.push({ effect: "skipped", ...fieldFault("path", sentence) });
    }
    return conflicts;
  }

  #open(draft: RouteDraft, value: string): void {
    const { id, path, sessionKey, controllerId, deliveries, maxBodyBytes, run, policy, limits } = draft;
    const notify = draft.notify.unwrapOr(undefined);
    const previous = previousOf(draft.previousSecret, value);
    const secrets = previous.isOk() && previous.value !== undefined ? [value, previous.value] : [value];
    const credential = credentialOf(draft, secrets, this.#hash);
    const asked = { maxBodyBytes, deliveries, run, notify, policy, limits };
    this.routes.set(path, { id, path, sessionKey, controllerId, credential, ...asked });
    const advice = adviceOn(value, this.#secrets.get(value));
    if (advice !== undefined) this.#advise(id, fieldFault("secret", advice));
    if (previous.isErr()) this.#advise(id, previous.error);
    if (draft.notify.isErr()) this.problems.push({ routeId: id, ...draft.notify.error, effect: "untold" });
    this.#secrets.set(value, id);
  }

  #advise(routeId: string, fault: Fault): void {
    this.problems.push({ routeId, ...fault, effect: "advice" });
  }
}

//= ROUTE-3
const isDisabled = (written: unknown): boolean => isObject(written) && own(written, "enabled") === false;

/** Why a configuration has neither a route nor a problem. */
export const emptiness = (written: unknown): string => {
  const routes = own(written, "routes");
  return isObject(routes) && Object.keys(routes).length > 0
    ? "every route has enabled: false. Set it to true or remove it"
    : "no route is configured. Add one under routes";
};

const unusable = (sentence: string): Config => ({
  routes: new Map(),
  paths: new Map(),
  problems: [{ effect: "skipped", sentence }],
});

/** Ids that hold the session key of what is written for them, also where that makes no route. */
const idsWithKey = (routes: object): ReadonlySet<string> =>
  new Set(
    Object.entries(routes).flatMap(([id, entry]) => {
      const key = own(entry, "sessionKey");
      return typeof key === "string" && key.trim() !== "" && holdsKey(id, key.trim()) ? [id, id.trim()] : [];
    }),
  );

/** Says of each problem whether its route's id holds a session key. */
const marked = (problems: readonly Problem[], ids: ReadonlySet<string>): readonly Problem[] =>
  ids.size === 0
    ? problems
    : problems.map((problem) => (ids.has(problem.routeId ?? "") ? { ...problem, isKeyInId: true } : problem));

//= CONFIG-1
const load = (written: unknown, hash: Sha256): Config => {
  if (written === undefined || written === null) return { routes: new Map(), paths: new Map(), problems: [] };
  if (!isObject(written)) return unusable("the configuration must be an object with routes");
  const routes = own(written, "routes") ?? {};
  if (!isObject(routes)) return unusable("routes must be an object of routes by id");
  const collector = new Collector(hash);
  for (const [id, entry] of Object.entries(routes)) {
    if (isDisabled(entry)) continue;
    parseRoute(id, entry).match(
      (draft) => collector.add(draft),
      (faults) => collector.report(id, faults),
    );
  }
  const audit = auditOf(own(written, "audit"));
  const faults = audit.isErr() ? audit.error : [];
  return {
    routes: collector.routes,
    paths: collector.paths,
    problems: [
      ...marked(collector.problems, idsWithKey(routes)),
      ...faults.map((fault): Problem => ({ ...fault, effect: "skipped" })),
    ],
    audit: audit.unwrapOr(undefined),
  };
};

/**
 * The live routes and the problems of a configuration of any shape. A secret that is a string counts as resolved, an
 * object as a SecretRef that could not be resolved. Disabled routes are ignored.
 */
export const loadConfig = (written: unknown, hash: Sha256): Config => {
  try {
    return load(written, hash);
  } catch {
    // reading a proxy may throw
    return unusable("the configuration cannot be read. No route is served");
  }
};

const NO_AGENTS = fieldFault(
  "run",
  "starts agents only in a Gateway, because serve and a server of your own have none",
);

/** The configuration for a host that is not a Gateway: each route that would start agents gets an advice. */
export const withoutAgents = (config: Config): Config => {
  const advice = [...config.routes.values()]
    .filter(({ run }) => run !== undefined)
    .map(({ id }): Problem => ({ routeId: id, ...NO_AGENTS, effect: "advice" }));
  return advice.length === 0 ? config : { ...config, problems: [...config.problems, ...advice] };
};

/**
 * The configuration for a Gateway, where the session of a route may be an agent's own: with an advice for each weakness of
 * `kinds` that a live route has in `written`. `loadConfig` has told of secrets that are short or shared.
 */
export const withWeaknesses = (config: Config, written: unknown, kinds: readonly WeaknessKind[]): Config => {
  try {
    const live = new Set([...config.routes.values()].map(({ id }) => id));
    const advice = weaknessesOf(own(written, "routes"), kinds)
      .map(({ routeId, kind }): Problem => ({ routeId: routeId.trim(), ...WEAKNESSES[kind], effect: "advice" }))
      .filter(({ routeId = "" }) => live.has(routeId));
    return advice.length === 0 ? config : { ...config, problems: [...config.problems, ...advice] };
  } catch {
    // reading a proxy may throw
    return config;
  }
};

const EFFECTS: Readonly<Record<Effect, string>> = {
  skipped: "skipped",
  cold: "cold",
  untold: "without callbacks",
  advice: "advice",
};

/** How the line of such a problem begins, up to the field. */
export const problemStart = (effect: Effect, routeId: string | undefined): string =>
  `${routeId === undefined ? "" : `route ${problemName(routeId)} `}${EFFECTS[effect]}: `;

//= CONFIG-2
/** The problem as one line: the route, the field, what is wrong and what to do. */
export const problemLine = ({ effect, routeId, field, sentence }: Problem): string =>
  `${problemStart(effect, routeId)}${field === undefined ? "" : `${field} `}${sentence}.`;
