// The parts of lists that came from elsewhere, and what a flow adds to one.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ActionOf,
  countOpen,
  FLOW_FIELDS,
  FLOW_TEXTS,
  type FlowRecord,
  type FlowView,
  flowWeight,
  isEnded,
  isListed,
  isLongerThanList,
  LEAST_FLOW_BYTES,
  listRecords,
  listViews,
  MAX_LIST_BYTES,
  MOST_LISTED,
  type OutcomeOf,
  replyToOutcome,
  viewFlow,
  viewFlows,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { flowFields } from "./arbitraries.ts";

type ListFlows = ActionOf<"list_flows">;
type Listed = OutcomeOf<"flows">;
const LIST: ListFlows = { action: "list_flows" };

const flow = (flowId: string, createdAt: number, more: Partial<FlowRecord> = {}): FlowRecord => ({
  flowId,
  syncMode: "managed",
  controllerId: "c",
  revision: 0,
  status: "queued",
  notifyPolicy: "silent",
  goal: "g",
  createdAt,
  updatedAt: createdAt,
  ...more,
});

/** How a host or a custom store answers whose list is whole. */
const SOURCES: Readonly<Record<string, (flows: readonly FlowRecord[], action: ListFlows) => Listed | undefined>> = {
  "a host's records": (flows, action) => listRecords(flows, action)._unsafeUnwrap(),
  "a custom store's views": (flows, action) =>
    listViews({ kind: "flows", flows: viewFlows(flows)._unsafeUnwrap() }, action)._unsafeUnwrap(),
};

const idsOf = (answer: Listed | undefined): readonly string[] =>
  answer?.flows.map(({ json }) => String(json["flowId"])) ?? ["no answer"];

const CHANGE = fc.record({
  does: fc.constantFrom("add", "remove", "change"),
  which: fc.nat({ max: 20 }),
  at: fc.nat({ max: 4 }),
  status: fc.constantFrom("queued" as const, "failed" as const),
});

test.each(Object.keys(SOURCES))(
  "LIST-1, LIST-5: of %s the pages skip and repeat nothing that is there all the time, in any order of the list, with any times",
  (name) => {
    const answer = SOURCES[name] ?? (() => undefined);
    fc.assert(
      fc.property(
        fc.array(CHANGE, { minLength: 1, maxLength: 15 }),
        fc.array(fc.array(CHANGE, { maxLength: 3 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 4 }),
        fc.option(fc.constantFrom("queued" as const, "failed" as const), { nil: undefined }),
        fc.boolean(),
        (before, between, limit, status, isReversed) => {
          let [flows, made]: [readonly FlowRecord[], number] = [[], 0];
          const apply = ({ does, which, at, status: now }: (typeof before)[number]): void => {
            const place = which % Math.max(1, flows.length);
            if (does === "add" || flows.length === 0)
              flows = [
                ...flows.slice(0, place),
                flow(`f${String((made += 1) * 7919)}`, at, { status: now }),
                ...flows.slice(place),
              ];
            else if (does === "remove") flows = flows.filter((_, index) => index !== place);
            else flows = flows.map((one, index) => (index === place ? { ...one, status: now } : one));
          };
          for (const change of before) apply(change);
          const listed = (): readonly FlowRecord[] => flows.filter((one) => isListed({ status }, one));
          let steady = listed().map(({ flowId }) => flowId);
          const seen: string[] = [];
          const times: number[] = [];
          for (let cursor: string | undefined, page = 0; ; page += 1) {
            const found = answer(isReversed ? flows.toReversed() : flows, { ...LIST, limit, status, cursor });
            expect(found?.flows.length).toBeLessThanOrEqual(limit);
            seen.push(...idsOf(found));
            times.push(...(found?.flows.map(({ json }) => Number(json["createdAt"])) ?? []));
            if (found?.next === null || found?.next === undefined) {
              expect(found?.next).toBe(null);
              break;
            }
            expect(page).toBeLessThan(100);
            cursor = found.next;
            for (const change of between[page] ?? []) {
              apply(change);
              const there = new Set(listed().map(({ flowId }) => flowId));
              steady = steady.filter((id) => there.has(id));
            }
          }
          expect(new Set(seen).size).toBe(seen.length);
          expect(steady.filter((id) => !seen.includes(id))).toEqual([]);
          expect(times).toEqual(times.toSorted((a, b) => b - a));
        },
      ),
      { numRuns: runs(300) },
    );
  },
);

const FLOWS = [
  flow("a", 3, { status: "failed" }),
  flow("b", 2, { controllerId: "d", updatedAt: 9 }),
  flow("c", 1, { controllerId: undefined }),
];

test("LIST-2, LIST-5: a filter alone gives the whole filtered list in the order of the list, and no nextCursor", () => {
  for (const source of Object.values(SOURCES)) {
    const ids = (more: Partial<ListFlows>): readonly string[] =>
      idsOf(source(FLOWS.toReversed(), { ...LIST, ...more }));
    expect(ids({})).toEqual(["c", "b", "a"]);
    expect(ids({ status: "queued" })).toEqual(["c", "b"]);
    expect(ids({ controllerId: "c" })).toEqual(["a"]);
    expect(ids({ updatedAfter: 1 })).toEqual(["b", "a"]);
    expect(ids({ updatedAfter: 3 })).toEqual(["b"]);
    expect(ids({ status: "queued", controllerId: "d", updatedAfter: 8 })).toEqual(["b"]);
    expect(source(FLOWS, { ...LIST, status: "queued" })?.next).toBe(undefined);
  }
});

test("LIST-5: only the flows of a host that are shown become views, and what decides must be what it promises", () => {
  const read: string[] = [];
  const watched = FLOWS.map((one) =>
    Object.defineProperty({ ...one }, "goal", { enumerable: true, get: () => read.push(one.flowId) && "g" }),
  );
  expect(idsOf(listRecords(watched, { ...LIST, limit: 1, status: "queued" })._unsafeUnwrap())).toEqual(["b"]);
  expect(read).toEqual(["b"]);
  for (const [field, bad] of [
    ["flowId", 7],
    ["createdAt", "now"],
    ["status", "open"],
    ["updatedAt", Number.NaN],
  ] as const) {
    const broken = [...FLOWS, { ...FLOWS[0], flowId: "z", [field]: bad }];
    expect(listRecords(broken, { ...LIST, limit: 1 })._unsafeUnwrapErr()).toEqual({ field });
  }
  for (const nonsense of [undefined, null, "flows", { length: 2 }, [undefined], [[]]])
    expect(listRecords(nonsense, { ...LIST, limit: 1 }).isErr()).toBe(true);
});

test("LIST-5: a store that pages by itself is trusted with the places, and refused when its answer is no page", () => {
  const flows = viewFlows(FLOWS)._unsafeUnwrap();
  const answer = (action: Partial<ListFlows>, next: string | null, shown = flows): Listed | undefined =>
    listViews({ kind: "flows", flows: shown, next }, { ...LIST, ...action }).unwrapOr(undefined);
  expect(answer({ limit: 3 }, "7~x")).toEqual({ kind: "flows", flows, next: "7~x" });
  expect(idsOf(answer({ limit: 3, status: "failed" }, "7~x"))).toEqual(["a"]);
  expect(answer({ limit: 2 }, null)).toBe(undefined);
  expect(answer({ limit: 3 }, "no cursor")).toBe(undefined);
  expect(answer({ status: "queued" }, null)).toBe(undefined);
  // a reader would not come to an end, or act twice
  expect(answer({ limit: 3, cursor: "7~x" }, "7~x")).toBe(undefined);
  expect(answer({ limit: 3, cursor: "7~x" }, "7~x", [])).toBe(undefined);
  expect(answer({ limit: 3, cursor: "8~x" }, "7~x", [])).toEqual({ kind: "flows", flows: [], next: "7~x" });
  expect(answer({ limit: 4 }, null, [...flows, ...flows.slice(0, 1)])).toBe(undefined);
  expect(answer({}, null)).toBe(undefined);
});

const bytesOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

test("LIST-4: a flow weighs no more than the bytes that it has in an answer, and a long one most of them", () => {
  const shortest = { ...flow("a", 0, { status: "lost" }), controllerId: undefined, goal: "" };
  expect(bytesOf(viewFlow(shortest)._unsafeUnwrap().json)).toBe(LEAST_FLOW_BYTES);
  fc.assert(
    fc.property(flowFields, (fields) => {
      const view = viewFlow(fields)._unsafeUnwrap();
      expect(flowWeight(view.json)).toBeLessThanOrEqual(bytesOf(view.json));
    }),
    { numRuns: runs(1000) },
  );
  for (const field of FLOW_TEXTS) {
    const long = viewFlow({ ...flow("a", 1), [field]: "x".repeat(10_000) })._unsafeUnwrap().json;
    expect(flowWeight(long), field).toBeGreaterThan(10_000);
  }
  const state = { text: "x".repeat(10_000), list: ["y".repeat(10_000), { z: [true, null] }] };
  expect(flowWeight({ ...flow("a", 1), stateJson: state })).toBeGreaterThan(20_000);
});

test("LIST-4: each field of a flow that a request can fill without a bound is weighed", () => {
  const texts = FLOW_FIELDS.map(([field]) => field).filter(
    (field) =>
      viewFlow({ ...flow("a", 1), [field]: "x".repeat(300) }).match(
        ({ json }) => json[field] === "x".repeat(300),
        () => false,
      ) && field !== "flowId",
  );
  expect(FLOW_TEXTS.toSorted()).toEqual(texts.toSorted());
  expect(texts.length).toBe(7);
});

/** Flows that look short and are long as JSON: escapes, characters of three bytes, numbers. */
const LONG_AS_JSON: readonly Partial<FlowRecord>[] = [
  { blockedSummary: "x".repeat(250_000) },
  { goal: "\u0001".repeat(40_000) },
  { currentStep: "\u4e00".repeat(80_000) },
  { stateJson: Array.from({ length: 9500 }, () => -1.234567890123456e-300) },
  { waitJson: Object.fromEntries(Array.from({ length: 9000 }, (_, index) => [index.toString(36), -1.5e-300])) },
];

test.each(Object.keys(SOURCES))(
  "LIST-4: pages of %s are no longer than an answer may be, whatever makes them long",
  { timeout: 30_000 },
  (name) => {
    const answer = SOURCES[name] ?? (() => undefined);
    for (const long of LONG_AS_JSON) {
      const flows = Array.from({ length: 50 }, (_, index) => flow(`f${String(index)}`, index, long));
      const seen: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = answer(flows, { ...LIST, limit: 48, cursor });
        const { status, body } = replyToOutcome(page ?? { kind: "flows", flows: [] }, "r".repeat(200));
        expect(status).toBe(200);
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_LIST_BYTES);
        expect(body).toBe(
          JSON.stringify({
            ok: true,
            routeId: "r".repeat(200),
            result: { flows: page?.flows.map(({ json }) => json), nextCursor: page?.next },
          }),
        );
        seen.push(...idsOf(page));
        if (typeof page?.next !== "string") break;
        // the next flow would not have fitted, or the page has as many as it may
        const rest = Buffer.byteLength(JSON.stringify(viewFlow(flows[0])._unsafeUnwrap().json)) + 8192;
        if (page.flows.length < 48) expect(Buffer.byteLength(body)).toBeGreaterThan(MAX_LIST_BYTES - rest);
        cursor = page.next;
      }
      expect(seen).toEqual(flows.map(({ flowId }) => flowId).toReversed());
    }
  },
);

test("LIST-4: a store that pages by itself is held to the same bound, and so is its whole list", () => {
  for (const long of LONG_AS_JSON) {
    const flows = viewFlows(
      Array.from({ length: 100 }, (_, index) => flow(`f${String(index)}`, index, long)),
    )._unsafeUnwrap();
    const [first] = flows;
    const page = (shown: readonly FlowView[]) =>
      listViews({ kind: "flows", flows: shown, next: "1~" }, { ...LIST, limit: 100 });
    expect(page(flows)._unsafeUnwrapErr()).toBe("list_too_large");
    expect(page(flows.slice(0, 2))._unsafeUnwrap().flows.length).toBe(2);
    for (const action of [LIST, { ...LIST, controllerId: first?.json["controllerId"] as string }])
      expect(listViews({ kind: "flows", flows }, action)._unsafeUnwrapErr()).toBe("list_too_large");
  }
  const huge = viewFlow(flow("a", 1, { goal: "x".repeat(MAX_LIST_BYTES) }))._unsafeUnwrap();
  const alone = listViews({ kind: "flows", flows: [huge], next: null }, { ...LIST, limit: 5 })._unsafeUnwrap();
  expect(replyToOutcome(alone, "r").status).toBe(200);
});

test("LIST-4: an answer with a whole list is refused from the first byte above the bound, whatever the characters", () => {
  fc.assert(
    fc.property(fc.constantFrom("x", "\u00e9", "\u20ac", "\u{1f600}"), fc.integer({ min: -3, max: 3 }), (unit, off) => {
      const envelope = (goal: string): Listed => ({
        kind: "flows",
        flows: [viewFlow(flow("a", 1, { goal }))._unsafeUnwrap()],
      });
      const room = MAX_LIST_BYTES - new TextEncoder().encode(replyToOutcome(envelope(""), "r").body).length;
      const each = new TextEncoder().encode(unit).length;
      const goal = unit.repeat(Math.floor((room + off) / each)) + "x".repeat((room + off) % each);
      const { status, code } = replyToOutcome(envelope(goal), "r");
      expect([status, code]).toEqual(off > 0 ? [413, "list_too_large"] : [200, undefined]);
      expect(replyToOutcome({ ...envelope(goal), next: null }, "r").status).toBe(200);
    }),
    { numRuns: runs(15) },
  );
  expect(isLongerThanList("x".repeat(100))).toBe(false);
});

test("LIST-4: whole lists of a host are refused by their number before a record is read, and by their weight soon", () => {
  let reads = 0;
  const record = Object.defineProperty({ ...flow("a", 1) }, "goal", { get: () => String((reads += 1)) });
  expect(
    listRecords(
      Array.from({ length: MOST_LISTED + 1 }, () => record),
      LIST,
    )._unsafeUnwrap(),
  ).toBe(undefined);
  expect(reads).toBe(0);
  const heavy = (count: number, bytes: number): readonly FlowRecord[] =>
    Array.from({ length: count }, (_, index) =>
      Object.defineProperty(flow(index.toString(16), 1, { stateJson: { text: "x".repeat(bytes) } }), "goal", {
        enumerable: true,
        get: () => String((reads += 1)),
      }),
    );
  const MIB = 1 << 20;
  expect(listRecords(heavy(1000, MIB), LIST)._unsafeUnwrap()).toBe(undefined);
  expect(reads).toBeLessThan(20);
  expect(listRecords(heavy(1000, MIB), { ...LIST, limit: 500 })._unsafeUnwrap()?.flows.length).toBe(7);
  // what makes the list likely to be too large is not counted twice: it has all that fits
  const last = heavy(7, MIB).map((one, index) => ({ ...one, flowId: `${String(index)}0` }));
  expect(listRecords(last, LIST)._unsafeUnwrap()?.flows.length).toBe(7);
  expect(listRecords([...last, ...heavy(1, MIB)], LIST)._unsafeUnwrap()).toBe(undefined);
});

test("QUOTA-2: the open flows of a host are those that have not ended, counted up to the bound", () => {
  fc.assert(
    fc.property(fc.array(flowFields, { maxLength: 12 }), fc.nat({ max: 14 }), (flows, most) => {
      const open = flows.filter((one) => !isEnded(one as unknown as FlowRecord)).length;
      expect(countOpen(flows, most)._unsafeUnwrap()).toBe(Math.min(open, most));
    }),
    { numRuns: runs(300) },
  );
  for (const nonsense of [undefined, null, {}, "x"]) expect(countOpen(nonsense, 1).isErr()).toBe(true);
});
