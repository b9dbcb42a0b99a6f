// Checks a request's credential against its route. The only file that makes an AuthenticatedRoute.

import { err, ok, type Result } from "neverthrow";
import type { Allowance } from "./allowance.ts";
import type { Rejection } from "./rejection.ts";
import type { RequestHead } from "./request-head.ts";
import type { Route } from "./route.ts";
import { isSecret, MAX_SECRET_BYTES, type SecretDigest, type Sha256 } from "./secret.ts";
import { type Claim, type HmacSha256, verifySignature } from "./signature.ts";

const BEARER = "bearer ";
const OWN_HEADER = "x-openclaw-webhook-secret";

/** Header fields that may hold the secret of any route. */
export const SECRET_HEADERS: readonly string[] = ["authorization", OWN_HEADER];

//= AUTH-1, AUTH-9
/** Proof that the request presented this route's secret, or a body signed with its key. */
class Authenticated {
  readonly route: Route;
  /** Whether it was the secret from before the last rotation. */
  readonly isPrevious: boolean;
  /** What its client may be told of the limits. */
  readonly allowance: Allowance | undefined;
  declare protected readonly sealed: true;

  constructor(route: Route, isPrevious: boolean, allowance: Allowance | undefined) {
    this.route = route;
    this.isPrevious = isPrevious;
    this.allowance = allowance;
  }
}

export type AuthenticatedRoute = Authenticated;

/** The refusal of every credential, whatever is wrong with it. */
export const UNAUTHORIZED: Rejection = { code: "unauthorized" };

const proof = (
  route: Route,
  place: number | undefined,
  allowance: Allowance | undefined,
): Result<AuthenticatedRoute, Rejection> =>
  place === undefined || place < 0 ? err(UNAUTHORIZED) : ok(new Authenticated(route, place > 0, allowance));

const isBlank = (unit: number): boolean => unit === 0x20 || unit === 0x09;

/** Trims HTTP white space (RFC 9110 §5.6.3). A loop, because a regular expression can take quadratic time. */
const trimHttp = (value: string): string => {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from += 1;
  while (to > from && isBlank(value.charCodeAt(to - 1))) to -= 1;
  return value.slice(from, to);
};

/** A comma may join two lines of one header, of which one was checked by a proxy and the other not. */
const single = (value: string): string => (value.includes(",") ? "" : value);

//= AUTH-2, AUTH-7, AUTH-8
/**
 * The trimmed credential: the rest of `Authorization` if that starts with `bearer ` in any case, else the value of
 * `x-openclaw-webhook-secret`, else of the route's own header, else empty (M-17). A header that was sent twice is one value
 * here, and so no secret.
 */
export const credentialOf = (header: RequestHead["header"], ownName?: string): string => {
  const authorization = trimHttp(header("authorization") ?? "");
  const isBearer = authorization.slice(0, BEARER.length).toLowerCase() === BEARER;
  if (isBearer) return trimHttp(authorization.slice(BEARER.length));
  const value = trimHttp(header(OWN_HEADER) ?? "");
  return value === "" && ownName !== undefined ? single(trimHttp(header(ownName) ?? "")) : value;
};

/** The place of the secret that was presented, or -1. All are compared, so that the time does not say which one it was. */
const placeOf = (secrets: readonly SecretDigest[], credential: string, hash: Sha256): number => {
  let place = -1;
  for (let at = secrets.length - 1; at >= 0; at -= 1) {
    const secret = secrets[at];
    if (secret !== undefined && isSecret(secret, credential, hash)) place = at;
  }
  return place;
};

//= AUTH-5, AUTH-6, LIMIT-7
/** The route with its proof, or `unauthorized`, which is the same for every reason. */
export const authenticate = (
  route: Route,
  header: RequestHead["header"],
  hash: Sha256,
  allowance?: Allowance,
): Result<AuthenticatedRoute, Rejection> => {
  if (route.credential.kind !== "secret") return err(UNAUTHORIZED);
  const { secrets, header: ownName } = route.credential;
  const credential = credentialOf(header, ownName);
  const isPossible = credential.trim() !== "" && credential.length <= MAX_SECRET_BYTES;
  return isPossible ? proof(route, placeOf(secrets, credential, hash), allowance) : err(UNAUTHORIZED);
};

//= AUTH-5, AUTH-6, SIGN-4, SIGN-6
/** The route with its proof when one of its keys signed the body, or `unauthorized`. */
export const authenticateBody = (
  route: Route,
  claim: Claim,
  body: Uint8Array,
  hash: HmacSha256,
  allowance?: Allowance,
): Result<AuthenticatedRoute, Rejection> =>
  route.credential.kind === "signature"
    ? proof(route, verifySignature(claim, route.credential.keys, body, hash), allowance)
    : err(UNAUTHORIZED);
