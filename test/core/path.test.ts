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
  (plain) => plain.replaceAll("/", "//"),
  (plain) => `/%2F${plain}`,
  (plain) => `\\${plain.slice(1)}`,
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

/** A leading run of slashes, however they are written, as one. White space within it is dropped by a URL parser. */
const oneSlash = (raw: string): string =>
  raw.replace(/^(https?:\/\/[^/\\?#]+)?[/\\\t\n\r]+/iu, (_, origin: string | undefined) => `${origin ?? ""}/`);

const isHost = (raw: string): boolean => oneSlash(raw) !== raw && /^[/\\]{2}/u.test(raw.replace(/[\t\n\r]/gu, ""));

const pathnameOf = (raw: string): string => new URL(oneSlash(raw), "http://localhost").pathname;

const tidy = (raw: string): string =>
  pathnameOf(raw)
    .trim()
    .toLowerCase()
    .replace(/\/{2,}/gu, "/")
    .replace(/(?<=.)\/+$/u, "");

/**
 * The Gateway's own rule, as read in its code (2026.9.6): the form of the fully decoded target. None when the encoding is
 * broken, because then the Gateway asks for its own credential. Here a second slash does not begin a host name; `hosts`
 * says whether the Gateway would have found one.
 */
const gatewayForm = (target: string): { readonly form: string | undefined; readonly hosts: boolean } => {
  try {
    const layers = [pathnameOf(target)];
    for (let last = ""; last !== layers.at(-1);) {
      last = layers.at(-1) ?? "";
      layers.push(decodeURIComponent(last));
    }
    return { form: tidy(layers.at(-1) ?? ""), hosts: [target, ...layers].some(isHost) };
  } catch {
    return { form: undefined, hosts: false };
  }
};

const PIECES =
  'a B x / // . .. /../ /./ \\ ~ - ?q #f ; : @ | ^ " é %2f %2F %252f %5c %255c %2e %252e %61 %2578 %3f %253f %23 %20 %09 %0a ' +
  "%00 %25 %zz %ff %c2%a0 %C3%A9 %c4%b0 %EF%BC%8F http: http://h";
const piece = fc.constantFrom(...PIECES.split(" "), "\t", " ", "\u2028");
const start = fc.constantFrom("/", "/", "//", "/\\", "/\t/", "http://h/", "HTTP://h:80//", "https://h\\");
const target = fc.tuple(start, fc.array(piece, { maxLength: 9 })).map(([first, pieces]) => [first, ...pieces].join(""));

const CONFIGURED = ["/a", "/x", "/a/x", "/x/a", "/b", "/x/b"];

test("ROUTE-1: a target reaches the route that it reaches in the Gateway, and no other", () => {
  let [reached, hosts] = [0, 0];
  fc.assert(
    fc.property(target, (raw) => {
      const gateway = gatewayForm(raw);
      const form = canonicalPath(raw).unwrapOr("none");
      for (const path of CONFIGURED) expect([path, form === path]).toEqual([path, gateway.form === path]);
      if (CONFIGURED.includes(form)) reached += 1;
      if (CONFIGURED.includes(form) && gateway.hosts) hosts += 1;
    }),
    { numRuns: runs(20_000) },
  );
  expect([reached > 100, hosts > 10]).toEqual([true, true]);
});

test.each([
  ["//a/x", "/a/x"],
  ["///a//x", "/a/x"],
  ["/\\a/x", "/a/x"],
  ["/%2Fa/x", "/a/x"],
  ["/%2F%2Fa/x", "/a/x"],
  ["/%255ca/x", "/a/x"],
  ["/%09/a/x", "/a/x"],
  ["/..//a%2Fx%2F%2F", "/a/x"],
  ["http://h//a/x", "/a/x"],
])("ROUTE-1: in %s no part of the path is a host name", (raw, path) => {
  expect(canonicalPath(raw).unwrapOr("none")).toBe(path);
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

test.each(["*", "x", "http:/x", "http:///x", "/%", "/%zz", "/%ff"])("ROUTE-2: %j is not a path", (raw) => {
  expect(canonicalPath(raw)._unsafeUnwrapErr()).toBe("malformed");
});

test("ROUTE-2: a path that only a half decoded target has is not reached", () => {
  expect(canonicalPath("/x%255c%5c..//a").unwrapOr("none")).toBe("/x/a");
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
  expect(canonicalPath("/a%20//..").unwrapOr("none")).toBe("/a ");
  expect(canonicalPath("/a%20/.").unwrapOr("none")).toBe("/a ");
  expect(canonicalPath("/a%20/b/..").unwrapOr("none")).toBe("/a ");
  for (const mark of ["%3F", "%23"]) expect(canonicalPath(`/a${mark}b/c`).unwrapOr("none")).toBe("/a");
  expect(canonicalPath("?q").unwrapOr("none")).toBe("/");
  expect(canonicalPath("/a/http://host/b").unwrapOr("none")).toBe("/a/http:/host/b");
});

test("TOTAL-1: no target makes canonicalPath throw", () => {
  fc.assert(
    fc.property(wildText, (raw) => void canonicalPath(raw)),
    { numRuns: runs(2000) },
  );
});
