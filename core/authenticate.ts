// From a request's headers to a route that may be acted for. The only place that makes an AuthenticatedRoute.

import { err, ok, type Result } from "neverthrow";
import type { Rejection } from "./rejection.ts";
import type { RequestHead } from "./request-head.ts";
import type { Route } from "./route.ts";
import { isSecret, MAX_SECRET_LENGTH, type Sha256 } from "./secret.ts";

const BEARER = "bearer ";
const OWN_HEADER = "x-openclaw-webhook-secret";

/** Proof that the request presented this route's secret (AUTH-1). */
class Authenticated {
  readonly route: Route;
  protected readonly sealed = true;

  constructor(route: Route) {
    this.route = route;
  }
}

export type AuthenticatedRoute = Authenticated;

/**
 * The credential that decides, trimmed: the rest of `Authorization` when it starts with `bearer ` in any case, else
 * the value of `x-openclaw-webhook-secret`; empty when there is none (M-17, AUTH-2).
 */
export const credentialOf = (header: RequestHead["header"]): string => {
  const authorization = (header("authorization") ?? "").trim();
  const isBearer = authorization.slice(0, BEARER.length).toLowerCase() === BEARER;
  return (isBearer ? authorization.slice(BEARER.length) : (header(OWN_HEADER) ?? "")).trim();
};

/** The route with proof, or `unauthorized`: the same value for every reason (AUTH-5). */
export const authenticate = (
  route: Route,
  header: RequestHead["header"],
  hash: Sha256,
): Result<AuthenticatedRoute, Rejection> => {
  const credential = credentialOf(header);
  const isPossible = credential !== "" && credential.length <= MAX_SECRET_LENGTH;
  return isPossible && isSecret(route.secret, credential, hash)
    ? ok(new Authenticated(route))
    : err({ code: "unauthorized" });
};
