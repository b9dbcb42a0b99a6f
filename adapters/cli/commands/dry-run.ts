// What a delivery would do, found by the steps of a real request: locate, admit, prove, accept. Where its credential is missing or
// wrong, the same steps run once more with one that is made for this run, so that the rules are tried all the same.

import { randomBytes } from "node:crypto";
import { ok, type Result } from "neverthrow";
import {
  accept,
  admit,
  type Command,
  credentialOf,
  digestSecret,
  type JsonValue,
  locate,
  type Proved,
  prove,
  type Rejection,
  type RequestHead,
  type Route,
  SCHEME_NAMES,
  SECRET_HEADERS,
  signatureHeaders,
  signDelivery,
  signingKey,
  type Stated,
  statedBy,
} from "../../../core/index.ts";
import { nodePrimitives } from "../../node/index.ts";

type Header = RequestHead["header"];

/** `payload`: the body's JSON, undefined when it is none. */
export type Sent = {
  readonly header: Header;
  readonly body: Uint8Array;
  readonly payload: JsonValue | undefined;
};

/**
 * How the credential stands. `late`: right, but signed at a time that is `aheadMs` ahead of now, or behind it where that is
 * negative. `wrong`: perhaps because the head lacks what is signed. `foreign`: there is none, but `given` has one of another kind.
 * `timeless`: right, but without the time that its scheme wants in the body. `unread`: the request is refused before its
 * credential is looked at.
 */
export type Standing =
  | { readonly kind: "right"; readonly isPrevious: boolean }
  | { readonly kind: "late"; readonly isPrevious: boolean; readonly aheadMs: number }
  | { readonly kind: "wrong"; readonly lacks: Stated["lacks"] }
  | { readonly kind: "foreign"; readonly given: string }
  | { readonly kind: "absent" | "timeless" }
  | { readonly kind: "unread" };

/** `outcome`: what the rules make of the delivery, as if its credential and its time were right. `header`: what they read. */
export type DryRun = {
  readonly standing: Standing;
  readonly header: Header;
  readonly outcome: Result<Command | undefined, Rejection>;
};

type Passed = { readonly proved: Proved | undefined; readonly outcome: DryRun["outcome"] };

const { sha256, hmacSha256 } = nodePrimitives;

const pass = (route: Route, { header, body }: Sent, now: number): Passed => {
  const head: RequestHead = { method: "POST", target: route.path, header, client: undefined, peer: undefined };
  const proved = locate(new Map([[route.path, route]]), head)
    .andThen((located) => admit(located, { kind: "admitted" }, sha256, now))
    .andThen((admitted) => prove(admitted, ok(body), hmacSha256));
  return {
    proved: proved.unwrapOr(undefined),
    outcome: proved.andThen((one) => accept(one, nodePrimitives, now)),
  };
};

const isRefused = ({ outcome }: Passed): boolean => outcome.isErr() && outcome.error.code === "unauthorized";

const isGiven = ({ credential }: Route, { header }: Sent): boolean =>
  credential.kind === "secret"
    ? credentialOf(header, credential.header) !== ""
    : signatureHeaders(credential.scheme).some((name) => header(name) !== undefined);

/** Header fields that hold a credential on some other route. A signed route takes no secret. */
const foreignTo = ({ credential }: Route): readonly string[] => {
  const signatures = SCHEME_NAMES.flatMap(signatureHeaders);
  return credential.kind === "secret" ? signatures : [...signatures, ...SECRET_HEADERS];
};

const missed = (route: Route, sent: Sent, lacks: Stated["lacks"]): Standing => {
  if (isGiven(route, sent)) return { kind: "wrong", lacks };
  const given = foreignTo(route).find((name) => sent.header(name) !== undefined);
  return given === undefined ? { kind: "absent" } : { kind: "foreign", given };
};

/** Stands for the id of a delivery that names none, where an id is signed. */
const NO_ID = "<id>";

const over = (header: Header, fields: readonly (readonly [name: string, value: string])[]): Header => {
  const set = new Map(fields);
  return (name) => set.get(name) ?? header(name);
};

/** The delivery as one that proves itself to the route, by a key of 32 bytes that nobody else has. */
const vouchedFor = (route: Route, sent: Sent, at: number): { readonly route: Route; readonly sent: Sent } => {
  const secret = randomBytes(32).toString("base64");
  const { credential } = route;
  if (credential.kind === "secret") {
    const secrets = [digestSecret(secret, sha256)];
    const header = over(sent.header, [["authorization", `Bearer ${secret}`]]);
    return { route: { ...route, credential: { ...credential, secrets } }, sent: { ...sent, header } };
  }
  const { scheme } = credential;
  const { id = NO_ID, lacks } = statedBy(scheme, sent.header, sent.payload);
  return signingKey(scheme, secret)
    .map((key) => {
      const all = Object.entries(signDelivery(scheme, key, { id, now: at }, sent.body, hmacSha256));
      const fields = all.filter(([, value]) => value !== NO_ID || lacks.includes("id"));
      return {
        route: { ...route, credential: { ...credential, keys: [key] } },
        sent: { ...sent, header: over(sent.header, fields) },
      };
    })
    .unwrapOr({ route, sent });
};

const isPrevious = ({ proved }: Passed): boolean => proved?.authenticated.isPrevious === true;

/** Of a request that was not refused for its credential. */
const standingOf = (passed: Passed): Standing =>
  passed.proved === undefined ? { kind: "unread" } : { kind: "right", isPrevious: isPrevious(passed) };

const NOTHING: Stated = { id: undefined, at: undefined, lacks: [] };

const statedIn = ({ credential }: Route, { header, payload }: Sent): Stated =>
  credential.kind === "secret" ? NOTHING : statedBy(credential.scheme, header, payload);

/** `now`: milliseconds since the epoch. */
export const dryRun = (route: Route, sent: Sent, now: number): DryRun => {
  const real = pass(route, sent, now);
  const { header } = sent;
  if (!isRefused(real)) return { standing: standingOf(real), header, outcome: real.outcome };
  const { at = now, lacks } = statedIn(route, sent);
  const then = pass(route, sent, at);
  if (!isRefused(then)) {
    const standing = { kind: "late", isPrevious: isPrevious(then), aheadMs: at - now } as const;
    return { standing, header, outcome: then.outcome };
  }
  const vouched = vouchedFor(route, sent, at);
  const { outcome } = pass(vouched.route, vouched.sent, at);
  const standing: Standing = then.proved === undefined ? missed(route, sent, lacks) : { kind: "timeless" };
  return { standing, header: vouched.sent.header, outcome };
};
