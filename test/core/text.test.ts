import fc from "fast-check";
import { expect, test } from "vitest";
import { asciiJson, clip, escaped, printable, visibleJson } from "../../core/index.ts";

test("ACTION-2: a text up to the length is unchanged; a longer one is cut and ends in an ellipsis", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 30 }), fc.nat({ max: 30 }), (text, length) => {
      expect(clip(text, length)).toBe(text.length <= length ? text : `${text.slice(0, length)}…`);
      expect(clip(text, text.length)).toBe(text);
    }),
  );
});

test("AUDIT-2: 80 characters are shown, a longer text is cut and ends in dots, and all but printable ASCII is escaped", () => {
  const plain = fc.string({ unit: fc.constantFrom("a", " ", "~"), minLength: 78, maxLength: 83 });
  fc.assert(
    fc.property(plain, (text) => {
      expect(printable(text)).toBe(text.length <= 80 ? text : `${text.slice(0, 80)}...`);
    }),
  );
  expect(printable("a\n\u001b[2J\u{1f600}é\u007f")).toBe("a\\u{a}\\u{1b}[2J\\u{1f600}\\u{e9}\\u{7f}");
});

test("AUDIT-2: `escaped` shows a text of any length whole", () => {
  expect(escaped(`${"a".repeat(200)}\n`)).toBe(`${"a".repeat(200)}\\u{a}`);
});

/** All characters up to U+FFFF but surrogates, and some beyond. */
const ALL = Array.from({ length: 0x10000 }, (_, code) => code)
  .concat(0x1f600, 0xe0001, 0xe007f, 0xe0100, 0x1d173)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code));

test("AUDIT-2: JSON in ASCII is the same JSON", () => {
  const written = asciiJson(JSON.stringify(ALL));
  expect(written).toMatch(/^[\x20-\x7e]*$/u);
  expect(JSON.parse(written)).toEqual(ALL);
  expect(asciiJson('"\u00e9\u{1f600}"')).toBe('"\\u00e9\\ud83d\\ude00"');
});

test("CALL-4: visible JSON is the same JSON, and only what does not show is escaped", () => {
  const written = visibleJson(JSON.stringify(ALL, undefined, 2));
  expect(JSON.parse(written)).toEqual(ALL);
  expect(written).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
  expect(visibleJson('{\n  "a": "\u00e9\u65e5\u{1f600} \u00a0"\n}')).toBe(
    '{\n  "a": "\u00e9\u65e5\u{1f600} \u00a0"\n}',
  );
  expect(visibleJson('"\u202e\u200b\u007f\u009b\u061c\u2028\u2069\ufeff\u{e0001}\u2800\u3164\u115f\u1160\uffa0"')).toBe(
    '"\\u202e\\u200b\\u007f\\u009b\\u061c\\u2028\\u2069\\ufeff\\udb40\\udc01\\u2800\\u3164\\u115f\\u1160\\uffa0"',
  );
});
