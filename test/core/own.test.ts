import fc from "fast-check";
import { expect, test } from "vitest";
import { isObject, own } from "../../core/index.ts";

test("an object is neither null nor an array", () => {
  for (const value of [{}, Object.create(null), new Map()]) expect(isObject(value)).toBe(true);
  for (const value of [null, undefined, [], "text", 7, true, () => undefined]) expect(isObject(value)).toBe(false);
});

test("own: an own property has its value, read once; a name of the prototype has none", () => {
  let reads = 0;
  const get = (): number => (reads += 1);
  const value = Object.defineProperty({ ["__proto__"]: 7, toString: 8 }, "late", { get, enumerable: true });
  expect([own(value, "__proto__"), own(value, "toString"), own(value, "late")]).toEqual([7, 8, 1]);
  expect([own({}, "toString"), own({}, "__proto__"), own(["a", "b"], 1), own(["a"], "1")]).toEqual([
    undefined,
    undefined,
    "b",
    undefined,
  ]);
});

test("TOTAL-1: own reads any value under any name", () => {
  const odd = fc.anything({ withNullPrototype: true, withBigInt: true });
  fc.assert(fc.property(odd, fc.oneof(fc.string(), fc.nat()), (value, name) => void own(value, name)));
  for (const value of [null, undefined, "text", 7]) expect(own(value, "length")).toBeUndefined();
});
