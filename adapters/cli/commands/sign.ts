// `openclaw-webhooks sign`: makes the header fields of a test delivery, as its provider would send them.

import { randomUUID } from "node:crypto";
import { err, ok, type Result } from "neverthrow";
import {
  type Claim,
  hmacSha256,
  isScheme,
  isTimely,
  parseJson,
  readSignature,
  SCHEME_NAMES,
  type SchemeName,
  signDelivery,
  type SignedHeaders,
  type SigningKey,
  signingKey,
  TOLERANCE_S,
} from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { readBody } from "../read-body.ts";
import { readSecret, type SecretSource } from "./call-secret.ts";

export type SignOptions = SecretSource & { readonly body: string; readonly id?: string };

export const SCHEME_LIST = SCHEME_NAMES.join(", ");

/** Providers that sign as Standard Webhooks say. */
const STANDARD: readonly string[] = ["gitlab", "svix", "openai", "supabase", "polar", "standard-webhooks"];

const noScheme = (name: string): CliFault => {
  const hint = STANDARD.includes(name.toLowerCase())
    ? ". This provider signs as standard. Write that"
    : ". Write one of them";
  return fault(`SCHEME is not one of ${SCHEME_LIST}${hint}`);
};

const BAD_ID =
  "--id is not an id of a delivery. Give 1 to 255 printable ASCII characters without spaces, and for standard without a full stop";

/** What a route would still refuse: Linear's time stands in the body, where nothing here may change it. */
const lateness = (claim: Claim, body: Uint8Array, now: number): string | undefined => {
  const payload = parseJson(new TextDecoder().decode(body)).unwrapOr(undefined);
  return isTimely(claim, payload, now)
    ? undefined
    : `webhookTimestamp in the body is not within ${String(TOLERANCE_S)} seconds of now, so a route refuses it. Set it to ${String(now)}.\n`;
};

type Signed = { readonly headers: SignedHeaders; readonly note: string | undefined };

/** The header fields, read back as a route reads them: that tells whether the id can be one. */
const signed = (
  scheme: SchemeName,
  key: SigningKey,
  body: Uint8Array,
  given: string | undefined,
): Result<Signed, CliFault> => {
  const [id, now] = [given ?? randomUUID(), Date.now()];
  const headers = signDelivery(scheme, key, { id, now }, body, hmacSha256);
  const read = readSignature(scheme, (name) => headers[name], now);
  if (read.isErr()) return err(fault(BAD_ID));
  const claim = read.value;
  if (claim.id === undefined && given !== undefined)
    return err(fault(`A ${scheme} delivery has no id among its header fields. Remove --id`));
  return claim.id === undefined || claim.id === id
    ? ok({ headers, note: lateness(claim, body, now) })
    : err(fault(BAD_ID));
};

//= SIGN-1
/** Prints the header fields of a delivery of `options.body`, one on a line, as `curl -H @-` reads them. */
export const sign = async (scheme: string, options: SignOptions, io: Io): Promise<Result<number, CliFault>> => {
  if (!isScheme(scheme)) return err(noScheme(scheme));
  const secret = await readSecret(options, io.env);
  const key = secret.andThen((text) => signingKey(scheme, text).mapErr((said) => fault(`The secret ${said}`)));
  if (key.isErr()) return err(key.error);
  const body = await readBody(options.body, io);
  if (body.isErr()) return err(body.error);
  return signed(scheme, key.value, body.value, options.id).map(({ headers, note }) => {
    const fields = Object.entries({ "content-type": "application/json", ...headers });
    io.out(fields.map(([name, value]) => `${name}: ${value}\n`).join(""));
    if (note !== undefined) io.error(note);
    return EXIT.ok;
  });
};
