// From an admitted request and its raw body to one that may act for its route. Of a signed route the body is the proof.

import { err, ok, type Result } from "neverthrow";
import type { Admitted, Located } from "./admit.ts";
import { authenticateBody, type AuthenticatedRoute, UNAUTHORIZED } from "./authenticate.ts";
import type { Rejection } from "./rejection.ts";
import type { Claim, HmacSha256 } from "./signature.ts";
import { grouped } from "./text.ts";

/**
 * Why there is no body. `no_room`: too many bodies are held already. `malformed`: what came is not HTTP. `gone`: the client hung up,
 * and nobody takes the answer.
 */
export type BodyFault = "too_large" | "timeout" | "no_room" | "malformed" | "gone";

/** Bytes that a body may have, and milliseconds in which it must arrive in full. */
export type BodyLimits = { readonly maxBytes: number; readonly deadlineMs: number };

//= BODY-2, BODY-7
/** Most bytes of a body, where the route says nothing else (M-13). */
export const MAX_BODY_BYTES = 262_144;

//= BODY-7
/** Most bytes that a route may allow: what GitHub sends at most. */
export const MOST_BODY_BYTES = 26_214_400;

//= BODY-3
/** Milliseconds in which a body must arrive in full (M-13). */
export const BODY_DEADLINE_MS = 15_000;

//= SIGN-5
/** The same for a client that has not proved itself before: providers want their answer within 10 seconds. */
export const UNPROVED_DEADLINE_MS = 10_000;

//= BODY-2, BODY-3, BODY-7, SIGN-5
export const bodyLimits = ({ located, proof }: Admitted): BodyLimits => ({
  maxBytes: located.route.maxBodyBytes,
  deadlineMs: proof.kind === "authenticated" || proof.isKnown ? BODY_DEADLINE_MS : UNPROVED_DEADLINE_MS,
});

//= AUTH-1
class ProvedRequest {
  readonly located: Located;
  readonly authenticated: AuthenticatedRoute;
  readonly body: Uint8Array;
  /** What the head of a signed request claimed, and the body has proved. */
  readonly claim: Claim | undefined;
  declare protected readonly sealed: true;

  constructor(located: Located, authenticated: AuthenticatedRoute, body: Uint8Array, claim: Claim | undefined) {
    this.located = located;
    this.authenticated = authenticated;
    this.body = body;
    this.claim = claim;
  }
}

/** A request whose body is there and whose sender may act for its route. */
export type Proved = ProvedRequest;

const tooLarge = (maxBytes: number): Rejection => ({
  code: "payload_too_large",
  fault: { sentence: `The body is larger than ${grouped(maxBytes)} bytes.` },
});

const MALFORMED: Rejection = {
  code: "invalid_request",
  fault: { sentence: "The body breaks off." },
};

const UNSIGNED: Rejection = { ...UNAUTHORIZED, why: "no key of the route signed its bytes" };

//= BODY-2, BODY-3, BODY-8
const refusalOf = (fault: BodyFault, { maxBytes, deadlineMs }: BodyLimits): Rejection => {
  switch (fault) {
    case "too_large":
      return maxBytes === MAX_BODY_BYTES ? { code: "payload_too_large" } : tooLarge(maxBytes);
    case "no_room":
      return { code: "overloaded" };
    case "timeout":
      return deadlineMs === BODY_DEADLINE_MS
        ? { code: "request_timeout" }
        : { code: "request_timeout", fault: { sentence: "The body did not arrive in time." } };
    case "malformed":
      return MALFORMED;
    case "gone":
      return { code: "request_timeout" };
  }
};

//= ORDER-1, ORDER-2, SIGN-4
/** Errs: payload_too_large, request_timeout, overloaded, invalid_request, unauthorized. */
export const prove = (
  admitted: Admitted,
  body: Result<Uint8Array, BodyFault>,
  hash: HmacSha256,
): Result<Proved, Rejection> => {
  const { located, proof } = admitted;
  if (body.isErr()) return err(refusalOf(body.error, bodyLimits(admitted)));
  if (body.value.length > located.route.maxBodyBytes) return err(refusalOf("too_large", bodyLimits(admitted)));
  if (proof.kind === "authenticated") return ok(new ProvedRequest(located, proof.authenticated, body.value, undefined));
  const signed = authenticateBody(located.route, proof.claim, body.value, hash, proof.allowance);
  return signed.isErr() ? err(UNSIGNED) : ok(new ProvedRequest(located, signed.value, body.value, proof.claim));
};
