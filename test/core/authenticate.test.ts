import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  authenticate,
  type Credential,
  credentialOf,
  digestSecret,
  MAX_BODY_BYTES,
  MAX_SECRET_BYTES,
  type Route,
  resolveRoute,
  type SecretDigest,
  sha256,
  signingKey,
} from "../../core/index.ts";
import { head, load, wildText } from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

const opening = (...secrets: readonly SecretDigest[]): Credential => ({ kind: "secret", secrets, header: undefined });

/** Any text is a secret here. Which ones a configuration may have is not the question. */
const routeWith = (secret: string): Route => ({
  id: "r",
  path: "/r",
  sessionKey: "s",
  controllerId: "c",
  credential: opening(digestSecret(secret, sha256)),
  maxBodyBytes: MAX_BODY_BYTES,
  deliveries: undefined,
  run: undefined,
  notify: undefined,
  policy: undefined,
  limits: undefined,
});

const ROUTE = routeWith("x");

const opens = (secret: string, headers: Readonly<Record<string, string>>): boolean =>
  authenticate(routeWith(secret), head({ headers }).header, sha256).isOk();

const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
});
const secret = visible.filter((text) => !/^bearer$/iu.test(text));
const space = fc.stringMatching(/^[ \t]{0,3}$/u);
const bearer = fc.constantFrom("Bearer ", "bearer ", "BEARER ", "bEaReR ");

test("AUTH-2: the secret opens its route as a bearer token, in any case and with any space around it", () => {
  fc.assert(
    fc.property(secret, bearer, space, space, space, (value, scheme, before, between, after) => {
      expect(opens(value, { authorization: `${before}${scheme}${between}${value}${after}` })).toBe(true);
    }),
  );
});

test("AUTH-2: the secret opens its route in x-openclaw-webhook-secret if there is no bearer token", () => {
  const none = fc.constantFrom(undefined, "", "Basic abc", "Bearer", "Bearer ", "Bearer\tx", "bearerx y");
  fc.assert(
    fc.property(secret, none, space, (value, authorization, around) => {
      const own = { "x-openclaw-webhook-secret": `${around}${value}${around}` };
      expect(opens(value, authorization === undefined ? own : { ...own, authorization })).toBe(true);
    }),
  );
});

test("AUTH-2: if there is a bearer token, only it counts", () => {
  fc.assert(
    fc.property(secret, secret, (value, other) => {
      fc.pre(value !== other);
      expect(opens(value, { authorization: `Bearer ${other}`, "x-openclaw-webhook-secret": value })).toBe(false);
      expect(opens(value, { authorization: `Bearer ${value}`, "x-openclaw-webhook-secret": other })).toBe(true);
    }),
  );
});

test("AUTH-8: two lines of the route's own header, joined by their host, open nothing, even where they read as the secret", () => {
  fc.assert(
    fc.property(visible, visible, (one, other) => {
      const joined = `${one},${other}`;
      const route = {
        ...routeWith(joined),
        credential: { ...opening(digestSecret(joined, sha256)), header: "x-token" },
      };
      const open = (headers: Readonly<Record<string, string>>): boolean =>
        authenticate(route, head({ headers }).header, sha256).isOk();
      expect([open({ "x-token": joined }), open({ authorization: `Bearer ${joined}` })]).toEqual([false, true]);
    }),
  );
});

test("AUTH-7: the route's own header opens it where the request has neither of the others, and is read of no other route", () => {
  const none = fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { authorization: "" },
    { authorization: "Basic abc", "x-openclaw-webhook-secret": " " },
  );
  const own = secret.filter((text) => !text.includes(","));
  fc.assert(
    fc.property(own, own, none, space, space, (value, other, more, before, after) => {
      const credential: Credential = { kind: "secret", secrets: [digestSecret(value, sha256)], header: "x-token" };
      const route: Route = { ...routeWith(value), credential };
      const open = (headers: Readonly<Record<string, string>>): boolean =>
        authenticate(route, head({ headers }).header, sha256).isOk();
      expect(open({ ...more, "x-token": `${before}${value}${after}` })).toBe(true);
      expect(open(more)).toBe(false);
      expect(open({ ...more, "X-Other": value })).toBe(false);
      expect(opens(value, { ...more, "x-token": value })).toBe(false);
      fc.pre(value !== other);
      expect(open({ "x-token": value, authorization: `Bearer ${other}` })).toBe(false);
      expect(open({ "x-token": value, "x-openclaw-webhook-secret": other })).toBe(false);
      expect(open({ "x-token": other, "x-openclaw-webhook-secret": value })).toBe(true);
      expect(credentialOf(head({ headers: {} }).header, "x-token")).toBe("");
    }),
  );
});

test("AUTH-1, SIGN-4: no secret opens a route whose bodies are signed", () => {
  const keys = [signingKey("github", "x".repeat(16))._unsafeUnwrap()];
  const route: Route = { ...ROUTE, credential: { kind: "signature", scheme: "github", keys } };
  for (const headers of [{}, { authorization: `Bearer ${"x".repeat(16)}` }, { "x-openclaw-webhook-secret": "x" }])
    expect(authenticate(route, head({ headers }).header, sha256)._unsafeUnwrapErr()).toEqual({ code: "unauthorized" });
});

test("AUTH-2: without any of its headers a request has the empty credential", () => {
  expect(credentialOf(head({ headers: {} }).header)).toBe("");
  expect(credentialOf(head({ headers: { "x-openclaw-webhook-secret": "s" } }).header, "x-token")).toBe("s");
  for (const blank of [" ", "\t", " \t "]) {
    expect(credentialOf(head({ headers: { authorization: blank, "x-openclaw-webhook-secret": blank } }).header)).toBe(
      "",
    );
  }
});

test("AUTH-1: only the secret opens a route", () => {
  fc.assert(
    fc.property(secret, wildText, wildText, (value, authorization, own) => {
      const headers = { authorization, "x-openclaw-webhook-secret": own };
      expect(opens(value, headers)).toBe(credentialOf(head({ headers }).header).trim() === value);
    }),
    { numRuns: runs(500) },
  );
});

test("AUTH-1: no secret, an empty one, a prefix, a longer one or one changed character does not open a route", () => {
  fc.assert(
    fc.property(fc.tuple(visible, fc.nat()), ([value, at]) => {
      const index = at % value.length;
      const changed = value.slice(0, index) + (value.charAt(index) === "!" ? "~" : "!") + value.slice(index + 1);
      for (const wrong of ["", value.slice(0, -1), `${value}x`, value + value, changed]) {
        expect(opens(value, { authorization: `Bearer ${wrong}` })).toBe(false);
        expect(opens(value, { "x-openclaw-webhook-secret": wrong })).toBe(false);
      }
      expect(opens(value, {})).toBe(false);
    }),
  );
});

test("AUTH-5: every refusal is the same value", () => {
  fc.assert(
    fc.property(
      secret,
      fc.dictionary(fc.constantFrom("authorization", "x-openclaw-webhook-secret"), wildText),
      (value, headers) => {
        fc.pre(!opens(value, headers));
        const refused = authenticate(routeWith(value), head({ headers }).header, sha256);
        expect(refused.isErr() && refused.error).toEqual({ code: "unauthorized" });
      },
    ),
  );
});

const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

test("AUTH-4: a secret beyond ASCII opens its route as Latin-1 and as UTF-8", () => {
  const accented = fc
    .string({ unit: fc.constantFrom("é", "ü", "a", "ÿ", "ß"), minLength: 1, maxLength: 8 })
    .map((text) => `${text}é`);
  fc.assert(
    fc.property(accented, (value) => {
      expect(opens(value, { authorization: `Bearer ${value}` })).toBe(true);
      expect(opens(value, { authorization: `Bearer ${latin1(value)}` })).toBe(true);
      expect(opens(value, { authorization: `Bearer ${latin1(latin1(value))}` })).toBe(false);
      expect(opens(value, { authorization: `Bearer ${value.replaceAll("é", "e")}` })).toBe(false);
    }),
  );
  expect(opens("geheim-漢字-0123456789", { authorization: `Bearer ${latin1("geheim-漢字-0123456789")}` })).toBe(true);
});

test("AUTH-4: bytes that look like white space are part of a secret in UTF-8, and no other form matches by wrapping", () => {
  const voila = "un-secret-bien-long-voilà";
  expect(opens(voila, { authorization: `Bearer ${voila}` })).toBe(true);
  expect(opens(voila, { authorization: `Bearer ${latin1(voila)}` })).toBe(true);
  expect(opens("A", { authorization: "Bearer \u0141" })).toBe(false);
  expect(opens("é".repeat(2048), { authorization: `Bearer ${latin1("é".repeat(2048))}` })).toBe(true);
  const written = (secret: string): number => load({ routes: { r: { sessionKey: "s", secret } } }).routes.size;
  expect([written(`secret:${"né".repeat(1363)}`), written(`secret:${"né".repeat(1363)}n`)]).toEqual([1, 0]);
});

test("AUTH-1, LIMIT-7: a credential of 4,096 bytes is checked, a longer one is refused", () => {
  const longest = "x".repeat(MAX_SECRET_BYTES);
  expect(opens(longest, { authorization: `Bearer ${longest}` })).toBe(true);
  let hashed = 0;
  const counting = (data: Uint8Array): Uint8Array => {
    hashed += 1;
    return sha256(data);
  };
  const { header } = head({ headers: { authorization: `Bearer ${longest}x` } });
  expect([authenticate(ROUTE, header, counting).isErr(), hashed]).toEqual([true, 0]);
});

test("AUTH-3: a native digest gives the same results as the default", () => {
  const native = (data: Uint8Array): Uint8Array => createHash("sha256").update(data).digest();
  fc.assert(
    fc.property(secret, wildText, (value, presented) => {
      const route = routeWith(value);
      const { header } = head({ headers: { authorization: `Bearer ${presented}` } });
      expect(authenticate(route, header, native).isOk()).toBe(authenticate(route, header, sha256).isOk());
    }),
  );
});

/** Bytes whose reads are counted by their index. */
const watched = (bytes: Uint8Array, reads: number[]): Uint8Array =>
  new Proxy(bytes, {
    get: (target, name): unknown => {
      const index = typeof name === "string" ? Number(name) : Number.NaN;
      if (Number.isInteger(index)) reads[index] = (reads[index] ?? 0) + 1;
      // a typed array knows its length only as itself
      return Reflect.get(target, name, target);
    },
  });

test("AUTH-3: a comparison reads every byte of both digests, wherever and however often they differ", () => {
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const changes = fc.array(fc.tuple(fc.nat({ max: 31 }), fc.integer({ min: 0, max: 255 })), { maxLength: 32 });
  const all = Array.from({ length: 32 }, () => 1);
  fc.assert(
    fc.property(digest, changes, fc.boolean(), (kept, changed, isBeyondAscii) => {
      const other = Uint8Array.from(kept);
      for (const [index, value] of changed) other[index] = value;
      const reads: [number[], number[]] = [[], []];
      const route = { ...ROUTE, credential: opening(digestSecret("x", () => watched(kept, reads[0]))) };
      const credential = isBeyondAscii ? "Bearer \u0141" : "Bearer y";
      const { header } = head({ headers: { authorization: credential } });
      const isOpen = authenticate(route, header, () => watched(other, reads[1])).isOk();
      expect(isOpen).toBe(kept.every((byte, index) => byte === other[index]));
      expect(reads).toEqual([all, all]);
    }),
  );
});

test("AUTH-3: a credential beyond ASCII is compared in both of its forms, whatever the first comparison says", () => {
  let hashed = 0;
  const reads: number[] = [];
  const hash = (data: Uint8Array): Uint8Array => {
    hashed += 1;
    return watched(sha256(data), reads);
  };
  const route = routeWith("s\u00e9cret-of-some-length");
  for (const credential of ["s\u00e9cret-of-some-length", latin1("s\u00e9cret-of-some-length"), "s\u00e9"]) {
    [hashed, reads.length] = [0, 0];
    const { header } = head({ headers: { authorization: `Bearer ${credential}` } });
    expect(route && authenticate(route, header, hash).isOk()).toBe(credential !== "s\u00e9");
    expect([hashed, reads]).toEqual([2, Array.from({ length: 32 }, () => 2)]);
  }
});

test("AUTH-3: a digest of another length never matches, and a route shows neither secret nor digest", () => {
  const route = routeWith("a-secret-of-some-length");
  const { header } = head({ headers: { authorization: "Bearer a-secret-of-some-length" } });
  for (const cut of [
    (d: Uint8Array) => d.slice(0, 31),
    (d: Uint8Array) => Uint8Array.from([...d, 0]),
    () => new Uint8Array(),
  ]) {
    expect(route && authenticate(route, header, (data) => cut(sha256(data))).isErr()).toBe(true);
  }
  expect(JSON.stringify(route?.credential)).toBe('{"kind":"secret","secrets":[{}]}');
  expect(resolveRoute(new Map(), "/x")._unsafeUnwrapErr()).toEqual({ code: "route_not_found" });
});

test("AUTH-1: a route with a blank secret, which no configuration makes, opens to no credential", () => {
  const route = { ...ROUTE, credential: opening(digestSecret("", sha256)) };
  for (const credential of ["", " ", "\t", "\u00a0", "\u00a0 \u00a0"]) {
    for (const name of ["authorization", "x-openclaw-webhook-secret"]) {
      const value = name === "authorization" ? `Bearer ${credential}` : credential;
      expect(authenticate(route, (asked) => (asked === name ? value : undefined), sha256).isErr()).toBe(true);
    }
  }
});

test("AUTH-4: white space of Latin-1 around a credential is dropped", () => {
  const route = { ...ROUTE, credential: opening(digestSecret("s\u00e9cret", sha256)) };
  for (const credential of ["s\u00e9cret", "\u00a0s\u00e9cret", "s\u00e9cret\u00a0\u00a0"]) {
    expect(authenticate(route, () => `Bearer ${credential}`, sha256).isOk()).toBe(true);
  }
  expect(authenticate(route, () => "Bearer s\u00a0\u00e9cret", sha256).isErr()).toBe(true);
});
