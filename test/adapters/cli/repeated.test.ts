// The scanner of repeated names against the parser whose silence it breaks.

import fc from "fast-check";
import JSON5 from "json5";
import { expect, test } from "vitest";
import { repeatedNames } from "../../../adapters/cli/config/repeated.ts";
import { runs } from "../../support/runs.ts";

const at = (text: string): readonly string[] =>
  repeatedNames(text).map(({ path, lines }) => `${path.join(".")} ${lines.join(",")}`);

test.each([
  ["{ a: 1,\n a: 2 }", ["a 1,2"]],
  [`{ a: 1,\n 'a': 2,\n "a": 3 }`, ["a 1,2,3"]],
  [`{ a: 1,\n \\u0061: 2,\n "\\x61": 3, '\\a': 4 }`, ["a 1,2,3,3"]],
  [`{ "a\\\nb": 1,\n ab: 2 }`, ["ab 1,3"]],
  [`{ // a: 1, "\n a: 1, /* a: 2 }\n " */ b: 2,/**/a/*a*/:/*/ a: */3 }`, ["a 2,3"]],
  [`{ a: "a: 1, a: 2 } \\" ", b: ' { " \\' a: a ' }`, []],
  ["{ a: { b: 1,\n b: 2 },\n c: { b: 3 } }", ["a.b 1,2"]],
  ["{ a: [{ b: 1 }, { b: 2 }, [{ b: 3,\r\n b: 4 }], a, ] }".replace("a, ", "Infinity, "), ["a.b 1,2"]],
  ["[{ a: a }]".replace(": a", ": +1.5e3"), []],
  [`{ "": 1, '': 2, __proto__: 3, "__proto__": 4, constructor: 5 }`, [" 1,1", "__proto__ 1,1"]],
  ["{ a: null, $a: true, _a: 0x1F, ünï: 'é', ünï: 2 }", ["ünï 1,1"]],
  ["{ a: { a: { a: 1 } } }", []],
  ["\uFEFF{\u00a0a:1,\u2028a:2}// a", ["a 1,1"]],
  ["{ 'a:': 1, 'a': { 'a,': 2, 'a,': 3 } }", ["a.a, 1,1"]],
])("CONFIG-10: in %j stand %j", (text, expected) => {
  expect(() => JSON5.parse<unknown>(text)).not.toThrow();
  expect(at(text)).toEqual(expected);
});

/** A value as text, in the ways of JSON5, with the number of names in it. */
type Written = { readonly text: string; readonly names: number };
const filler = fc.constantFrom("", " ", "\n", "/* { a: ' */", '// ] " a:\n', "\t");
const name = fc.constantFrom("a", "b", "c1", "d e", "", "\\", "'", '"', "\n", "{", "//", "__proto__");
const key = fc.tuple(name, fc.boolean()).map(([text, isSingle]) => {
  if (/^[a-z]\w*$/u.test(text) && isSingle) return text;
  const json = JSON.stringify(text);
  return isSingle ? `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'` : json;
});
const { value } = fc.letrec<{ value: Written; list: Written; object: Written; leaf: Written }>((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, tie("leaf"), tie("list"), tie("object")),
  leaf: fc
    .oneof(
      fc.constantFrom("1", "-.5", "true", "null", "'a: 1'", '"}"'),
      key.filter((text) => /^["']/u.test(text)),
    )
    .map((text) => ({ text, names: 0 })),
  list: fc.tuple(fc.array(tie("value"), { maxLength: 3 }), filler).map(([all, gap]) => ({
    text: `[${gap}${all.map(({ text }) => text).join(`${gap},`)}${gap}]`,
    names: all.reduce((sum, { names }) => sum + names, 0),
  })),
  object: fc.tuple(fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }), filler).map(([all, gap]) => ({
    text: `{${all.map(([written, { text }]) => `${gap}${written}${gap}:${gap}${text}`).join(",")}${gap}}`,
    names: all.reduce((sum, [, { names }]) => sum + names + 1, 0),
  })),
}));

const namesKept = (parsed: unknown): number => {
  if (typeof parsed !== "object" || parsed === null) return 0;
  const all = Object.values(parsed).reduce<number>((sum, item) => sum + namesKept(item), 0);
  return all + (Array.isArray(parsed) ? 0 : Object.keys(parsed).length);
};

test("CONFIG-10: a name is found to be repeated exactly when the parser drops one", () => {
  fc.assert(
    fc.property(value, ({ text, names }) => {
      expect(repeatedNames(text).length > 0).toBe(namesKept(JSON5.parse(text)) < names);
    }),
    { numRuns: runs(500) },
  );
});

test("a large file and deep nesting take no longer than their length", () => {
  expect(at(`{ a: "${"x\\\\".repeat(500_000)}", b: /*${"*".repeat(500_000)}*/ 1 }`)).toEqual([]);
  expect(at(`{ a: ${"[".repeat(200_000)}${"]".repeat(200_000)}, a: 1 }`)).toEqual(["a 1,1"]);
  expect(at(`{${"a:1,".repeat(200_000)}}`)[0]).toHaveLength(1 + 2 * 200_000);
});
