// Senders of signed deliveries: Node's HMAC for each scheme, and what the tests of signatures share.

import { createHmac } from "node:crypto";
import fc from "fast-check";
import {
  type Claim,
  hmacSha256,
  readSignature,
  type SchemeName,
  SCHEMES,
  type SigningKey,
  signingKey,
  verifySignature,
} from "../../core/index.ts";

export const NOW = 1_614_265_330_000;
export const NAMES = Object.keys(SCHEMES) as readonly SchemeName[];

export const keyOf = (scheme: SchemeName, secret: string): SigningKey => signingKey(scheme, secret)._unsafeUnwrap();

export type Headers = { readonly [name: string]: string };

export const reader =
  (headers: Headers) =>
  (name: string): string | undefined =>
    headers[name];

/** Signs as the providers do, with Node's HMAC. `time`: as it is written, in seconds. */
export const sign = (
  scheme: SchemeName,
  secret: string,
  id: string,
  time: number | string,
  body: Uint8Array,
): Headers => {
  const key = scheme === "standard" ? Buffer.from(secret.replace("whsec_", ""), "base64") : secret;
  const mac = (before: string, form: "hex" | "base64"): string =>
    createHmac("sha256", key).update(before).update(body).digest(form);
  const written = String(time);
  switch (scheme) {
    case "standard":
      return {
        "webhook-id": id,
        "webhook-timestamp": written,
        "webhook-signature": `v1,${mac(`${id}.${written}.`, "base64")}`,
      };
    case "github":
      return { "x-github-delivery": id, "x-hub-signature-256": `sha256=${mac("", "hex")}` };
    case "stripe":
      return { "stripe-signature": `t=${written},v1=${mac(`${written}.`, "hex")},v0=abc` };
    case "shopify":
      return { "x-shopify-webhook-id": id, "x-shopify-hmac-sha256": mac("", "base64") };
    case "linear":
      return { "linear-signature": mac("", "hex") };
    case "slack":
      return { "x-slack-request-timestamp": written, "x-slack-signature": `v0=${mac(`v0:${written}:`, "hex")}` };
  }
};

/** The place of the key that proves the delivery, or undefined. */
export const check = (
  scheme: SchemeName,
  headers: Headers,
  keys: readonly SigningKey[],
  body: Uint8Array,
  now = NOW,
): number | undefined =>
  readSignature(scheme, reader(headers), now)
    .map((claim: Claim) => verifySignature(claim, keys, body, hmacSha256))
    .unwrapOr(undefined);

/** A secret that the scheme takes. */
export const secretOf = (name: SchemeName): fc.Arbitrary<string> =>
  name === "standard"
    ? fc.uint8Array({ minLength: 24, maxLength: 64 }).map((key) => `whsec_${Buffer.from(key).toString("base64")}`)
    : fc.string({ unit: "grapheme-ascii", minLength: 16, maxLength: 80 }).filter((text) => text.trim() !== "");

export const sentId = fc.string({ unit: fc.constantFrom("a", "Z", "0", "_", "-"), minLength: 1, maxLength: 40 });
