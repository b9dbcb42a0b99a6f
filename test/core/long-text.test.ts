// Texts so long that one takes a second, so no mutant waits for these tests.

import { expect, test } from "vitest";
import { hasReference } from "../../core/index.ts";
import { stringifyJson } from "../../core/json.ts";

test("TOTAL-1: a text longer than the engine can hold is undefined", () => {
  const half = "x".repeat(2 ** 28);
  expect(stringifyJson({ half, again: half })).toBe(undefined);
});

test("TOTAL-1: whether a long text holds a reference is said at once, because no part of it is looked at again and again", () => {
  // a time that grows with the square of the length would be hours here
  for (const part of ["${1 ", "${-", "{{ ", "{{a ", "[[ab ", "1\n", "' x", "<% ", "@{ 1", "%(", "a", "_", "$", "@@"]) {
    expect(hasReference(part.repeat(200_000))).toBeTypeOf("boolean");
    expect(hasReference(`\${${part.repeat(200_000)}`)).toBeTypeOf("boolean");
  }
});
