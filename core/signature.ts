// Signatures of providers: each scheme is a row of a table, and one function verifies them all. What is signed is the body as it
// was received, byte for byte. `readSignature` is what the head alone can refuse; `verifySignature` needs the body.

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { err, ok, type Result } from "neverthrow";
import { base64, decodeBase64 } from "./base64.ts";
import { own } from "./own.ts";

/** HMAC-SHA-256 (RFC 2104) over the parts, one after the other. A platform's native one may replace the default. */
export type HmacSha256 = (key: Uint8Array, parts: readonly Uint8Array[]) => Uint8Array;

export const hmacSha256: HmacSha256 = (key, parts) => {
  const code = hmac.create(sha256, key);
  for (const part of parts) code.update(part);
  return code.digest();
};

/** Names of the header fields of one spelling of a scheme. */
type Fields = { readonly signature: string; readonly id?: string; readonly time?: string };

/** What a signature's header field holds. `time`: as it stands there. */
type Held = { readonly digests: readonly string[]; readonly time?: string | undefined };

type Scheme = {
  /** The first spelling whose signature is there is the request's. */
  readonly spellings: readonly [Fields, ...Fields[]];
  /** Undefined when the field has not the scheme's form. */
  readonly form: (value: string) => Held | undefined;
  /** What is signed before the body. */
  readonly before: (id: string, time: string) => string;
  readonly encoding: "hex" | "base64";
  readonly key: "text" | "base64";
  /** Whether a time in the head is signed. */
  readonly isTimed: boolean;
  /** Whether the signature proves the id; else another id may be sent with the same signed bytes. */
  readonly signsId: boolean;
  /** The member of the signed body that holds the delivery's id. */
  readonly idMember?: string;
  /** The member of the signed body that holds the time of sending, milliseconds since the epoch. */
  readonly timeMember?: string;
};

/** Signatures of one header field that are tried. */
const MAX_SIGNATURES = 8;

/** Characters of a header field that belongs to a signature. */
const MAX_FIELD_LENGTH = 4096;

/** What a host puts between the values of a header field that was sent twice. No scheme writes it. */
const JOINED = ", ";

const NOTHING = (): string => "";

/** The rest of each item that starts with `start`. */
const after = (items: readonly string[], start: string): readonly string[] =>
  items.filter((item) => item.startsWith(start)).map((item) => item.slice(start.length));

/** `start`, then the digest, and nothing else. */
const only =
  (start: string) =>
  (value: string): Held | undefined =>
    value.startsWith(start) ? { digests: [value.slice(start.length)] } : undefined;

const standardForm = (value: string): Held => ({ digests: after(value.split(" "), "v1,") });

const stripeForm = (value: string): Held | undefined => {
  const items = value.split(",");
  const [time, ...more] = after(items, "t=");
  return more.length > 0 ? undefined : { time, digests: after(items, "v1=") };
};

const standardFields = (vendor: string): Fields => ({
  signature: `${vendor}-signature`,
  id: `${vendor}-id`,
  time: `${vendor}-timestamp`,
});

//= SIGN-1
/** The six schemes, all HMAC-SHA-256. */
export const SCHEMES = {
  standard: {
    spellings: [standardFields("webhook"), standardFields("svix")],
    form: standardForm,
    before: (id, time) => `${id}.${time}.`,
    encoding: "base64",
    key: "base64",
    isTimed: true,
    signsId: true,
  },
  github: {
    spellings: [{ signature: "x-hub-signature-256", id: "x-github-delivery" }],
    form: only("sha256="),
    before: NOTHING,
    encoding: "hex",
    key: "text",
    isTimed: false,
    signsId: false,
  },
  stripe: {
    spellings: [{ signature: "stripe-signature" }],
    form: stripeForm,
    before: (_id, time) => `${time}.`,
    encoding: "hex",
    key: "text",
    isTimed: true,
    signsId: true,
    idMember: "id",
  },
  shopify: {
    spellings: [{ signature: "x-shopify-hmac-sha256", id: "x-shopify-webhook-id" }],
    form: only(""),
    before: NOTHING,
    encoding: "base64",
    key: "text",
    isTimed: false,
    signsId: false,
  },
  linear: {
    spellings: [{ signature: "linear-signature" }],
    form: only(""),
    before: NOTHING,
    encoding: "hex",
    key: "text",
    isTimed: false,
    signsId: false,
    timeMember: "webhookTimestamp",
  },
  slack: {
    spellings: [{ signature: "x-slack-signature", time: "x-slack-request-timestamp" }],
    form: only("v0="),
    before: (_id, time) => `v0:${time}:`,
    encoding: "hex",
    key: "text",
    isTimed: true,
    signsId: false,
  },
} as const satisfies Readonly<Record<string, Scheme>>;

export type SchemeName = keyof typeof SCHEMES;

export const isScheme = (name: string): name is SchemeName => Object.hasOwn(SCHEMES, name);

export const SCHEME_NAMES: readonly SchemeName[] = Object.keys(SCHEMES).filter(isScheme);

const ROWS: Readonly<Record<SchemeName, Scheme>> = SCHEMES;

/** Header fields, by lower-case name, that hold a scheme's signatures. */
export const signatureHeaders = (scheme: SchemeName): readonly string[] =>
  ROWS[scheme].spellings.map(({ signature }) => signature);

/** Bytes that a key must have at least; a shorter one can be guessed. */
const MIN_KEY_BYTES = 16;
/** Bytes of a key of Standard Webhooks. */
const STANDARD_KEY_BYTES = { least: 24, most: 64 };

/** The key of a route's signatures. Only this file can make one or read it. */
class Key {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  digest(hash: HmacSha256, parts: readonly Uint8Array[]): Uint8Array {
    return hash(this.#bytes, parts);
  }
}

export type SigningKey = Key;

const standardKey = (secret: string): Result<SigningKey, string> => {
  const bytes = decodeBase64(secret.replace(/^(?:v1,)?whsec_/u, ""));
  if (bytes === undefined)
    return err("is not whsec_ followed by base64. Copy the signing secret as the provider shows it");
  return bytes.length < STANDARD_KEY_BYTES.least || bytes.length > STANDARD_KEY_BYTES.most
    ? err("is not a key of 24 to 64 bytes in base64. Copy the signing secret as the provider shows it")
    : ok(new Key(bytes));
};

//= SIGN-2
/** The key that a route's secret is for the scheme. Errs with what is wrong with the field `secret`. */
export const signingKey = (scheme: SchemeName, secret: string): Result<SigningKey, string> => {
  if (ROWS[scheme].key === "base64") return standardKey(secret);
  const bytes = utf8ToBytes(secret);
  return bytes.length < MIN_KEY_BYTES
    ? err(
        `is shorter than ${String(MIN_KEY_BYTES)} bytes, too short to sign with. Set a longer one here and at the provider`,
      )
    : ok(new Key(bytes));
};

/** What the head of a signed request claims, to be proved by its body. */
export type Claim = {
  readonly scheme: SchemeName;
  /** What is signed before the body. */
  readonly before: Uint8Array;
  readonly digests: readonly string[];
  /** The delivery's id as the head names it. */
  readonly id: string | undefined;
};

const ID = /^[!-~]{1,255}$/u;
const DECIMAL = /^(?:0|[1-9][0-9]{0,14})$/u;

/** Seconds that a delivery's clock may be away from ours, in both directions. */
export const TOLERANCE_S = 300;

const isNear = (seconds: number, now: number): boolean => Math.abs(Math.floor(now / 1000) - seconds) <= TOLERANCE_S;

/** Why the head of a request claims nothing: no signature, one without its form, or a time that is far away. */
export type Unproved = "missing" | "malformed" | "far";

type Header = (name: string) => string | undefined;

const spellingOf = ({ spellings }: Scheme, header: Header): Fields | undefined =>
  spellings.find(({ signature }) => header(signature) !== undefined);

/** What a header field says; undefined when it is missing, overlong, or was sent twice, so that two readers could differ. */
const fieldOf = (name: string, header: Header): string | undefined => {
  const value = header(name);
  return value === undefined || value.length > MAX_FIELD_LENGTH || value.includes(JOINED) ? undefined : value.trim();
};

/** A signed id with a full stop would let a signed text be cut in two ways. */
const isId = (id: string, { signsId }: Scheme): boolean => ID.test(id) && !(signsId && id.includes("."));

/** The id that the head names; undefined when it names none, an error when it is malformed or a signed one is missing. */
const idOf = (scheme: Scheme, { id }: Fields, header: Header): Result<string | undefined, Unproved> => {
  if (id === undefined || (header(id) === undefined && !scheme.signsId)) return ok(undefined);
  const value = fieldOf(id, header);
  return value !== undefined && isId(value, scheme) ? ok(value) : err("malformed");
};

/** The time that is signed, as it is written, or an empty text when the head holds none; an error when it is far or malformed. */
const timeOf = (
  scheme: Scheme,
  held: Held,
  { time }: Fields,
  header: Header,
  now: number,
): Result<string, Unproved> => {
  if (!scheme.isTimed) return ok("");
  const written = time === undefined ? held.time : fieldOf(time, header);
  if (written === undefined || !DECIMAL.test(written)) return err("malformed");
  return isNear(Number(written), now) ? ok(written) : err("far");
};

//= SIGN-3
/**
 * What the head of a signed request claims, or why it claims nothing: a header field is missing, malformed or was sent twice, or
 * the time is more than 300 seconds away. `now`: milliseconds since the epoch.
 */
export const readSignature = (scheme: SchemeName, header: Header, now: number): Result<Claim, Unproved> => {
  const row = ROWS[scheme];
  const fields = spellingOf(row, header);
  if (fields === undefined) return err("missing");
  const value = fieldOf(fields.signature, header);
  const held = value === undefined ? undefined : row.form(value);
  if (held === undefined || held.digests.length === 0) return err("malformed");
  return idOf(row, fields, header).andThen((id) =>
    timeOf(row, held, fields, header, now).map((time) => ({
      scheme,
      id,
      before: utf8ToBytes(row.before(id ?? "", time)),
      digests: held.digests.slice(0, MAX_SIGNATURES),
    })),
  );
};

/** Compares all characters, wherever they differ. */
const isSame = (expected: string, said: string): boolean => {
  let difference = expected.length ^ said.length;
  for (let at = 0; at < expected.length; at += 1) difference |= expected.charCodeAt(at) ^ said.charCodeAt(at);
  return difference === 0;
};

const ENCODERS = { hex: bytesToHex, base64 } as const;

//= SIGN-4
/**
 * The place in `keys` of the key that signed the body, or undefined. Each key and each signature is tried, whatever the one
 * before said.
 */
export const verifySignature = (
  { scheme, before, digests }: Claim,
  keys: readonly SigningKey[],
  body: Uint8Array,
  hash: HmacSha256,
): number | undefined => {
  const encode = ENCODERS[ROWS[scheme].encoding];
  let proved: number | undefined;
  for (const [place, key] of keys.entries()) {
    const expected = encode(key.digest(hash, [before, body]));
    for (const said of digests) if (isSame(expected, said)) proved ??= place;
  }
  return proved;
};

/** The whole number that a member of the body is. */
const wholeNumberIn = (payload: unknown, member: string): number | undefined => {
  const value = own(payload, member);
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
};

//= SIGN-3
/** Whether a time inside the signed body, where the scheme has one there, is near. */
export const isTimely = ({ scheme }: Claim, payload: unknown, now: number): boolean => {
  const { timeMember } = ROWS[scheme];
  if (timeMember === undefined) return true;
  const sent = wholeNumberIn(payload, timeMember);
  return sent !== undefined && Math.abs(now - sent) <= TOLERANCE_S * 1000;
};

//= ONCE-4
/** The delivery's id, where the signature proves it: the one in the head, or the one in the body. */
export const deliveryId = ({ scheme, id }: Claim, payload: unknown): string | undefined => {
  const { idMember, signsId } = ROWS[scheme];
  if (!signsId) return undefined;
  if (idMember === undefined) return id;
  const named = own(payload, idMember);
  return typeof named === "string" && ID.test(named) ? named : undefined;
};

/** What a delivery says of itself, proved or not. `at`: milliseconds since the epoch. `lacks`: what its head should have signed. */
export type Stated = {
  readonly id: string | undefined;
  readonly at: number | undefined;
  readonly lacks: readonly ("id" | "time")[];
};

const statedTime = (row: Scheme, fields: Fields, header: Header): number | undefined => {
  const written = fields.time === undefined ? row.form(header(fields.signature) ?? "")?.time : header(fields.time);
  return written !== undefined && DECIMAL.test(written.trim()) ? Number(written) * 1000 : undefined;
};

/** Id and time as the head names them, or as the body does where the scheme has its time there; for a dry run only. */
export const statedBy = (scheme: SchemeName, header: Header, payload: unknown): Stated => {
  const row = ROWS[scheme];
  const isSent = ({ signature, id, time }: Fields): boolean =>
    [signature, id, time].some((name) => name !== undefined && header(name) !== undefined);
  const fields = row.spellings.find(isSent) ?? row.spellings[0];
  const named = fields.id === undefined ? undefined : header(fields.id)?.trim();
  const id = named !== undefined && isId(named, row) ? named : undefined;
  const sent = row.timeMember === undefined ? undefined : wholeNumberIn(payload, row.timeMember);
  const inHead = row.isTimed ? statedTime(row, fields, header) : undefined;
  const lacksId = row.signsId && row.idMember === undefined && id === undefined;
  return {
    id,
    at: sent ?? inHead,
    lacks: [...(lacksId ? (["id"] as const) : []), ...(row.isTimed && inHead === undefined ? (["time"] as const) : [])],
  };
};

/** Header fields by name. */
export type SignedHeaders = Readonly<Record<string, string>>;

/** How each scheme writes a signature into its header field. */
const WRITTEN: Readonly<Record<SchemeName, (digest: string, time: string) => string>> = {
  standard: (digest) => `v1,${digest}`,
  github: (digest) => `sha256=${digest}`,
  stripe: (digest, time) => `t=${time},v1=${digest}`,
  shopify: (digest) => digest,
  linear: (digest) => digest,
  slack: (digest) => `v0=${digest}`,
};

//= SIGN-1
/** The header fields with which a sender signs `body`. `now`: milliseconds since the epoch. */
export const signDelivery = (
  scheme: SchemeName,
  key: SigningKey,
  { id, now }: { readonly id: string; readonly now: number },
  body: Uint8Array,
  hash: HmacSha256,
): SignedHeaders => {
  const { spellings, before, encoding } = ROWS[scheme];
  const time = String(Math.floor(now / 1000));
  const digest = ENCODERS[encoding](key.digest(hash, [utf8ToBytes(before(id, time)), body]));
  const [fields] = spellings;
  return {
    ...(fields.id === undefined ? {} : { [fields.id]: id }),
    ...(fields.time === undefined ? {} : { [fields.time]: time }),
    [fields.signature]: WRITTEN[scheme](digest, time),
  };
};
