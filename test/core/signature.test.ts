import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  base64,
  type Claim,
  decodeBase64,
  deliveryId,
  hmacSha256,
  isTimely,
  readSignature,
  type SchemeName,
  SCHEMES,
  signDelivery,
  signingKey,
} from "../../core/index.ts";
import { bytes } from "./arbitraries.ts";
import { check, type Headers, keyOf, NAMES, NOW, reader, secretOf, sentId, sign } from "./signing.ts";

const IDS: Partial<Record<SchemeName, string>> = {
  standard: "webhook-id",
  github: "x-github-delivery",
  shopify: "x-shopify-webhook-id",
};

const scheme = fc.constantFrom(...NAMES);
const body = fc.uint8Array({ maxLength: 200 });
const signed = scheme.chain((name) =>
  fc.record({
    name: fc.constant(name),
    secret: secretOf(name),
    other: secretOf(name),
    id: sentId,
    body,
    off: fc.integer({ min: -300, max: 300 }),
  }),
);

test("SIGN-1: what a provider signs with the route's key is proved, by the published vectors too", () => {
  fc.assert(
    fc.property(signed, ({ name, secret, id: sent, body: raw, off }) => {
      const headers = sign(name, secret, sent, NOW / 1000 + off, raw);
      expect(check(name, headers, [keyOf(name, secret)], raw)).toBe(0);
    }),
  );
  const standard = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  for (const secret of ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]) {
    expect(check("standard", standard, [keyOf("standard", secret)], bytes('{"test": 2432232314}'))).toBe(0);
  }
  const github = { "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" };
  expect(check("github", github, [keyOf("github", "It's a Secret to Everybody")], bytes("Hello, World!"))).toBe(0);
  const slack = {
    "x-slack-request-timestamp": "1531420618",
    "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
  };
  const command = [
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar",
    "user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=",
    "response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN",
    "trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
  ].join("&");
  const slackKey = keyOf("slack", "8f742231b10e8888abcd99yyyzzz85a5");
  expect(check("slack", slack, [slackKey], bytes(command), 1_531_420_618_000)).toBe(0);
});

test("SIGN-1: what signDelivery writes is what the providers write", () => {
  fc.assert(
    fc.property(signed, ({ name, secret, id: sent, body: raw }) => {
      const ours = signDelivery(name, keyOf(name, secret), { id: sent, now: NOW + 999 }, raw, hmacSha256);
      const theirs = sign(name, secret, sent, NOW / 1000, raw);
      expect({
        ...ours,
        ...(name === "stripe" ? { "stripe-signature": `${ours["stripe-signature"] ?? ""},v0=abc` } : {}),
      }).toEqual(theirs);
    }),
  );
});

test("SIGN-4: another key, another body, another signature or another signed head proves nothing", () => {
  const change = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) });
  fc.assert(
    fc.property(signed, change, ({ name, secret, other, id: sent, body: raw }, { at, by }) => {
      const headers = sign(name, secret, sent, NOW / 1000, raw);
      const key = keyOf(name, secret);
      fc.pre(secret !== other);
      expect(check(name, headers, [keyOf(name, other)], raw)).toBeUndefined();
      const longer = Uint8Array.of(...raw, by);
      expect(check(name, headers, [key], longer)).toBeUndefined();
      if (raw.length > 0) {
        const changed = raw.map((byte, index) => (index === at % raw.length ? byte ^ by : byte));
        expect(check(name, headers, [key], changed)).toBeUndefined();
      }
      const shifted = sign(name, secret, sent, NOW / 1000 + 1, raw);
      if (SCHEMES[name].isTimed && name !== "stripe") {
        const field = name === "standard" ? "webhook-timestamp" : "x-slack-request-timestamp";
        expect(check(name, { ...headers, [field]: shifted[field] ?? "" }, [key], raw)).toBeUndefined();
      }
      if (name === "standard")
        expect(check(name, { ...headers, "webhook-id": `${sent}x` }, [key], raw)).toBeUndefined();
    }),
  );
});

test("SIGN-4: each configured key and each of the first eight signatures is tried; the ninth is not", () => {
  fc.assert(
    fc.property(signed, fc.nat({ max: 9 }), ({ name, secret, other, id: sent, body: raw }, before) => {
      fc.pre(secret !== other);
      const headers = sign(name, secret, sent, NOW / 1000, raw);
      const keys = [keyOf(name, other), keyOf(name, secret)];
      expect(check(name, headers, keys, raw)).toBe(1);
      const wrong = (text: string): string => Array.from({ length: before }, () => text).join("");
      const expected = before < 8 ? 0 : undefined;
      if (name === "standard") {
        const value = `v1a,x ${wrong("v1,AAAA ")}${headers["webhook-signature"] ?? ""}`;
        expect(check(name, { ...headers, "webhook-signature": value }, [keyOf(name, secret)], raw)).toBe(expected);
      }
      if (name === "stripe") {
        const value = `${wrong("v1=00,")}${headers["stripe-signature"] ?? ""}`;
        expect(check(name, { "stripe-signature": value }, [keyOf(name, secret)], raw)).toBe(expected);
      }
    }),
  );
});

test("SIGN-3: a time up to 300 seconds away passes in both directions, and only a plain decimal is a time", () => {
  const timed = signed.filter(({ name }) => SCHEMES[name].isTimed);
  fc.assert(
    fc.property(
      timed,
      fc.integer({ min: 0, max: 999 }),
      fc.constantFrom(-301, -300, 300, 301),
      ({ name, secret, body: raw }, ms, off) => {
        const headers = sign(name, secret, "id", NOW / 1000 + off, raw);
        const proved = check(name, headers, [keyOf(name, secret)], raw, NOW + ms);
        expect(proved).toBe(Math.abs(off) <= 300 ? 0 : undefined);
      },
    ),
  );
  const secret = "a-secret-of-enough-bytes";
  const odd = [
    "",
    " ",
    "0x10",
    "1e3",
    "+1614265330",
    "-1",
    "01614265330",
    "1614265330abc",
    "1614265330.0",
    "١٦",
    "NaN",
    "1614265330,1",
  ];
  for (const time of odd) {
    const mac = createHmac("sha256", secret).update(`v0:${time}:{}`).digest("hex");
    const headers = { "x-slack-request-timestamp": time, "x-slack-signature": `v0=${mac}` };
    expect(check("slack", headers, [keyOf("slack", secret)], bytes("{}")), time).toBeUndefined();
  }
});

test("SIGN-3: a missing, malformed or overlong field, an id with a full stop or two times are refused by the head alone", () => {
  const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
  const good = sign("standard", secret, "msg", NOW / 1000, bytes("{}"));
  const bad: readonly Headers[] = [
    {},
    ...Object.keys(good).map((name) => Object.fromEntries(Object.entries(good).filter(([one]) => one !== name))),
    { ...good, "webhook-id": "a.b" },
    { ...good, "webhook-id": "a b" },
    { ...good, "webhook-id": "x".repeat(256) },
    { ...good, "webhook-signature": "v2,abc" },
    { ...good, "webhook-signature": `v1,${"A".repeat(5000)}` },
    // half of one spelling and half of the other
    {
      "webhook-signature": good["webhook-signature"] ?? "",
      "svix-id": "msg",
      "svix-timestamp": good["webhook-timestamp"] ?? "",
    },
  ];
  for (const headers of bad)
    expect(readSignature("standard", reader(headers), NOW).isErr(), JSON.stringify(headers)).toBe(true);
  const twice = { "stripe-signature": `t=${String(NOW / 1000)},t=${String(NOW / 1000)},v1=00` };
  expect(readSignature("stripe", reader(twice), NOW).isErr()).toBe(true);
  const svix = Object.fromEntries(
    Object.entries(good).map(([name, value]) => [name.replace("webhook-", "svix-"), value]),
  );
  expect(check("standard", svix, [keyOf("standard", secret)], bytes("{}"))).toBe(0);
});

test("SIGN-2: a key that is short, empty or not canonical base64 is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (key) => {
      const made = signingKey("standard", `whsec_${Buffer.from(key).toString("base64")}`);
      expect(made.isOk()).toBe(key.length >= 24 && key.length <= 64);
      const text = Buffer.from(key).toString("hex");
      for (const name of NAMES.filter((one) => one !== "standard")) {
        expect(signingKey(name, text).isOk()).toBe(text.length >= 16);
      }
    }),
  );
  for (const secret of [
    "whsec_",
    "",
    "whsec_not base64",
    `whsec_${"A".repeat(33)}`,
    `whsec_${"A".repeat(40)}B==`,
    `${"é".repeat(30)}`,
  ]) {
    expect(signingKey("standard", secret).isErr(), secret).toBe(true);
  }
});

test("SIGN-2: base64 is Node's, and only its canonical form is read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.string({ maxLength: 12 }), (raw, wild) => {
      const text = Buffer.from(raw).toString("base64");
      expect(base64(raw)).toBe(text);
      expect(decodeBase64(text)).toEqual(raw);
      const isCanonical = Buffer.from(wild, "base64").toString("base64") === wild;
      expect(decodeBase64(wild) !== undefined).toBe(isCanonical);
    }),
  );
});

test("SIGN-2: a text with bits that a decoder drops, without its padding, or with more than digits is not base64", () => {
  expect(decodeBase64("QQ==")).toEqual(bytes("A"));
  for (const text of [
    "QR==",
    "QUJ=",
    "QQ",
    "QQ=",
    "Q",
    "QQ==QQ==",
    "QQ==\n",
    " QQ==",
    "Q-==",
    "QUI=QUI=",
    "=",
    "====",
    "é===",
  ])
    expect(decodeBase64(text), text).toBeUndefined();
});

test("SIGN-2: a key of Standard Webhooks has 24 to 64 bytes behind its beginning, and the beginning stands first", () => {
  const key = (length: number): string => Buffer.alloc(length, 1).toString("base64");
  const isKey = (text: string): boolean => signingKey("standard", text).isOk();
  expect([23, 24, 64, 65].map((length) => isKey(`whsec_${key(length)}`))).toEqual([false, true, true, false]);
  expect(isKey(`${key(24)}whsec_`)).toBe(false);
  expect(isKey(`AAAAwhsec_${key(24)}`)).toBe(false);
});

test("SIGN-3: why a head claims nothing is said", () => {
  const good = sign("standard", `whsec_${Buffer.alloc(24, 7).toString("base64")}`, "msg", NOW / 1000, bytes("{}"));
  const why = (headers: Headers, name: SchemeName = "standard"): unknown =>
    readSignature(name, reader(headers), NOW).match(
      () => "ok",
      (unproved) => unproved,
    );
  expect(why(good)).toBe("ok");
  expect(why({})).toBe("missing");
  for (const [field, value] of [
    ["webhook-signature", "v2,abc"],
    ["webhook-id", "a.b"],
    ["webhook-timestamp", "now"],
  ] as const)
    expect(why({ ...good, [field]: value }), field).toBe("malformed");
  expect(why({ ...good, "webhook-timestamp": String(NOW / 1000 + 301) })).toBe("far");
});

test("SIGN-3: a field may have white space around it, and 4,096 characters", () => {
  const secret = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
  const good = sign("standard", secret, "msg", NOW / 1000, bytes("{}"));
  const spaced = Object.fromEntries(Object.entries(good).map(([name, value]) => [name, ` ${value}\t`]));
  expect(check("standard", spaced, [keyOf("standard", secret)], bytes("{}"))).toBe(0);
  const signature = good["webhook-signature"] ?? "";
  const ofLength = (length: number): Headers => ({ ...good, "webhook-signature": `${signature} `.padEnd(length, "x") });
  expect(check("standard", ofLength(4096), [keyOf("standard", secret)], bytes("{}"))).toBe(0);
  expect(check("standard", ofLength(4097), [keyOf("standard", secret)], bytes("{}"))).toBeUndefined();
});

test("SIGN-3: the time inside Linear's body is near, in milliseconds; other schemes have none there", () => {
  const claim = (name: SchemeName): Claim => ({ scheme: name, before: bytes(""), digests: [], id: undefined });
  for (const off of [-300_000, 0, 300_000])
    expect(isTimely(claim("linear"), { webhookTimestamp: NOW + off }, NOW)).toBe(true);
  for (const payload of [
    { webhookTimestamp: NOW - 300_001 },
    { webhookTimestamp: NOW + 300_001 },
    { webhookTimestamp: String(NOW) },
    {},
    null,
    [],
  ]) {
    expect(isTimely(claim("linear"), payload, NOW)).toBe(false);
    expect(isTimely(claim("github"), payload, NOW)).toBe(true);
  }
});

test("ONCE-4: only an id that the signature proves is the delivery's: the head's, and Stripe's in the body", () => {
  for (const name of NAMES) {
    const { [name]: field } = IDS;
    const claim: Claim = { scheme: name, before: bytes(""), digests: [], id: field === undefined ? undefined : "head" };
    const expected = name === "stripe" ? "body" : name === "standard" ? "head" : undefined;
    expect(deliveryId(claim, { id: "body" })).toBe(expected);
  }
  const stripe: Claim = { scheme: "stripe", before: bytes(""), digests: [], id: undefined };
  for (const payload of [{}, { id: 1 }, { id: "a b" }, { id: "" }, null, Object.create({ id: "inherited" })]) {
    expect(deliveryId(stripe, payload)).toBeUndefined();
  }
});
