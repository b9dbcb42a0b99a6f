import fc from "fast-check";
import { expect, test } from "vitest";
import {
  copyHostJson,
  checkRequestJson,
  isProvedByText,
  JSON_FAULTS,
  MAX_HOST_DEPTH,
  MAX_REQUEST_DEPTH,
  needsNoWalk,
  parseJson,
  stringifyJson,
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

test("BODY-4: exactly 1,000 levels are accepted, and 1,001 or more are refused", () => {
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

test("BODY-5: JSON.parse of a storable value gives the same value", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify(value);
      fc.pre(text.isWellFormed() && !text.includes("__proto__"));
      const parsed: unknown = JSON.parse(text);
      expect(checkRequestJson(parsed)._unsafeUnwrap()).toBe(parsed);
      expect(copyHostJson(parsed)).toEqual(parsed);
    }),
  );
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

/** Texts of which the rule must not be surer than the walk: JSON with whatever could be at fault in it, also in strings. */
const proving = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc
    .array(
      fc.constantFrom(
        '"\\ud800"',
        '"\\u0041"',
        '"__proto__"',
        '{"__proto__":1}',
        "1e999",
        "1E999",
        "-1e+999",
        "2e5",
        `${"9".repeat(309)}`,
        `-${"9".repeat(308)}.5`,
        `[${"1".repeat(299)}]`,
        `0.${"1".repeat(400)}`,
        '"[[[["',
        "[]",
        '"x"',
        '{"a":[1,2,{"b":null}]}',
      ),
      { maxLength: 6 },
    )
    .map((parts) => `[${parts.join(",")}]`),
  fc.constantFrom(998, 999, 1000, 1001, 1500).map((levels) => "[".repeat(levels) + "]".repeat(levels)),
  fc.constantFrom(998, 999, 1000, 1001).map((levels) => '{"a":'.repeat(levels) + "1" + "}".repeat(levels)),
);

test("BODY-4, BODY-5: what a text proves is what looking at each value finds", () => {
  let proved = 0;
  fc.assert(
    fc.property(proving, fc.constantFrom("", " ", `"${"d".repeat(299)}",`, `"${"7".repeat(150)}",`), (text, before) => {
      const written = before.trim() === "" ? `${before}${text}` : `[${before}${text}]`;
      const value = parseJson(written);
      if (value.isErr()) return;
      if (isProvedByText(written)) {
        proved += 1;
        expect(checkRequestJson(value.value).isOk(), written.slice(0, 100)).toBe(true);
      }
      if (needsNoWalk(written)) expect(isProvedByText(written)).toBe(true);
    }),
    { numRuns: runs(3000) },
  );
  expect(proved).toBeGreaterThan(runs(300));
});

test("BODY-5: a run of 300 digits is seen wherever it stands, and one of 299 is not", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 700 }),
      fc.nat({ max: 700 }),
      fc.constantFrom(299, 300, 301, 650),
      (before, after, run) => {
        const text = `["${"x".repeat(before)}",${"8".repeat(run)},"${"x".repeat(after)}"]`;
        expect(isProvedByText(text)).toBe(run < 300);
      },
    ),
    { numRuns: runs(400) },
  );
});

test("BODY-5: each kind of digit makes a run long, at its begin and at its end", () => {
  for (const digit of "0123456789") {
    expect([digit, isProvedByText(`${digit.repeat(299)}`)]).toEqual([digit, true]);
    for (const before of ["", " "]) expect([digit, isProvedByText(before + digit.repeat(300))]).toEqual([digit, false]);
  }
});

test("BODY-5: half a surrogate pair is named as the fault, as a text and as a name", () => {
  for (const half of ["\ud800", "x\udc00"]) {
    for (const value of [half, [half], { a: half }, { [half]: 1 }]) {
      expect(checkRequestJson(value)._unsafeUnwrapErr()).toBe("lone_surrogate");
    }
  }
});

test("BODY-4, BODY-5: a text that can hold nothing at fault proves it, and each doubt alone sends it to the walk", () => {
  const many = (item: string): string => `[${Array.from({ length: 40 }, () => item).join(",")}]`;
  expect([needsNoWalk(many('{"a":1}')), needsNoWalk("[1,2]"), isProvedByText("[1,2]")]).toEqual([true, false, true]);
  const doubts = ['"\\u0041"', '"__proto__"', "1e5", "1E5", "1e-5", "1e+5", "7".repeat(300)];
  for (const doubt of doubts) expect([doubt, needsNoWalk(many(doubt))]).toEqual([doubt, false]);
  const brackets = (open: string, close: string, count: number): boolean =>
    isProvedByText(`[${Array.from({ length: count }, () => open + close).join(",")}]`);
  expect([brackets("{", "}", 499), brackets("{", "}", 500)]).toEqual([true, false]);
  expect([brackets("[", "]", 498), brackets("[", "]", 499)]).toEqual([true, false]);
});

class Impostor {
  readonly a = 1;
}

const withToJson = (value: object, enumerable: boolean): object =>
  Object.defineProperty(value, "toJSON", { value: () => "other", enumerable });

test("VIEW-5: what is not JSON in a record is refused wherever it stands", () => {
  const odd = fc.constantFrom<unknown>(
    new Impostor(),
    new Date(0),
    new Map(),
    Object.create({ a: 1 }),
    Object.setPrototypeOf([1], null),
    Object.setPrototypeOf({ a: 1 }, Array.prototype),
    class extends Array {}.from([1]),
    withToJson({ a: 1 }, true),
    new Array(2),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    undefined,
    () => 1,
    1n,
    Symbol("s"),
  );
  fc.assert(
    fc.property(buried(odd), (value) => {
      expect(copyHostJson(value)).toBe(undefined);
    }),
  );
});

/** Counts how often each member of an object is read. */
const counted = (members: Readonly<Record<string, unknown>>, reads: Map<string, number>): object => {
  const object = {};
  for (const [name, value] of Object.entries(members)) {
    const get = (): unknown => {
      reads.set(name, (reads.get(name) ?? 0) + 1);
      return value;
    };
    Object.defineProperty(object, name, { get, enumerable: true });
  }
  return object;
};

test("VIEW-5: each member is read once, and what was read then is what shows, however it changes", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), (members) => {
      fc.pre(!Object.hasOwn(members, "__proto__"));
      const reads = new Map<string, number>();
      const copy = copyHostJson({ inner: counted(members, reads), list: [counted(members, new Map())] });
      expect(JSON.stringify(copy)).toBe(JSON.stringify({ inner: members, list: [members] }));
      JSON.stringify(copy);
      expect([...reads.values()].every((count) => count === 1)).toBe(true);
      expect(reads.size).toBe(Object.keys(members).length);
    }),
  );
  let turn = 0;
  const changing = {
    a: Object.defineProperty({}, "b", { get: () => ((turn += 1) === 1 ? 1 : () => "no"), enumerable: true }),
  };
  expect(JSON.stringify(copyHostJson(changing))).toBe('{"a":{"b":1}}');
});

test("VIEW-5: a length that promises more than there is, and a value that contains itself, come to an end", () => {
  const data = { value: 1, writable: true, enumerable: true, configurable: true };
  const endless = new Proxy([], { get: () => 4_000_000_000, getOwnPropertyDescriptor: () => data });
  expect(copyHostJson(endless)).toBe(undefined);
  expect(copyHostJson(Object.assign([], { length: 50_000_000 }))).toBe(undefined);
  const graph = Array.from({ length: 40 }).reduce<unknown>((inner) => [inner, inner, inner], 1);
  const tree = Array.from({ length: 40 }).reduce<unknown>((inner) => ({ a: inner, b: inner, c: inner }), 1);
  const loop: { self?: unknown } = {};
  loop.self = loop;
  for (const value of [graph, tree, loop]) expect(copyHostJson(value, 10_000)).toBe(undefined);
  expect(copyHostJson(loop)).toBe(undefined);
});

test("VIEW-5: a graph that refers to itself is copied no more often than its members may be counted", () => {
  const size = 100;
  let copies = 0;
  const graph: object = Object.defineProperty({}, "self", {
    get: () => {
      copies += 1;
      return graph;
    },
    enumerable: true,
  });
  Object.assign(graph, Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${String(at)}`, at])));
  expect(copyHostJson(graph, 1000)).toBe(undefined);
  expect(copies).toBeLessThanOrEqual(1 + 1000 / size);
});

test("VIEW-5: a list whose length is made up is bounded like any other", () => {
  for (const length of [NaN, -1e9, "x", 1e9]) {
    const list = new Proxy([], { get: (_, name) => (name === "length" ? length : 1) });
    expect([length, copyHostJson([[list], [1, 1, 1]], 5)]).toEqual([length, undefined]);
  }
});

test("VIEW-5: a record's value is a copy: what changes in it afterwards does not show", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = JSON.stringify({ a: value, b: [value] });
      const held: unknown = JSON.parse(text);
      const copy = copyHostJson(held);
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
});

test("VIEW-1: what a value hides, inherits or names by a symbol does not show, and nothing of it runs later", () => {
  const run = (): number => expect.fail("asked");
  const unseen = Object.defineProperty({ a: 1 }, "b", { get: run, enumerable: false });
  expect(JSON.stringify(copyHostJson([unseen, withToJson({ c: 2 }, false), withToJson([3], false)]))).toBe(
    '[{"a":1},{"c":2},[3]]',
  );
  expect(JSON.stringify(copyHostJson({ a: 1, [Symbol("s")]: "owner" }))).toBe('{"a":1}');
  const seen: (string | undefined)[] = [];
  const target: object = Object.prototype;
  for (const inherited of [() => "x", { c: 1 }]) {
    const define = { value: inherited, enumerable: true, configurable: true };
    Object.defineProperty(target, "inherited", define);
    try {
      seen.push(JSON.stringify(copyHostJson({ a: { b: [1] } })));
    } finally {
      Reflect.deleteProperty(target, "inherited");
    }
  }
  expect(seen).toEqual(['{"a":{"b":[1]}}', '{"a":{"b":[1]}}']);
});

test("VIEW-5: a record's value may have exactly as many members as it is given room for, two million by default", () => {
  const many = Array.from({ length: 2_000_000 }, () => 1);
  expect(copyHostJson(many)).not.toBe(undefined);
  expect(copyHostJson([many])).toBe(undefined);
  for (const [value, members] of [
    [[1, 2, 3], 3],
    [{ a: 1, b: 2, c: 3 }, 3],
    [[[], {}, { a: [1] }], 5],
    [{ a: { b: {} }, c: [] }, 3],
    [[[], 1], 2],
  ] as const) {
    expect(copyHostJson(value, members)).toEqual(value);
    expect(copyHostJson(value, members - 1)).toBe(undefined);
  }
});

test("VIEW-4: a record's value may be deeper than a request's, hold half a pair, and a member toJSON that is data", () => {
  expect(copyHostJson(nest(MAX_HOST_DEPTH))).not.toBe(undefined);
  expect(copyHostJson(nest(MAX_HOST_DEPTH + 1))).toBe(undefined);
  const named = (levels: number): unknown => nest(levels, (a) => ({ a }));
  expect(copyHostJson(named(MAX_HOST_DEPTH))).not.toBe(undefined);
  expect(copyHostJson(named(MAX_HOST_DEPTH + 1))).toBe(undefined);
  expect(copyHostJson(JSON.parse('{"__proto__":1,"toJSON":{"a":"\\ud800"}}'))).not.toBe(undefined);
  expect(copyHostJson(Object.assign(Object.create(null) as object, { a: [null, true] }))).toEqual({ a: [null, true] });
});

test("TOTAL-1: a value that has no text is undefined, and every other one is JSON.stringify's", () => {
  const loop: { self?: unknown } = {};
  loop.self = loop;
  expect(stringifyJson(loop)).toBe(undefined);
  expect(stringifyJson({ a: [1, "x"], b: undefined })).toBe('{"a":[1,"x"]}');
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
  expect(checkRequestJson(Array.from({ length: 100_000 }, () => [])).isOk()).toBe(true);
});

test("VIEW-4: a member called __proto__ of a record's value is copied as the data it is", () => {
  const text = '{"__proto__":{"a":1},"b":[{"__proto__":2}]}';
  expect(JSON.stringify(copyHostJson(JSON.parse(text)))).toBe(text);
});
