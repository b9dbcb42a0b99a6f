import fc from "fast-check";
import { expect, test } from "vitest";
import { IDEMPOTENCY_KEY, idempotencyKey, quotedKey } from "../../core/index.ts";

const printable = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 255 });

test("ONCE-4: a key is the same key quoted and bare, with white space around it", () => {
  fc.assert(
    fc.property(printable, fc.constantFrom("", " ", "\t "), (key, space) => {
      expect(idempotencyKey(`${space}${quotedKey(key)}${space}`)._unsafeUnwrap()).toBe(key);
      fc.pre(key.trim() === key && !key.startsWith('"'));
      expect(idempotencyKey(`${space}${key}${space}`)._unsafeUnwrap()).toBe(key);
    }),
  );
  expect(idempotencyKey(undefined)._unsafeUnwrap()).toBeUndefined();
});

test("ONCE-4: a key of 255 characters is one, however it is written, and one of 256 is not", () => {
  expect(IDEMPOTENCY_KEY).toBe("idempotency-key");
  for (const [unit, write] of [
    ["x", (key: string) => key],
    ["x", quotedKey],
    ['"', quotedKey],
    ["\\", quotedKey],
  ] as const) {
    expect(idempotencyKey(write(unit.repeat(255)))._unsafeUnwrap()).toBe(unit.repeat(255));
    expect(idempotencyKey(write(unit.repeat(256)))._unsafeUnwrapErr()).toEqual({
      field: "Idempotency-Key",
      sentence: "must be 1 to 255 printable ASCII characters, quoted or not",
    });
  }
  // more than any key takes is not even looked at
  expect(idempotencyKey(` ${quotedKey('"'.repeat(255))}`).isErr()).toBe(true);
  expect(idempotencyKey("ék").isErr()).toBe(true);
});

test("ONCE-4: an empty, overlong, unprintable or half-quoted key is malformed, and the header is named", () => {
  const bad = [
    "",
    " ",
    '""',
    '"',
    '"k',
    '"a"b"',
    '"a\\b"',
    "é",
    "a\u0000",
    "a\u007f",
    "x".repeat(256),
    quotedKey("x".repeat(256)),
    "x".repeat(600),
  ];
  for (const value of bad) {
    expect(idempotencyKey(value).isErr(), value).toBe(true);
    expect(idempotencyKey(value)._unsafeUnwrapErr().field).toBe("Idempotency-Key");
  }
});
