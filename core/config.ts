// From the operator's configuration to live routes. A route with a problem is skipped and named; the rest live
// (M-9).

import * as z from "zod";
import { type Flaw, flaw, parseRoute, type RouteDraft, routeSchema } from "./route-config.ts";
import type { Route, Routes } from "./route.ts";
import { digestSecret, type Sha256 } from "./secret.ts";
import { printable } from "./text.ts";

/** The plugin's whole configuration block. */
export const configSchema = z.strictObject({ routes: z.record(z.string(), routeSchema).optional() });

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

const UNRESOLVED = "is empty or could not be resolved, so callers get 404. Set it, or repair its reference or provider";

const adviceOn = (value: string, sharedWith: string | undefined): string | undefined => {
  if (sharedWith !== undefined) {
    return `is the same as that of route ${printable(sharedWith)}. Give each route a secret of its own`;
  }
  return value.length < STRONG_SECRET_LENGTH
    ? `is shorter than ${String(STRONG_SECRET_LENGTH)} characters. Use a long random text`
    : undefined;
};

//= CONFIG-4
/** Collects routes one by one; what an earlier route took stays taken. */
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

  skip(routeId: string, found: Flaw): void {
    this.problems.push({ effect: "skipped", routeId, ...found });
  }

  add(draft: RouteDraft): void {
    if (this.#ids.has(draft.id)) {
      return this.skip(draft.id, { sentence: "has the id of another route, but for spaces. Give it another one" });
    }
    const holder = this.paths.get(draft.path);
    if (holder !== undefined) {
      return this.skip(draft.id, flaw("path", `is taken by route ${printable(holder)}. Set another path`));
    }
    this.paths.set(draft.path, draft.id);
    this.#ids.add(draft.id);
    if (draft.secret !== undefined) return this.#open(draft, draft.secret);
    this.problems.push({ effect: "cold", routeId: draft.id, ...flaw("secret", UNRESOLVED) });
  }

  #open({ id, path, sessionKey, controllerId }: RouteDraft, value: string): void {
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

//= CONFIG-1
const load = (written: unknown, hash: Sha256): Config => {
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

/**
 * Live routes and problems of a plugin configuration, whatever it is. Strings are taken as resolved
 * secrets, objects as SecretRefs that the host could not resolve. Disabled routes leave no trace.
 */
export const loadConfig = (written: unknown, hash: Sha256): Config => {
  try {
    return load(written, hash);
  } catch {
    // an object that throws when it is read is no configuration
    return nothing("the configuration cannot be read. No route is served");
  }
};

const EFFECTS = { skipped: "skipped", cold: "skipped", advice: "advice" } as const;

//= CONFIG-2
/** The problem as one line for the operator: the route, the field, what is wrong, what to do. */
export const problemLine = ({ effect, routeId, field, sentence }: Problem): string => {
  const route = routeId === undefined ? "" : `route ${printable(routeId)} `;
  return `${route}${EFFECTS[effect]}: ${field === undefined ? "" : `${field} `}${sentence}.`;
};
