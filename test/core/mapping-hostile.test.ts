// Payloads that want to cost a mapping more than it may, or to reach what is not theirs.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  mapDelivery,
  MAX_JOINED_TEXT,
  MAX_MAPPED,
  parseAction,
  parsePath,
  parseRules,
  type Path,
  readPath,
  type Rule,
  type Source,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { head } from "./arbitraries.ts";

const rulesOf = (...rules: readonly unknown[]): readonly Rule[] => parseRules(rules, [])._unsafeUnwrap();

const sourceOf = (payload: unknown): Source => ({ payload, header: head().header });

const create = (stateJson: unknown, goal = "g"): object => ({ do: { action: "create_flow", goal, stateJson } });

const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Reads of members and of lists of members, of the payload and all below it. */
type Steps = { count: number };

const counted = (value: unknown, steps: Steps): unknown => {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get: (target, name) => {
      steps.count += 1;
      return counted(Reflect.get(target, name), steps);
    },
    getOwnPropertyDescriptor: (target, name) => {
      steps.count += 1;
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    has: (target, name) => {
      steps.count += 1;
      return Reflect.has(target, name);
    },
    ownKeys: (target) => {
      const names = Reflect.ownKeys(target);
      steps.count += names.length;
      return names;
    },
  });
};

const stepsOf = (rules: readonly Rule[], payload: unknown): number => {
  const steps: Steps = { count: 0 };
  mapDelivery(rules, sourceOf(counted(payload, steps)));
  return steps.count;
};

/** Steps for each member that is weighed, counted and written as text. */
const A_MEMBER = 12;
/** Steps for each path that is read, beside its members. */
const A_PATH = 4;

const shape = fc.constantFrom<(size: number) => unknown>(
  (size) => Array.from({ length: size }, () => 0),
  (size) => Object.fromEntries(Array.from({ length: size }, (_, at) => [`m${String(at)}`, ""])),
  (size) => Array.from({ length: size }, () => ({})),
  (size) => ({ payload: Array.from({ length: size }, () => [1, "\u0000"]) }),
);

const membersIn = (value: unknown): number =>
  typeof value === "object" && value !== null
    ? Object.values(value).reduce<number>((sum, member) => sum + membersIn(member), 1)
    : 1;

test("MAP-2: a mapping reads no more than body times placeholders, and never more than its bound", () => {
  const size = fc.constantFrom(0, 1, 100, 3000);
  const places = fc.constantFrom(1, 2, 40, 400);
  const text = fc.constantFrom("{{payload}}", "{{payload.x ?? payload}}", "a {{payload}} b");
  fc.assert(
    fc.property(shape, size, places, text, (make, length, count, written) => {
      const payload = make(length);
      const rules = rulesOf(create(Object.fromEntries(Array.from({ length: count }, (_, at) => [at, written]))));
      const steps = stepsOf(rules, payload);
      const each = A_MEMBER * membersIn(payload) + A_PATH;
      // what goes beyond the bound ends the mapping: one value more, of which the names have been listed
      expect(steps).toBeLessThanOrEqual(Math.min(count * each, A_MEMBER * MAX_MAPPED + count * A_PATH + each));
    }),
    { numRuns: runs(40) },
  );
});

test("MAP-2: what no placeholder names is never read, however much it is", () => {
  const rules = rulesOf(
    {
      when: { "payload.action": "a", "payload.none.at.all": "x" },
      ...create({ a: "{{payload.big}}" }),
    },
    {
      when: { "payload.action": ["a", "b"] },
      key: "k {{payload.id}}",
      ...create(
        { a: "{{payload.list[3]}}", b: '{{payload.no ?? headers.no ?? "none"}}' },
        "goal of {{payload.action}}",
      ),
    },
  );
  fc.assert(
    fc.property(shape, shape, (one, other) => {
      const payload = (size: number) => ({ action: "b", id: 7, list: [0, 1, 2, 3, one(size)], big: other(size) });
      const few = stepsOf(rules, payload(1));
      expect(stepsOf(rules, payload(100_000))).toBe(few);
      expect(few).toBeLessThan(60);
    }),
    { numRuns: runs(8) },
  );
});

/** Payloads that grow when they are written as text, or of which one text is all that may be. */
const GROWING: readonly unknown[] = [
  "\u0000".repeat(1000),
  Array.from({ length: 3000 }, () => "\u0000\u0000"),
  Array.from({ length: 3000 }, () => 1e20),
  Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`"\u0000${String(at)}`, -1e-300])),
  "x".repeat(MAX_JOINED_TEXT - 10),
  { ["n".repeat(60_000)]: 0 },
];

test.each(["{{payload}}", "x{{payload}}", "{{payload}}{{payload}}", "plain"])(
  "MAP-2: what %j is mapped to is no larger than template and a fixed share of the bound, however it is escaped",
  (text) => {
    for (const payload of GROWING) {
      for (const length of [1, 10, 300]) {
        const written = Array.from({ length }, () => text);
        const mapped = mapDelivery(rulesOf(create(written)), sourceOf(payload));
        const stateJson = itemsOf(mapped?.unwrapOr(undefined)?.body["stateJson"]);
        const texts = stateJson.filter((value) => typeof value === "string");
        for (const joined of texts) expect(joined.length).toBeLessThanOrEqual(MAX_JOINED_TEXT);
        const size = stateJson.reduce<number>((sum, value) => sum + JSON.stringify(value).length, 0);
        expect(size).toBeLessThanOrEqual(14 * MAX_MAPPED + JSON.stringify(written).length);
      }
    }
  },
);

const deep = (levels: number, open: string, close: string): unknown =>
  JSON.parse(open.repeat(levels) + "1" + close.repeat(levels));

const many = (length: number, name: (at: number) => string): unknown =>
  Object.fromEntries(Array.from({ length }, (_, at) => [name(at), at]));

const HOSTILE: readonly (readonly [what: string, payload: unknown])[] = [
  ["a prototype", JSON.parse('{"__proto__":{"polluted":"x","a":1},"constructor":{"prototype":{"polluted":"x"}}}')],
  [
    "names of the prototype",
    JSON.parse('{"toString":1,"valueOf":null,"hasOwnProperty":"x","toJSON":"x","length":1e9}'),
  ],
  ["100,000 members", many(100_000, (at) => `m${String(at)}`)],
  ["100,000 indexes", many(100_000, String)],
  ["a huge array", Array.from({ length: 600_000 }, () => 0)],
  ["an array of arrays", { a: Array.from({ length: 100_000 }, () => []) }],
  ["deep arrays", deep(100_000, "[", "]")],
  ["deep objects", deep(100_000, '{"a":', "}")],
  ["1,000 levels", deep(1000, '{"a":', "}")],
  ["a payload in the payload", { payload: { payload: { payload: "{{payload.a}}" } }, headers: { x: 1 } }],
  ["placeholders", { a: "{{payload}}", "{{payload.a}}": "{{headers.authorization}}" }],
  ["halves of surrogate pairs", JSON.parse('{"a":"\\ud800","\\udc00":[]}')],
  ["a long text", { a: "x".repeat(1_000_000) }],
  ["no object", "text"],
  ["nothing", null],
];

/** Ends of paths: of the prototype's names, of what the payloads above have, and of nothing. */
const ENDS: readonly string[] = [
  "",
  ".__proto__",
  ".__proto__.polluted",
  ".__proto__.a",
  ".a.__proto__.constructor",
  ".constructor",
  ".constructor.name",
  ".constructor.prototype.polluted",
  ".a.constructor",
  ".a[0].constructor",
  ".toString",
  ".valueOf",
  ".hasOwnProperty",
  ".toJSON",
  ".length",
  ".a",
  ".a.a",
  ".a.length",
  "[0]",
  "[0][0]",
  "[99999]",
  ".m99999",
  ".payload",
  ".payload.payload.payload",
  ".headers.x",
];

const parsed = (written: string): Path => parsePath(written) ?? expect.fail(written);

/** What own properties hold, found another way than the code finds it. */
const stated = (payload: unknown, path: Path): unknown =>
  (path.from === "payload" ? path.members : []).reduce<unknown>(
    (value, member) =>
      typeof value === "object" && value !== null
        ? Object.getOwnPropertyDescriptor(value, String(member))?.value
        : undefined,
    payload,
  );

test.each(HOSTILE)("MAP-1, MAP-7, TOTAL-1: %s reaches no prototype, throws nothing and adds no field", (_, payload) => {
  const clean = Object.getOwnPropertyNames(Object.prototype);
  for (const end of ENDS) {
    const [written, text] = [`payload${end}`, `{{payload${end}}}`];
    const there = stated(payload, parsed(written));
    expect(readPath(parsed(written), sourceOf(payload)) === there, written).toBe(true);
    const needing = rulesOf(
      { when: { [written]: ["\u0000never"] }, ...create("never") },
      { when: { [written]: true }, key: `k ${text}`, ...create([text, { b: text }], `g ${text}`) },
      create([text]),
    );
    const mapped = mapDelivery(needing, sourceOf(payload));
    if (there === undefined) expect(mapped?._unsafeUnwrapErr()).toEqual({ rule: 2, path: text, reason: "missing" });
    const either = mapDelivery(rulesOf(create([`{{payload${end} ?? "none"}}`])), sourceOf(payload));
    const bodies = [mapped, either].map((one) => one?.unwrapOr(undefined)?.body).filter((body) => body !== undefined);
    for (const body of bodies) {
      expect(Object.keys(body)).toEqual(["action", "goal", "stateJson"]);
      expect(body["action"]).toBe("create_flow");
      const [first] = itemsOf(body["stateJson"]);
      expect(first === (there ?? "none"), written).toBe(true);
      parseAction(body);
    }
  }
  expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(clean);
});

test("MAP-6, TOTAL-1: a value is mapped with as many levels as a request may have; with more it is a fault, in a text too", () => {
  for (const text of ["{{payload}}", "x {{payload}}"]) {
    const reasonAt = (levels: number): string | undefined => {
      const mapped = mapDelivery(rulesOf(create(text)), sourceOf(deep(levels, "[", "]")));
      return mapped?.match(
        () => undefined,
        ({ reason }) => reason,
      );
    };
    expect([1000, 1001, 5000, 100_000].map(reasonAt)).toEqual([undefined, "too_large", "too_large", "too_large"]);
  }
});
