// From a body, or the lack of one, to a proved request: which limits a body has, and what each fault is answered with.

import fc from "fast-check";
import { err, ok, type Result } from "neverthrow";
import { expect, test } from "vitest";
import {
  admit,
  type Admitted,
  authenticateBody,
  BODY_DEADLINE_MS,
  bodyLimits,
  type BodyFault,
  hmacSha256,
  locate,
  MAX_BODY_BYTES,
  prove,
  type Rejection,
  sha256,
  UNPROVED_DEADLINE_MS,
  type Verdict,
} from "../../core/index.ts";
import { bytes, head, load } from "./arbitraries.ts";
import { NOW, sign } from "./signing.ts";

const SECRET = "secret-of-a-proving-route-0123";
const BODY = bytes('{"a":1}');

const routeWith = (fields: object): Parameters<typeof locate>[0] =>
  load({ routes: { r: { sessionKey: "agent:main:main", secret: SECRET, ...fields } } }).routes;

const JSON_TYPE = { "content-type": "application/json" };

const admittedTo = (fields: object, headers: Readonly<Record<string, string>>, isKnown?: boolean): Admitted => {
  const request = head({ target: "/plugins/webhooks/r", headers: { ...JSON_TYPE, ...headers } });
  const verdict = { kind: "admitted", ...(isKnown === undefined ? {} : { isKnown }) } as const;
  return locate(routeWith(fields), request)
    .andThen((located) => admit(located, verdict, sha256, NOW))
    ._unsafeUnwrap();
};

const SIGNED = { signature: "github" };
const bySecret = (fields: object = {}): Admitted => admittedTo(fields, { authorization: `Bearer ${SECRET}` });
const bySignature = (isKnown?: boolean, fields: object = {}): Admitted =>
  admittedTo({ ...SIGNED, ...fields }, sign("github", SECRET, "d1", NOW / 1000, BODY), isKnown);

const refusal = (admitted: Admitted, fault: BodyFault): Rejection =>
  prove(admitted, err(fault), hmacSha256)._unsafeUnwrapErr();

test("BODY-2, BODY-3, BODY-7, SIGN-5: a body has its route's bytes, and less time from a client that has proved nothing yet", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1024, max: MAX_BODY_BYTES * 100 }), (maxBodyBytes) => {
      const given = { maxBodyBytes };
      expect(bodyLimits(bySecret(given))).toEqual({ maxBytes: maxBodyBytes, deadlineMs: BODY_DEADLINE_MS });
      const unproved = { maxBytes: maxBodyBytes, deadlineMs: UNPROVED_DEADLINE_MS };
      expect(bodyLimits(bySignature(undefined, given))).toEqual(unproved);
      expect(bodyLimits(bySignature(false, given))).toEqual(unproved);
      expect(bodyLimits(bySignature(true, given))).toEqual({ maxBytes: maxBodyBytes, deadlineMs: BODY_DEADLINE_MS });
    }),
  );
});

test("BODY-2, BODY-3, BODY-8: each fault of a body has its refusal, which names what differs from the default", () => {
  const expected: readonly (readonly [Admitted, BodyFault, Rejection])[] = [
    [bySecret(), "too_large", { code: "payload_too_large" }],
    [
      bySecret({ maxBodyBytes: 1_000_000 }),
      "too_large",
      { code: "payload_too_large", fault: { sentence: "The body is larger than 1,000,000 bytes." } },
    ],
    [bySecret(), "no_room", { code: "overloaded" }],
    [bySecret(), "timeout", { code: "request_timeout" }],
    [bySignature(true), "timeout", { code: "request_timeout" }],
    [bySignature(), "timeout", { code: "request_timeout", fault: { sentence: "The body did not arrive in time." } }],
    [bySecret(), "malformed", { code: "invalid_request", fault: { sentence: "The body breaks off." } }],
    [bySecret(), "gone", { code: "request_timeout" }],
  ];
  for (const [admitted, fault, said] of expected) expect(refusal(admitted, fault), fault).toEqual(said);
});

test("BODY-2: a body of one byte more than the route's is too large, whoever has read it", () => {
  const proved = (length: number): Result<unknown, Rejection> =>
    prove(bySecret({ maxBodyBytes: 2048 }), ok(new Uint8Array(length)), hmacSha256);
  expect(proved(2048).isOk()).toBe(true);
  expect(proved(2049)._unsafeUnwrapErr().code).toBe("payload_too_large");
});

test("AUTH-1, SIGN-4: a signed request is proved by the bytes that were signed alone, and keeps its claim", () => {
  const admitted = bySignature();
  const proved = prove(admitted, ok(BODY), hmacSha256)._unsafeUnwrap();
  expect([proved.body, proved.claim?.scheme, proved.authenticated.isPrevious]).toEqual([BODY, "github", false]);
  expect(prove(admitted, ok(bytes('{"a":2}')), hmacSha256)._unsafeUnwrapErr()).toEqual({
    code: "unauthorized",
    why: "no key of the route signed its bytes",
  });
  const secret = prove(bySecret(), ok(BODY), hmacSha256)._unsafeUnwrap();
  expect([secret.body, secret.claim]).toEqual([BODY, undefined]);
});

const refusedBy = (fields: object, headers: Readonly<Record<string, string>>, verdict: Verdict): Rejection => {
  const located = locate(routeWith(fields), head({ target: "/plugins/webhooks/r", headers }))._unsafeUnwrap();
  return admit(located, verdict, sha256, NOW)._unsafeUnwrapErr();
};

test("ORDER-1, LIMIT-15: what the limits refuse is refused before all else, with the time to wait", () => {
  for (const kind of ["rate_limited", "admission_unavailable"] as const)
    expect(refusedBy({}, {}, { kind, retryAfterMs: 7 })).toEqual({ code: kind, retryAfterMs: 7 });
  const busy = { kind: "too_many_in_flight", retryAfterMs: 7 } as const;
  expect(refusedBy({}, {}, busy).code).toBe("unsupported_media_type");
  expect(refusedBy({}, JSON_TYPE, busy)).toEqual({ code: "too_many_in_flight", retryAfterMs: 7 });
});

test("BODY-6, SIGN-3: a provider that sends forms is told what to set, and the operator why a head proves nothing", () => {
  const FORM_TYPE = { "content-type": "application/x-www-form-urlencoded" };
  const admitted = { kind: "admitted" } as const;
  expect(refusedBy(SIGNED, FORM_TYPE, admitted)).toEqual({
    code: "unsupported_media_type",
    fault: {
      field: "content-type",
      sentence: "Forms are not read. Set the content type of the webhook to application/json",
    },
  });
  const plain = { code: "unsupported_media_type" };
  expect(refusedBy({}, FORM_TYPE, admitted)).toEqual(plain);
  expect(refusedBy(SIGNED, { "content-type": "text/plain" }, admitted)).toEqual(plain);
  const signed = sign("standard", `whsec_${Buffer.alloc(24, 7).toString("base64")}`, "d1", NOW / 1000 + 301, BODY);
  const standard = {
    signature: "standard",
    secret: `whsec_${Buffer.from("a key of 32 bytes that is random").toString("base64")}`,
  };
  const why = (headers: Readonly<Record<string, string>>): Rejection =>
    refusedBy(standard, { ...JSON_TYPE, ...headers }, admitted);
  const said = (text: string): Rejection => ({ code: "unauthorized", why: text });
  expect(why({})).toEqual(said("it has no signature"));
  expect(why({ ...signed, "webhook-id": "a.b" })).toEqual(said("its signature, its id or its time is malformed"));
  expect(why(signed)).toEqual(said("its time is more than 300 seconds away from this clock"));
});

test("AUTH-1, SIGN-4: a claim opens no route whose requests present a secret", () => {
  const { proof, located } = bySignature();
  if (proof.kind !== "signature_due") throw new Error("it is signed");
  expect(authenticateBody(located.route, proof.claim, BODY, hmacSha256).isOk()).toBe(true);
  const plain = bySecret().located.route;
  expect(authenticateBody(plain, proof.claim, BODY, hmacSha256)._unsafeUnwrapErr()).toEqual({ code: "unauthorized" });
});
