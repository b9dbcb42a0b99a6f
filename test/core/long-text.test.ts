// The longest text that the engine can hold takes a second to write, so no mutant waits for this test.

import { expect, test } from "vitest";
import { stringifyJson } from "../../core/json.ts";

test("TOTAL-1: a text longer than the engine can hold is undefined", () => {
  const half = "x".repeat(2 ** 28);
  expect(stringifyJson({ half, again: half })).toBe(undefined);
});
