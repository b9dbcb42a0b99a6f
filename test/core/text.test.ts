import fc from "fast-check";
import { expect, test } from "vitest";
import { clip, printable } from "../../core/index.ts";

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
