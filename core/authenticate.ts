// Checks a request's credential against its route. The only file that makes an AuthenticatedRoute.

import { err, ok, type Result } from "neverthrow";
import type { Rejection } from "./rejection.ts";
import type { RequestHead } from "./request-head.ts";
import type { Route } from "./route.ts";
import { isSecret, MAX_SECRET_BYTES, type Sha256 } from "./secret.ts";

const BEARER = "bearer ";
const OWN_HEADER = "x-openclaw-webhook-secret";

//= AUTH-1
/** Proof that the request presented this route's secret. */
class Authenticated {
  readonly route: Route;
  declare protected readonly sealed: true;

  constructor(route: Route) {
    this.route = route;
  }
}

export type AuthenticatedRoute = Authenticated;

const isBlank = (unit: number): boolean => unit === 0x20 || unit === 0x09;

/** Trims HTTP white space (RFC 9110 §5.6.3). A loop, because a regular expression can take quadratic time. */
const trimHttp = (value: string): string => {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from += 1;
  while (to > from && isBlank(value.charCodeAt(to - 1))) to -= 1;
  return value.slice(from, to);
};

//= AUTH-2, AUTH-7
/**
 * The trimmed credential: the rest of `Authorization` if that starts with `bearer ` in any case, else the value of
 * `x-openclaw-webhook-secret`, else empty (M-17). A header that was sent twice is one value here, and so no secret.
 */
export const credentialOf = (header: RequestHead["header"]): string => {
  const authorization = trimHttp(header("authorization") ?? "");
  const isBearer = authorization.slice(0, BEARER.length).toLowerCase() === BEARER;
  return trimHttp(isBearer ? authorization.slice(BEARER.length) : (header(OWN_HEADER) ?? ""));
};

//= AUTH-5, AUTH-6, LIMIT-7
/** The route with its proof, or `unauthorized`, which is the same for every reason. */
export const authenticate = (
  route: Route,
  header: RequestHead["header"],
  hash: Sha256,
): Result<AuthenticatedRoute, Rejection> => {
  const credential = credentialOf(header);
  const isPossible = credential.trim() !== "" && credential.length <= MAX_SECRET_BYTES;
  return isPossible && isSecret(route.secret, credential, hash)
    ? ok(new Authenticated(route))
    : err({ code: "unauthorized" });
};
