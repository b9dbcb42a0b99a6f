import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalPath, MAX_PATH_LENGTH } from "../../core/index.ts";
import { wildText } from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

const segment = fc.stringMatching(/^[a-z0-9_-]{1,8}$/u);
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join("/")}`);

const percent = (character: string): string => `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`;

/** Spellings of a path that the Gateway treats as the same path (gateway-semantics §1). */
const spelling = fc.constantFrom<(path: string) => string>(
  (plain) => plain.toUpperCase(),
  (plain) => `${plain}/`,
  (plain) => `${plain}//`,
  (plain) => `${plain}%2F`,
  (plain) => `${plain}%20`,
  (plain) => `${plain}%00`,
  (plain) => `${plain}?a=1#b`,
  (plain) => `${plain}#`,
  (plain) => `/.${plain}`,
  (plain) => `/x/..${plain}`,
  (plain) => `/x%2f..${plain}`,
  (plain) => plain.replaceAll("/", "//").slice(1),
  (plain) => `/${plain.slice(1).replaceAll("/", "%2F")}`,
  (plain) => `/${plain.slice(1).replaceAll("/", "\\")}`,
  (plain) => `/${percent(plain.charAt(1))}${plain.slice(2)}`,
  (plain) => `/%25${percent(plain.charAt(1)).slice(1)}${plain.slice(2)}`,
  (plain) => `http://other.example${plain}`,
);

test("ROUTE-1: every spelling of a path has the same canonical form", () => {
  fc.assert(
    fc.property(path, spelling, (plain, spell) => {
      expect(canonicalPath(spell(plain)).unwrapOr("none")).toBe(plain);
    }),
    { numRuns: runs(2000) },
  );
});

/** The Gateway's rule, written independently: a URL parser, decoding until stable, lower case, single slashes. */
const oracle = (target: string): string | undefined => {
  const resolve = (raw: string): string => new URL(raw, "http://localhost").pathname;
  const tidy = (raw: string): string =>
    decodeURI(resolve(raw))
      .toLowerCase()
      .replace(/\/{2,}/gu, "/")
      .replace(/(?<=.)\/+$/u, "");
  try {
    let decoded = resolve(target);
    for (let pass = 0; pass < 32 && decodeURIComponent(decoded) !== decoded; pass += 1)
      decoded = decodeURIComponent(decoded);
    return /^[/\\]{2}/u.test(decoded) ? "a host name to the URL parser" : tidy(decoded);
  } catch {
    return undefined;
  }
};

const piece = fc.constantFrom(
  "a",
  "B",
  "/",
  "//",
  ".",
  "..",
  "/../",
  "/./",
  "%2f",
  "%2e",
  "%252e",
  "%61",
  "\\",
  "?q",
  "%3f",
  "%20",
  "%zz",
  "~",
  "-",
);
const target = fc.array(piece, { maxLength: 12 }).map((pieces) => `/p${pieces.join("")}`);

test("ROUTE-1: the canonical form is what a URL parser and full decoding give", () => {
  fc.assert(
    fc.property(target, (raw) => {
      const expected = oracle(raw);
      fc.pre(expected === undefined || !/[^a-z0-9/._~-]/u.test(expected));
      expect(canonicalPath(raw).unwrapOr(undefined)).toBe(expected);
    }),
    { numRuns: runs(5000) },
  );
});

test("ROUTE-1: a canonical form is its own canonical form", () => {
  fc.assert(
    fc.property(fc.oneof(target, wildText), (raw) => {
      const once = canonicalPath(raw);
      fc.pre(once.isOk() && !/[%?#\\]/u.test(once.value) && once.value.trim() === once.value);
      const path = once.unwrapOr("");
      expect(canonicalPath(path).unwrapOr("none")).toBe(path);
    }),
  );
});

test.each(["*", "x", "//host/plugins", "/\\host", "/%", "/%zz", "/%ff"])("ROUTE-2: %j is not a path", (raw) => {
  expect(canonicalPath(raw)._unsafeUnwrapErr()).toBe("malformed");
});

test("ROUTE-2: a path that is longer than the path of any route has no canonical form", () => {
  expect(canonicalPath(`/${"a".repeat(MAX_PATH_LENGTH)}`)._unsafeUnwrapErr()).toBe("malformed");
});

test("ROUTE-1: the longest path, endless encoding, and edge cases", () => {
  const longest = `/${"a".repeat(MAX_PATH_LENGTH - 1)}`;
  expect(canonicalPath(longest).unwrapOr("none")).toBe(longest);
  expect(canonicalPath(`${longest}?q`).unwrapOr("none")).toBe(longest);
  const encoded = (times: number): string => `/%${"25".repeat(times - 1)}61`;
  expect(canonicalPath(encoded(31)).unwrapOr("none")).toBe("/a");
  expect(canonicalPath(encoded(32))._unsafeUnwrapErr()).toBe("malformed");
  expect(canonicalPath(encoded(33))._unsafeUnwrapErr()).toBe("malformed");
  expect(canonicalPath("http://host").unwrapOr("none")).toBe("/");
  expect(canonicalPath("/a%09b%0a").unwrapOr("none")).toBe("/ab");
  expect(canonicalPath("/a%20%20%00").unwrapOr("none")).toBe("/a");
  expect(canonicalPath("/a%21").unwrapOr("none")).toBe("/a!");
  expect(canonicalPath("/..").unwrapOr("none")).toBe("/");
  expect(canonicalPath("?q").unwrapOr("none")).toBe("/");
  expect(canonicalPath("/a/http://host/b").unwrapOr("none")).toBe("/a/http:/host/b");
});

test("TOTAL-1: no target makes canonicalPath throw", () => {
  fc.assert(
    fc.property(wildText, (raw) => void canonicalPath(raw)),
    { numRuns: runs(2000) },
  );
});
