// The steps before the body: locate finds the route, the limits count the request, admit judges it.

import { err, ok, type Result } from "neverthrow";
import type { Allowance } from "./allowance.ts";
import { authenticate, type AuthenticatedRoute, UNAUTHORIZED } from "./authenticate.ts";
import { networkOf } from "./network.ts";
import type { Rejection } from "./rejection.ts";
import { checkMediaType, isForm, type RequestHead } from "./request-head.ts";
import { isSigned, resolveRoute, type Route, type Routes } from "./route.ts";
import type { Sha256 } from "./secret.ts";
import { type Claim, readSignature, type Unproved } from "./signature.ts";

/** A POST to a route that exists, and the keys that it is counted under. */
export type Located = {
  readonly route: Route;
  readonly head: RequestHead;
  /** The client's network. */
  readonly client: string;
  /** Of the client's window and slots on this route. */
  readonly clientKey: string;
  /** Of the slots of the connection's other end on this route. */
  readonly peerKey: string;
};

/** The limits of several processes cannot be asked: the request is counted nowhere and holds no slot. */
export type Unavailable = { readonly kind: "admission_unavailable"; readonly retryAfterMs: number };

/** What the limits say of one request. Only an admitted one holds a slot. */
export type Verdict =
  /**
   * `isKnown`: the client has proved itself on this route before. Said for signed routes only. `allowance`: what it is told once
   * it is authenticated; without it, nothing.
   */
  | { readonly kind: "admitted"; readonly isKnown?: boolean; readonly allowance?: Allowance }
  | { readonly kind: "rate_limited" | "too_many_in_flight"; readonly retryAfterMs: number }
  | Unavailable;

/** How an admitted request has shown that it may act for its route, or what its body must prove yet. */
export type Proof =
  | { readonly kind: "authenticated"; readonly authenticated: AuthenticatedRoute }
  | {
      readonly kind: "signature_due";
      readonly claim: Claim;
      readonly isKnown: boolean;
      readonly allowance: Allowance | undefined;
    };

class AdmittedRequest {
  readonly located: Located;
  readonly proof: Proof;
  declare protected readonly sealed: true;

  constructor(located: Located, proof: Proof) {
    this.located = located;
    this.proof = proof;
  }
}

/** A request whose body may be read. Holds a slot until it is answered or gone. */
export type Admitted = AdmittedRequest;

//= ORDER-1
/** Finds the route by path, then checks the method. Errs: route_not_found, method_not_allowed. */
export const locate = (routes: Routes, head: RequestHead): Result<Located, Rejection> => {
  const found = resolveRoute(routes, head.target);
  if (found.isErr()) return err(found.error);
  if (head.method !== "POST") return err({ code: "method_not_allowed" });
  const route = found.value;
  // each is read once, because attributing a client may cost more than the rest of this step
  const { client: address, peer: connection } = head;
  const client = networkOf(address);
  const peer = connection === address ? client : networkOf(connection);
  return ok({ route, head, client, clientKey: `${client} ${route.id}`, peerKey: `${peer} ${route.id}` });
};

/** A provider that sends forms can be told to send JSON. */
const FORM: Rejection = {
  code: "unsupported_media_type",
  fault: {
    field: "content-type",
    sentence: "Forms are not read. Set the content type of the webhook to application/json",
  },
};

const WHY = {
  missing: "it has no signature",
  malformed: "its signature, its id or its time is malformed",
  far: "its time is more than 300 seconds away from this clock",
} as const satisfies Record<Unproved, string>;

//= ORDER-1, ORDER-2, AUTH-1
const proofOf = (
  { route, head }: Located,
  { isKnown = false, allowance }: Extract<Verdict, { kind: "admitted" }>,
  hash: Sha256,
  now: number,
): Result<Proof, Rejection> => {
  const { credential } = route;
  if (credential.kind === "secret") {
    const authenticated = authenticate(route, head.header, hash, allowance);
    return authenticated.isErr()
      ? err(authenticated.error)
      : ok({ kind: "authenticated", authenticated: authenticated.value });
  }
  return readSignature(credential.scheme, head.header, now)
    .map((claim): Proof => ({ kind: "signature_due", claim, isKnown, allowance }))
    .mapErr((why) => ({ ...UNAUTHORIZED, why: WHY[why] }));
};

//= ORDER-1, ORDER-2, AUTH-1, LIMIT-15
/**
 * Judges a request that the limits have counted: window, media type, slot and credential, in this order; each check costs
 * the server more than the one before. `now`: milliseconds since the epoch. Errs: admission_unavailable, rate_limited,
 * unsupported_media_type, too_many_in_flight, unauthorized.
 */
export const admit = (located: Located, verdict: Verdict, hash: Sha256, now: number): Result<Admitted, Rejection> => {
  if (verdict.kind === "rate_limited" || verdict.kind === "admission_unavailable")
    return err({ code: verdict.kind, retryAfterMs: verdict.retryAfterMs });
  const media = checkMediaType(located.head.header);
  if (media.isErr()) return err(isSigned(located.route) && isForm(located.head.header) ? FORM : media.error);
  if (verdict.kind !== "admitted") return err({ code: verdict.kind, retryAfterMs: verdict.retryAfterMs });
  const proof = proofOf(located, verdict, hash, now);
  return proof.isErr() ? err(proof.error) : ok(new AdmittedRequest(located, proof.value));
};
