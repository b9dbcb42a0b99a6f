// The packages with which providers sign and their customers verify, on the other end of the wire; and the faults that are
// known of such packages.

import { sign as octokitSign, verify as octokitVerify } from "@octokit/webhooks-methods";
import fc from "fast-check";
import * as standardwebhooks from "standardwebhooks";
import Stripe from "stripe";
import * as svix from "svix";
import { expect, test } from "vitest";
import {
  hmacSha256,
  isTimely,
  readSignature,
  type SchemeName,
  SCHEMES,
  signDelivery,
  signingKey,
} from "../../core/index.ts";
import { bytes, goodJson } from "./arbitraries.ts";
import { check, type Headers, keyOf, NAMES, NOW, reader, secretOf, sentId, sign } from "./signing.ts";

type Package = {
  readonly scheme: SchemeName;
  /** `seconds`: since the epoch. */
  readonly sign: (secret: string, id: string, seconds: number, body: string) => Headers | Promise<Headers>;
  /** Rejects, or is false, when the package refuses. It looks at the clock. */
  readonly verify: (secret: string, headers: Headers, body: string) => unknown;
};

const field = (headers: Headers, name: string): string => headers[name] ?? "";

type Webhook = new (secret: string) => Pick<svix.Webhook, "sign"> & {
  verify: (body: string, headers: Record<string, string>) => unknown;
};

const standard = (Webhook: Webhook, vendor: string): Package => ({
  scheme: "standard",
  sign: (secret, id, seconds, body) => ({
    [`${vendor}-id`]: id,
    [`${vendor}-timestamp`]: String(seconds),
    [`${vendor}-signature`]: new Webhook(secret).sign(id, new Date(seconds * 1000), body),
  }),
  verify: (secret, headers, body) => void new Webhook(secret).verify(body, headers),
});

const PACKAGES: Readonly<Record<string, Package>> = {
  standardwebhooks: standard(standardwebhooks.Webhook, "webhook"),
  svix: standard(svix.Webhook, "svix"),
  stripe: {
    scheme: "stripe",
    sign: (secret, _id, timestamp, payload) => ({
      "stripe-signature": Stripe.webhooks.generateTestHeaderString({ secret, timestamp, payload }),
    }),
    verify: (secret, headers, body) =>
      void Stripe.webhooks.constructEvent(body, field(headers, "stripe-signature"), secret),
  },
  "@octokit/webhooks-methods": {
    scheme: "github",
    sign: async (secret, id, _seconds, body) => ({
      "x-github-delivery": id,
      "x-hub-signature-256": await octokitSign(secret, body),
    }),
    verify: (secret, headers, body) => octokitVerify(secret, body, field(headers, "x-hub-signature-256")),
  },
};

/** Not empty, because two of the packages refuse an empty body. */
const text = fc.oneof(
  goodJson.map((value) => JSON.stringify(value)),
  fc.string({ unit: "binary", minLength: 1 }),
);

const sent = fc.constantFrom(...Object.entries(PACKAGES)).chain(([name, { scheme }]) =>
  fc.record({
    name: fc.constant(name),
    secret: secretOf(scheme),
    other: secretOf(scheme),
    id: sentId,
    body: text,
    off: fc.integer({ min: -300, max: 300 }),
  }),
);

const packageOf = (name: string): Package => PACKAGES[name] ?? expect.fail(name);

test("SIGN-1, SIGN-3: what each package signs is proved by the key that signed it, at any time within 300 seconds", async () => {
  await fc.assert(
    fc.asyncProperty(sent, async ({ name, secret, other, id, body, off }) => {
      fc.pre(secret !== other);
      const { scheme, sign: signed } = packageOf(name);
      const headers = await signed(secret, id, NOW / 1000 + off, body);
      const [key, wrong] = [keyOf(scheme, secret), keyOf(scheme, other)];
      expect(check(scheme, headers, [key], bytes(body))).toBe(0);
      expect(check(scheme, headers, [wrong, key], bytes(body))).toBe(1);
      expect(check(scheme, headers, [wrong], bytes(body))).toBeUndefined();
    }),
  );
});

test("SIGN-1: each package accepts what signDelivery signs, and refuses it for another body", async () => {
  const event = goodJson.map((value) => JSON.stringify({ value, object: "event" }));
  await fc.assert(
    fc.asyncProperty(sent, event, async ({ name, secret, id }, body) => {
      const { scheme, verify } = packageOf(name);
      const headers = signDelivery(scheme, keyOf(scheme, secret), { id, now: Date.now() }, bytes(body), hmacSha256);
      const verdict = async (said: string): Promise<unknown> => verify(secret, headers, said);
      expect(await verdict(body)).not.toBe(false);
      expect(await verdict(`${body} `).catch(() => false)).toBe(false);
    }),
  );
});

/** Each text with one character of `value` changed, missing or added. `by`: how far a changed one is moved within ASCII. */
const changedTexts = (value: string, by: number): readonly string[] => {
  const places = Array.from(value, (character, at) => [value.slice(0, at), character, value.slice(at + 1)] as const);
  const moved = (character: string): string => String.fromCharCode(0x20 + ((character.charCodeAt(0) - 0x20 + by) % 95));
  return [
    `${value}A`,
    ...places.flatMap(([start, one, end]) => [start + moved(one) + end, start + end, `${start}A${one}${end}`]),
  ];
};

const changedBodies = (body: Uint8Array, by: number): readonly Uint8Array[] => [
  Uint8Array.of(...body, by),
  ...Array.from(body, (byte, at) => Uint8Array.of(...body.subarray(0, at), byte ^ by, ...body.subarray(at + 1))),
  ...Array.from(body, (_, at) => Uint8Array.of(...body.subarray(0, at), ...body.subarray(at + 1))),
];

test("SIGN-4: one byte of body, signature, signed id or signed time that is changed, missing or added proves nothing", async () => {
  await fc.assert(
    fc.asyncProperty(sent, fc.integer({ min: 1, max: 94 }), async ({ name, secret, id, body }, by) => {
      const { scheme, sign: signed } = packageOf(name);
      const headers = await signed(secret, id, NOW / 1000, body);
      const keys = [keyOf(scheme, secret)];
      for (const changed of changedBodies(bytes(body), by)) {
        expect(check(scheme, headers, keys, changed)).toBeUndefined();
      }
      for (const part of Object.keys(headers).filter((one) => one !== "x-github-delivery")) {
        for (const value of changedTexts(field(headers, part), by)) {
          expect(check(scheme, { ...headers, [part]: value }, keys, bytes(body)), `${part}: ${value}`).toBeUndefined();
        }
      }
    }),
  );
});

test("SIGN-4: of a secret's two signatures during a rotation, either one proves the delivery, wherever it stands", async () => {
  const rotated = sent.filter(({ name }) => name !== "@octokit/webhooks-methods");
  await fc.assert(
    fc.asyncProperty(rotated, fc.boolean(), async ({ name, secret, other, id, body }, isLast) => {
      fc.pre(secret !== other);
      const { scheme, sign: signed } = packageOf(name);
      const [ours, theirs] = [await signed(secret, id, NOW / 1000, body), await signed(other, id, NOW / 1000, body)];
      const part = Object.keys(ours).find((one) => one.endsWith("-signature")) ?? "";
      const pair = isLast ? [theirs, ours] : [ours, theirs];
      const [first, second] = pair.map((headers) => field(headers, part));
      const value = scheme === "stripe" ? `${first},${second?.replace(/^t=\d+,/u, "")}` : `${first} ${second}`;
      expect(check(scheme, { ...ours, [part]: value }, [keyOf(scheme, secret)], bytes(body))).toBe(0);
    }),
  );
});

// The faults that are known of such packages.

/** A delivery of any scheme, signed with Node's HMAC. */
const any = fc.constantFrom(...NAMES).chain((scheme) =>
  fc.record({
    scheme: fc.constant(scheme),
    secret: secretOf(scheme),
    id: sentId,
    raw: fc.uint8Array({ maxLength: 60 }),
  }),
);

const TIMED = NAMES.filter((name) => SCHEMES[name].isTimed);
const timed = any.filter(({ scheme }) => TIMED.includes(scheme));

test("SIGN-4: a body that is not UTF-8 is signed as it is, not as the text that a decoder makes of it", () => {
  const broken = fc.constantFrom([0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xef, 0xbb, 0xbf, 0x80]);
  fc.assert(
    fc.property(any, broken, ({ scheme, secret, id, raw }, wrong) => {
      const keys = [keyOf(scheme, secret)];
      const body = Uint8Array.of(...raw, ...wrong);
      const lossy = bytes(new TextDecoder().decode(body));
      const [exact, decoded] = [body, lossy].map((signed) => sign(scheme, secret, id, NOW / 1000, signed));
      expect(check(scheme, exact ?? {}, keys, body)).toBe(0);
      expect(check(scheme, exact ?? {}, keys, lossy)).toBeUndefined();
      expect(check(scheme, decoded ?? {}, keys, body)).toBeUndefined();
    }),
  );
  const webhook = new standardwebhooks.Webhook(`whsec_${"A".repeat(32)}`);
  const raw = Buffer.from([0x7b, 0xff, 0x7d]);
  const headers = {
    "webhook-id": "msg",
    "webhook-timestamp": String(NOW / 1000),
    "webhook-signature": webhook.sign("msg", new Date(NOW), raw),
  };
  expect(check("standard", headers, [keyOf("standard", `whsec_${"A".repeat(32)}`)], raw)).toBeUndefined();
});

test("SIGN-4: an empty body is proved by its own signature alone", () => {
  fc.assert(
    fc.property(any, ({ scheme, secret, id, raw }) => {
      const keys = [keyOf(scheme, secret)];
      const empty = sign(scheme, secret, id, NOW / 1000, new Uint8Array());
      expect(check(scheme, empty, keys, new Uint8Array())).toBe(0);
      fc.pre(raw.length > 0);
      expect(check(scheme, empty, keys, raw)).toBeUndefined();
      expect(check(scheme, sign(scheme, secret, id, NOW / 1000, raw), keys, new Uint8Array())).toBeUndefined();
    }),
  );
});

test.each(NAMES)("SIGN-2: %s takes no secret that is empty or blank once its prefix is gone", (scheme) => {
  for (const secret of ["", " ", "\n", "whsec_", "v1,whsec_", "whsec_=", "whsec_ "]) {
    expect(signingKey(scheme, secret).isErr(), secret).toBe(true);
  }
});

test("SIGN-3: a time that parseInt would read is refused, whether it was signed as written or as read", () => {
  const seconds = NOW / 1000;
  const after = ["abc", ".5", ".", "e0", "_0", " 1", "\u00b2", `.${seconds}`].map((rest) => `${seconds}${rest}`);
  const before = ["0", "00", "+", " 0", "0x"].map((start) => `${start}${seconds}`);
  const written = fc.constantFrom(...after, ...before);
  fc.assert(
    fc.property(timed, written, ({ scheme, secret, id, raw }, time) => {
      const keys = [keyOf(scheme, secret)];
      const asWritten = sign(scheme, secret, id, time, raw);
      const asRead = sign(scheme, secret, id, seconds, raw);
      expect(check(scheme, asRead, keys, raw)).toBe(0);
      expect(check(scheme, asWritten, keys, raw)).toBeUndefined();
      const mixed = Object.fromEntries(
        Object.entries(asRead).map(([name, value]) => [
          name,
          name.endsWith("timestamp") ? time : value.replace(`t=${seconds},`, `t=${time},`),
        ]),
      );
      expect(check(scheme, mixed, keys, raw)).toBeUndefined();
    }),
  );
});

test.each(TIMED)(
  "SIGN-3: %s: 300 seconds away passes and 301 does not, in both directions, to the second",
  (scheme) => {
    fc.assert(
      fc.property(secretOf(scheme), fc.integer({ min: 0, max: 999 }), (secret, ms) => {
        const at = (off: number): number | undefined => {
          const headers = sign(scheme, secret, "msg", NOW / 1000 + off, bytes("{}"));
          return check(scheme, headers, [keyOf(scheme, secret)], bytes("{}"), NOW + ms);
        };
        expect([-300, 300].map(at)).toEqual([0, 0]);
        expect([-301, 301, -100_000, 100_000].map(at)).toEqual([undefined, undefined, undefined, undefined]);
      }),
    );
  },
);

test("SIGN-3: a full stop in id or time cannot cut one signed text into two deliveries", () => {
  const [standardSecret, stripeSecret] = [`whsec_${"A".repeat(32)}`, "a-secret-of-enough-bytes"];
  fc.assert(
    fc.property(sentId, fc.string({ unit: "grapheme-ascii" }), (id, rest) => {
      const seconds = NOW / 1000;
      // the sender's body begins with a time, so that the signed text can be cut one full stop later
      const whole = bytes(`${seconds}.${rest}`);
      const honest = sign("standard", standardSecret, id, seconds, whole);
      const key = keyOf("standard", standardSecret);
      expect(check("standard", honest, [key], whole)).toBe(0);
      const cut = { ...honest, "webhook-id": `${id}.${seconds}` };
      expect(check("standard", cut, [key], bytes(rest))).toBeUndefined();
      const stripe = sign("stripe", stripeSecret, id, seconds, whole);
      const later = { "stripe-signature": field(stripe, "stripe-signature").replace("t=", `t=${seconds}.`) };
      expect(check("stripe", later, [keyOf("stripe", stripeSecret)], bytes(rest))).toBeUndefined();
    }),
  );
});

/** The header fields as a host gives them after the field was sent twice. */
const sentTwice = (headers: Headers, name: string, again: string, isFirst: boolean): Headers => {
  const host = new globalThis.Headers(headers);
  if (isFirst) host.set(name, again);
  host.append(name, isFirst ? field(headers, name) : again);
  return Object.fromEntries(host);
};

test("SIGN-3: a signature, signed id or signed time that was sent twice is refused by the head alone, whichever is the good one", () => {
  fc.assert(
    fc.property(any, fc.constantFrom("same", "", "x", "v1=00", "v1,AAAA"), fc.boolean(), (delivery, other, isFirst) => {
      const { scheme, secret, id, raw } = delivery;
      const headers = sign(scheme, secret, id, NOW / 1000, raw);
      expect(readSignature(scheme, reader(headers), NOW).isOk()).toBe(true);
      for (const name of Object.keys(headers)) {
        const twice = sentTwice(headers, name, other === "same" ? field(headers, name) : other, isFirst);
        expect(readSignature(scheme, reader(twice), NOW).isErr(), JSON.stringify(twice)).toBe(true);
      }
    }),
  );
});

test("SIGN-3: Linear's time in the body is 300 seconds away at most, in both directions, to the millisecond", () => {
  const headers = sign("linear", "a-secret-of-enough-bytes", "", 0, bytes("{}"));
  const claim = readSignature("linear", reader(headers), NOW)._unsafeUnwrap();
  const at = (off: number): boolean => isTimely(claim, { webhookTimestamp: NOW + off }, NOW);
  expect([-300_000, 300_000].map(at)).toEqual([true, true]);
  expect([-300_001, 300_001].map(at)).toEqual([false, false]);
});
