// A route binds a path and a secret to one session. Requests find it by canonical path.

import { err, ok, type Result } from "neverthrow";
import { canonicalPath } from "./path.ts";
import type { Rejection } from "./rejection.ts";
import type { SecretDigest } from "./secret.ts";

export type Route = {
  readonly id: string;
  /** Canonical. */
  readonly path: string;
  /** The session that owns the flows: what the route is trusted to act for (M-5, M-10). Never shown to a caller. */
  readonly sessionKey: string;
  readonly controllerId: string;
  readonly secret: SecretDigest;
};

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
