// Checks what a route says of signatures, deliveries and bodies. Sentences never contain a configured value.

import { err, ok, type Result } from "neverthrow";
import { SECRET_HEADERS } from "./authenticate.ts";
import { parseRules } from "./mapping.ts";
import { MAX_BODY_BYTES } from "./prove.ts";
import type { Fault } from "./rejection.ts";
import type { Deliveries } from "./route.ts";
import { type SchemeName, signatureHeaders } from "./signature.ts";
import { HEADER_NAME } from "./template.ts";

/** As written, each field with the right shape. */
type Written = {
  readonly signature?: SchemeName | undefined;
  readonly secretHeader?: string | undefined;
  readonly deliveries?: readonly unknown[] | undefined;
  readonly allowActions?: boolean | undefined;
  readonly maxBodyBytes?: number | undefined;
};

/** `secretHeader`: in lower case. */
export type DeliveryFields = {
  readonly signature: SchemeName | undefined;
  readonly secretHeader: string | undefined;
  readonly deliveries: Deliveries | undefined;
  readonly maxBodyBytes: number;
};

/** Header fields that hold a credential on every route. */
const CREDENTIALS: readonly string[] = [...SECRET_HEADERS, "proxy-authorization", "cookie"];

/** Header fields that mean something else on every route. */
const TAKEN: readonly string[] = [
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "idempotency-key",
  "keep-alive",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-for",
  "x-openclaw-webhook-secret",
  "x-real-ip",
];

//= AUTH-8
const headerOf = ({ secretHeader, signature }: Written): Result<string | undefined, Fault> => {
  if (secretHeader === undefined) return ok(undefined);
  const field = "secretHeader";
  const name = secretHeader.trim().toLowerCase();
  if (!HEADER_NAME.test(name))
    return err({ field, sentence: "is not the name of a header. Write it like X-Gitlab-Token" });
  if (TAKEN.includes(name)) return err({ field, sentence: "is a header with a meaning of its own. Take another one" });
  return signature === undefined
    ? ok(name)
    : err({
        field,
        sentence: "has no effect, because a route with signature takes nothing but signatures. Remove one of the two",
      });
};

//= CONFIG-11, MAP-3
const rulesOf = (
  { deliveries, allowActions, signature }: Written,
  header: string | undefined,
): Result<Deliveries | undefined, readonly Fault[]> => {
  if (deliveries === undefined) {
    const sentence = "has no effect, because every route without deliveries takes actions. Remove it";
    return allowActions === undefined ? ok(undefined) : err([{ field: "allowActions", sentence }]);
  }
  if (deliveries.length === 0) return err([{ field: "deliveries", sentence: "is empty. Add a rule, or remove it" }]);
  const signatures = signature === undefined ? [] : signatureHeaders(signature);
  const credentials = [...CREDENTIALS, ...signatures, ...(header === undefined ? [] : [header])];
  return parseRules(deliveries, credentials).map((rules) => ({ rules, allowActions: allowActions === true }));
};

/** Errs with everything that is wrong. */
export const deliveryFields = (written: Written): Result<DeliveryFields, readonly Fault[]> => {
  const header = headerOf(written);
  const deliveries = rulesOf(written, header.unwrapOr(undefined));
  if (header.isErr() || deliveries.isErr()) {
    return err([...(header.isErr() ? [header.error] : []), ...(deliveries.isErr() ? deliveries.error : [])]);
  }
  const { signature, maxBodyBytes = MAX_BODY_BYTES } = written;
  return ok({ signature, secretHeader: header.value, deliveries: deliveries.value, maxBodyBytes });
};
