import fc from "fast-check";
import { expect, test } from "vitest";
import {
  copyHostJson,
  checkRequestJson,
  JSON_FAULTS,
  MAX_HOST_DEPTH,
  MAX_REQUEST_DEPTH,
  parseJson,
  textRuleOf,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { wildText } from "./arbitraries.ts";

const nest = (depth: number, wrap: (inner: unknown) => unknown = (inner) => [inner]): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level += 1) value = wrap(value);
  return value;
};

const wrap = fc.constantFrom<(inner: unknown) => unknown>(
  (inner) => [inner],
  (inner) => ({ a: inner }),
  (inner) => [0, inner, "x"],
  (inner) => ({ a: 1, b: inner, c: [] }),
);

/** Places a value somewhere inside a larger one. */
const buried = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc
    .tuple(value, fc.array(wrap, { maxLength: 5 }))
    .map(([inner, wraps]) => wraps.reduce<unknown>((at, one) => one(at), inner));

test("BODY-4: exactly 1,000 levels pass, 1,001 and any depth beyond are refused", () => {
  fc.assert(
    fc.property(wrap, fc.constantFrom(0, 1, 999, 1000, 1001, 1002, 5000), (one, depth) => {
      const checked = checkRequestJson(nest(depth, one));
      // the wraps that add an empty array beside the inner value go one level deeper there
      expect(checked.isOk()).toBe(
        depth <= MAX_REQUEST_DEPTH - (JSON.stringify(one(0)).includes("[]") && depth === 1000 ? 1 : 0),
      );
    }),
  );
  expect(checkRequestJson(nest(100_000))._unsafeUnwrapErr()).toBe("too_deep");
});

test("BODY-5: what JSON.parse made of a storable value is the same value", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      fc.pre(text.isWellFormed() && !text.includes("__proto__"));
      const parsed: unknown = JSON.parse(text);
      expect(checkRequestJson(parsed)._unsafeUnwrap()).toBe(parsed);
      expect(copyHostJson(parsed)._unsafeUnwrap()).toEqual(parsed);
    }),
  );
});

test("BODY-5: what is known of the text never changes the verdict", () => {
  const fragment = fc.constantFrom(
    '"\\ud800"',
    '"\\u0041"',
    "__proto__",
    '{"__proto__":1}',
    '{"__prot\\u006f__":1}',
    "1e999",
    "[]",
    '"x"',
  );
  const written = fc.oneof(
    fc.json(),
    fc.array(fragment, { maxLength: 4 }).map((parts) => `[${parts.join(",")}]`),
  );
  fc.assert(
    fc.property(written, (text) => {
      const parsed = parseJson(text);
      fc.pre(parsed.isOk());
      const value = parsed.unwrapOr(undefined);
      expect(checkRequestJson(value, textRuleOf(text))).toEqual(checkRequestJson(value, "any"));
    }),
    { numRuns: runs(500) },
  );
  expect([textRuleOf("[1]"), textRuleOf('"\\u0041"'), textRuleOf('"__proto__"')]).toEqual(["harmless", "any", "any"]);
});

const loneSurrogate = fc
  .tuple(fc.string(), fc.integer({ min: 0xd800, max: 0xdfff }), fc.constantFrom("", "x"))
  .map(([before, unit, after]) => before + String.fromCharCode(unit) + after);

test.each([
  ["lone_surrogate", buried(loneSurrogate)],
  ["lone_surrogate", buried(loneSurrogate.map((name) => ({ [name]: 1 })))],
  ["not_finite", buried(fc.constantFrom(Infinity, -Infinity, NaN))],
  ["forbidden_member", buried(fc.constantFrom(JSON.parse('{"__proto__":1}'), JSON.parse('{"a":1,"__proto__":{}}')))],
  ["not_json", buried(fc.constantFrom(undefined, Symbol("x"), 1n, () => 1))],
] as const)("BODY-5: %s anywhere in a value is found", (fault, value) => {
  fc.assert(
    fc.property(value, (bad) => {
      expect(checkRequestJson(bad)._unsafeUnwrapErr()).toBe(fault);
      expect(JSON_FAULTS[fault]).not.toBe("");
    }),
  );
});

class Impostor {
  readonly a = 1;
}

const withToJson = (value: object, enumerable: boolean): object =>
  Object.defineProperty(value, "toJSON", { value: () => "other", enumerable });

test("VIEW-3: a host's value that could show something else than it holds is refused", () => {
  const accessor = Object.defineProperty({}, "a", { get: () => 1, enumerable: true });
  const writer = Object.defineProperty([1], "0", { set: () => undefined, enumerable: true });
  const hostile = fc.constantFrom<unknown>(
    new Impostor(),
    new Date(0),
    new Map(),
    Object.create({ a: 1 }),
    Object.setPrototypeOf([1], null),
    class extends Array {}.from([1]),
    withToJson({ a: 1 }, true),
    accessor,
    writer,
    new Array(2),
  );
  fc.assert(
    fc.property(buried(hostile), (value) => {
      expect(copyHostJson(value)._unsafeUnwrapErr()).toBe("not_json");
    }),
  );
});

test("VIEW-3: a proxy that shows one thing to the check and another to the reader is read once or refused", () => {
  const lying = new Proxy({}, { get: (_, key) => (key === "toJSON" ? () => "owner" : undefined), has: () => true });
  expect(copyHostJson({ a: lying, b: withToJson({}, false), c: withToJson([], false) })._unsafeUnwrap()).toEqual({
    a: {},
    b: {},
    c: [],
  });
  let reads = 0;
  const changing = new Proxy(
    { a: 1 },
    {
      getOwnPropertyDescriptor: (target, key) => ({
        ...Reflect.getOwnPropertyDescriptor(target, key),
        value: (reads += 1),
        configurable: true,
      }),
    },
  );
  const copy = copyHostJson(changing)._unsafeUnwrap();
  expect(JSON.stringify(copy)).toBe(JSON.stringify(copy));
  const data = { value: 1, writable: true, enumerable: true, configurable: true };
  const endless = new Proxy([], { get: () => 4_000_000_000, getOwnPropertyDescriptor: () => data });
  expect(copyHostJson(endless)._unsafeUnwrapErr()).toBe("not_json");
  expect(copyHostJson(Object.assign([], { length: 50_000_000 }))._unsafeUnwrapErr()).toBe("not_json");
  const graph = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner, inner, inner], 1);
  expect(copyHostJson(graph)._unsafeUnwrapErr()).toBe("not_json");
});

test("VIEW-3: a host's value is a copy: what the host changes afterwards does not show, and what it hid runs nowhere", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify({ a: value, b: [value] });
      const held: unknown = JSON.parse(text);
      const copy = copyHostJson(held)._unsafeUnwrap();
      expect(JSON.stringify(copy)).toBe(text);
      const overwrite = (at: unknown): void => {
        if (typeof at !== "object" || at === null) return;
        for (const [name, member] of Object.entries(at)) {
          overwrite(member);
          Object.defineProperty(at, name, { get: () => expect.fail("asked") });
        }
      };
      overwrite(held);
      expect(JSON.stringify(copy)).toBe(text);
    }),
  );
  let asked = 0;
  const run = (): number => (asked += 1);
  const secretly = Object.defineProperty({ a: 1 }, Symbol("s"), { get: run, enumerable: true });
  expect(copyHostJson(secretly)._unsafeUnwrap()).toEqual({ a: 1 });
  expect(copyHostJson(new Proxy({ a: 1 }, { get: run }))._unsafeUnwrap()).toEqual({ a: 1 });
  const unseen = Object.defineProperty({ a: 1 }, "b", { get: run, enumerable: false });
  expect(copyHostJson([unseen])._unsafeUnwrap()).toEqual([{ a: 1 }]);
  const seen = Object.defineProperty({ a: 1 }, "b", { get: run, enumerable: true });
  for (const hostile of [seen, Object.defineProperty([1], 0, { get: run, enumerable: true })]) {
    expect(copyHostJson({ hostile })._unsafeUnwrapErr()).toBe("not_json");
  }
  expect(asked).toBe(0);
});

test("VIEW-3: a host's value may have exactly two million members", () => {
  const many = Array.from({ length: 2_000_000 }, () => 1);
  expect(copyHostJson(many).isOk()).toBe(true);
  expect(copyHostJson([many]).isErr()).toBe(true);
});

test("VIEW-4: a host's value may be deeper than a request's, hold half a pair, and a member toJSON that is data", () => {
  expect(copyHostJson(nest(MAX_HOST_DEPTH)).isOk()).toBe(true);
  expect(copyHostJson(nest(MAX_HOST_DEPTH + 1))._unsafeUnwrapErr()).toBe("too_deep");
  const named = (levels: number): unknown => nest(levels, (a) => ({ a }));
  expect(copyHostJson(named(MAX_HOST_DEPTH)).isOk()).toBe(true);
  expect(copyHostJson(named(MAX_HOST_DEPTH + 1))._unsafeUnwrapErr()).toBe("too_deep");
  expect(copyHostJson(JSON.parse('{"__proto__":1,"toJSON":{"a":"\\ud800"}}')).isOk()).toBe(true);
  expect(copyHostJson(Object.assign(Object.create(null) as object, { a: [null, true] })).isOk()).toBe(true);
});

test("TOTAL-1: any text parses or errs, as JSON.parse has it", () => {
  fc.assert(
    fc.property(fc.oneof(wildText, fc.json()), (text) => {
      const parsed = parseJson(text);
      if (parsed.isOk()) expect(parsed.value).toEqual(JSON.parse(text));
      else {
        expect(parsed.error).toBe("not_json");
        expect(() => JSON.parse(text) as unknown).toThrow();
      }
    }),
  );
});

test("TOTAL-1: any value is checked without a throw, in time that grows with its size", () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => void checkRequestJson(value)),
  );
  expect(checkRequestJson(Array.from({ length: 200_000 }, () => [])).isOk()).toBe(true);
});

test("TOTAL-1, VIEW-3: what is no JSON is refused at the top as below, also a proxy that throws", () => {
  const throwing = (): never => expect.fail("asked");
  const traps = new Proxy({}, { getPrototypeOf: throwing, ownKeys: throwing, getOwnPropertyDescriptor: throwing });
  const ghost = new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor: () => undefined });
  for (const value of [Number.NaN, undefined, () => 1, 1n, Symbol("s"), traps]) {
    expect(copyHostJson(value)._unsafeUnwrapErr()).toBe("not_json");
    expect(copyHostJson([value])._unsafeUnwrapErr()).toBe("not_json");
  }
  expect(copyHostJson(ghost).unwrapOr("refused")).toEqual({});
});

test("VIEW-4: a member called __proto__ of a host's value is copied as the data it is", () => {
  const text = '{"__proto__":{"a":1},"b":[{"__proto__":2}]}';
  expect(JSON.stringify(copyHostJson(JSON.parse(text))._unsafeUnwrap())).toBe(text);
});
