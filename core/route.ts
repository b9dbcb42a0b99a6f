// A route binds a path and a secret to one session. Requests find it by canonical path.

import { err, ok, type Result } from "neverthrow";
import type { Rule } from "./mapping.ts";
import { canonicalPath } from "./path.ts";
import type { Policy } from "./policy.ts";
import type { Rejection } from "./rejection.ts";
import type { SecretDigest } from "./secret.ts";
import type { SchemeName, SigningKey } from "./signature.ts";
import type { Template } from "./template.ts";

/** What opens a route. Where there are two secrets or keys, the second is the one before the last rotation. */
export type Credential =
  | {
      readonly kind: "secret";
      readonly secrets: readonly SecretDigest[];
      /** One more header field that may carry the secret, in lower case. */
      readonly header: string | undefined;
    }
  | { readonly kind: "signature"; readonly scheme: SchemeName; readonly keys: readonly SigningKey[] };

/** What a route makes of bodies that are not actions. */
export type Deliveries = {
  readonly rules: readonly Rule[];
  /** Whether a body that no rule takes may be a caller's action. */
  readonly allowActions: boolean;
};

/** The agent turn that a new flow of the route starts. */
export type Run = {
  readonly message: Template;
  /** The session that all runs share; undefined: each has a child session of the route's agent. */
  readonly session: string | undefined;
  /** Whether the agent has its tools. */
  readonly tools: boolean;
  /** Milliseconds after which a run is cancelled. */
  readonly timeoutMs: number;
  /** Runs of the route at once. */
  readonly concurrency: number;
};

/** What a callback can tell of a flow. */
export const EVENT_KINDS = ["ended", "waiting", "blocked"] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/** Where changes of the session's flows are told. */
export type Notify = { readonly url: string; readonly key: SigningKey; readonly on: ReadonlySet<EventKind> };

/** How much a route lets in, where it says something else than the rule for all, and how much its session may hold. */
export type RouteLimits = {
  /** Requests of one client in one window. */
  readonly perMinute: number;
  /** Unfinished requests of one client. */
  readonly inFlight: number;
  /** Flows of the session that have not ended, above which the route creates none. Undefined: no bound. */
  readonly maxFlows: number | undefined;
  /** Tasks of one flow that have not ended, above which the route adds none. Undefined: no bound. */
  readonly maxTasks: number | undefined;
};

export type Route = {
  readonly id: string;
  /** Canonical. */
  readonly path: string;
  /** The session that owns the flows: what the route is trusted to act for (M-5, M-10). Never shown to a caller. */
  readonly sessionKey: string;
  readonly controllerId: string;
  readonly credential: Credential;
  readonly maxBodyBytes: number;
  /** Undefined: each body is an action. */
  readonly deliveries: Deliveries | undefined;
  /** Undefined: a new flow starts nothing. */
  readonly run: Run | undefined;
  /** Undefined: nobody is told. */
  readonly notify: Notify | undefined;
  /** Undefined: callers may ask for anything. */
  readonly policy: Policy | undefined;
  /** Undefined: the rule for all routes. */
  readonly limits: RouteLimits | undefined;
};

/** Whether what opens the route is proved by the body. */
export const isSigned = ({ credential }: Route): boolean => credential.kind === "signature";

/** Live routes by canonical path. */
export type Routes = ReadonlyMap<string, Route>;

//= ROUTE-1, ROUTE-2, ROUTE-3
/** The route that a raw request target names, or `route_not_found`. */
export const resolveRoute = (routes: Routes, target: string): Result<Route, Rejection> => {
  // a canonical path is its own canonical form, so that most requests need no other
  const route =
    routes.get(target) ??
    canonicalPath(target)
      .map((path) => routes.get(path))
      .unwrapOr(undefined);
  return route === undefined ? err({ code: "route_not_found" }) : ok(route);
};
