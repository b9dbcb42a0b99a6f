import fc from "fast-check";
import { expect, test } from "vitest";
import { type ActionName, ACTIONS, MAX_PAGE, MOST_AT, parseAction, readCursor, writeCursor } from "../../core/index.ts";
import { goodBodies, goodBody, type Json, wildText } from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

/** The documented fields in their order. A second list, because the schemas cannot check themselves. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  create_flow: ["controllerId", "goal", "status", "notifyPolicy", "currentStep", "stateJson", "waitJson"],
  get_flow: ["flowId", "afterRevision", "waitSeconds"],
  list_flows: ["limit", "cursor", "status", "controllerId", "updatedAfter"],
  find_latest_flow: [],
  resolve_flow: ["token"],
  get_task_summary: ["flowId"],
  set_waiting: [
    "flowId",
    "expectedRevision",
    "currentStep",
    "stateJson",
    "waitJson",
    "blockedTaskId",
    "blockedSummary",
  ],
  resume_flow: ["flowId", "expectedRevision", "status", "currentStep", "stateJson"],
  finish_flow: ["flowId", "expectedRevision", "stateJson"],
  fail_flow: ["flowId", "expectedRevision", "stateJson", "blockedTaskId", "blockedSummary"],
  request_cancel: ["flowId", "expectedRevision"],
  cancel_flow: ["flowId"],
  run_task: [
    "flowId",
    "runtime",
    "sourceId",
    "childSessionKey",
    "parentTaskId",
    "agentId",
    "runId",
    "label",
    "task",
    "preferMetadata",
    "notifyPolicy",
    "status",
    "startedAt",
    "lastEventAt",
    "progressSummary",
  ],
};
const REQUIRED = new Set(["goal", "flowId", "token", "expectedRevision", "runtime", "task"]);
const NULLABLE = new Set([
  "currentStep",
  "blockedTaskId",
  "blockedSummary",
  "progressSummary",
  "stateJson",
  "waitJson",
]);
const TEXTS = new Set([
  "controllerId",
  "goal",
  "currentStep",
  "flowId",
  "token",
  "blockedTaskId",
  "blockedSummary",
  "sourceId",
  "childSessionKey",
  "parentTaskId",
  "agentId",
  "runId",
  "label",
  "task",
  "progressSummary",
]);
const NUMBERS = new Set(["expectedRevision", "startedAt", "lastEventAt", "updatedAfter"]);
const VALUES: Readonly<Record<string, readonly string[]>> = {
  "create_flow.status": ["queued", "running", "waiting", "blocked"],
  "list_flows.status": ["queued", "running", "waiting", "blocked", "succeeded", "failed", "cancelled", "lost"],
  "resume_flow.status": ["queued", "running"],
  "run_task.status": ["queued", "running"],
  "create_flow.notifyPolicy": ["done_only", "state_changes", "silent"],
  "run_task.notifyPolicy": ["done_only", "state_changes", "silent"],
  "run_task.runtime": ["subagent", "acp"],
};

const names = Object.keys(FIELDS);
const refusedField = (body: unknown): string | undefined => {
  const parsed = parseAction(body);
  return parsed.isErr() ? (parsed.error.field ?? "(body)") : undefined;
};
/** A body with all optional fields and the status that the running-only fields need. */
const full = (name: string): fc.Arbitrary<Json> =>
  (goodBodies[name as ActionName] as fc.Arbitrary<Json>).map((body) =>
    name === "run_task" ? { ...body, status: "running" } : body,
  );
const anyField = fc.constantFrom(
  ...names.flatMap((name) => (FIELDS[name] ?? []).map((field) => [name, field] as const)),
);

test("ACTION-1: there are exactly thirteen actions, with the documented fields in the documented order", () => {
  expect(Object.keys(ACTIONS)).toEqual(names);
  for (const [name, schema] of Object.entries(ACTIONS)) {
    expect(Object.keys(schema.shape)).toEqual(["action", ...(FIELDS[name] ?? [])]);
  }
});

test("ACTION-1: a valid body is accepted unchanged", () => {
  fc.assert(
    fc.property(goodBody, (body) => {
      expect(parseAction(body)._unsafeUnwrap()).toEqual(body);
    }),
    { numRuns: runs(500) },
  );
});

const SPACES = ["\u00a0", "\ufeff", "\u2028", "\u3000", "\u000b", " ", "\t", "\n"];

test("ACTION-1: strings are trimmed of JavaScript's white space and must not be blank", () => {
  const spaces = fc.string({ unit: fc.constantFrom(...SPACES), maxLength: 3 });
  fc.assert(
    fc.property(anyField, spaces, fc.string({ unit: fc.constantFrom(...SPACES) }), ([name, field], around, blank) => {
      fc.pre(TEXTS.has(field));
      const [body] = fc.sample(full(name), { numRuns: 1, seed: around.length });
      const parsed = parseAction({ ...body, [field]: `${around}\u200bx\u0000y${around}` });
      expect(Object.entries(parsed._unsafeUnwrap()).find(([key]) => key === field)?.[1]).toBe("\u200bx\u0000y");
      expect(refusedField({ ...body, [field]: blank })).toBe(field);
    }),
    { numRuns: runs(300) },
  );
});

test("ACTION-2: the refusal of a wrong value names its field", () => {
  const wrong = fc.oneof(
    fc.constant([]),
    fc.constant({}),
    fc.constant(-1),
    fc.constant(0.5),
    fc.constant("\u0000no such value"),
    fc.constant(true),
  );
  fc.assert(
    fc.property(anyField, wrong, fc.nat(), ([name, field], value, seed) => {
      const allowed =
        field.endsWith("Json") ||
        (TEXTS.has(field) && typeof value === "string") ||
        (field === "preferMetadata" && typeof value === "boolean");
      const [body] = fc.sample(full(name), { numRuns: 1, seed });
      expect(refusedField({ ...body, [field]: value })).toBe(allowed ? undefined : field);
    }),
    { numRuns: runs(1000) },
  );
});

test("ACTION-1: null is accepted where the contract allows it, and is a fault elsewhere", () => {
  fc.assert(
    fc.property(anyField, fc.nat(), ([name, field], seed) => {
      const [body] = fc.sample(full(name), { numRuns: 1, seed });
      expect(refusedField({ ...body, [field]: null })).toBe(NULLABLE.has(field) ? undefined : field);
    }),
    { numRuns: runs(500) },
  );
});

test("ACTION-1: required fields are required, and all others are optional", () => {
  fc.assert(
    fc.property(anyField, fc.nat(), ([name, field], seed) => {
      const [body] = fc.sample(full(name), { numRuns: 1, seed });
      const { [field]: _, ...rest } = body ?? {};
      expect(refusedField(rest)).toBe(REQUIRED.has(field) ? field : undefined);
    }),
    { numRuns: runs(500) },
  );
});

test("ACTION-1: enum values are exactly the documented ones, untrimmed and in their case", () => {
  for (const [place, allowed] of Object.entries(VALUES)) {
    const [name = "", field = ""] = place.split(".");
    const [body] = fc.sample(full(name), { numRuns: 1, seed: 7 });
    const verdict = (value: unknown): string | undefined => refusedField({ ...body, [field]: value });
    for (const value of allowed) {
      expect(verdict(value)).toBe(undefined);
      expect([verdict(` ${value}`), verdict(value.toUpperCase()), verdict("")]).toEqual([field, field, field]);
    }
    for (const other of ["waiting", "blocked", "succeeded", "cli", "cron", "none"]) {
      expect(verdict(other)).toBe(allowed.includes(other) ? undefined : field);
    }
  }
});

test("ACTION-1: revisions and times are integers from 0 to 2^53-1", () => {
  for (const [name, field] of names.flatMap((one) => (FIELDS[one] ?? []).map((two) => [one, two] as const))) {
    if (!NUMBERS.has(field)) continue;
    const [body] = fc.sample(full(name), { numRuns: 1, seed: 3 });
    for (const good of [0, -0, 1, Number.MAX_SAFE_INTEGER])
      expect(refusedField({ ...body, [field]: good })).toBe(undefined);
    for (const bad of [-1, 0.5, Number.MAX_SAFE_INTEGER + 1, "0", 1e300])
      expect(refusedField({ ...body, [field]: bad })).toBe(field);
  }
});

test("LIST-1, LIST-3: a page has 1 to 500 flows, and a cursor is a place or refused", () => {
  const list = (more: Json): string | undefined => refusedField({ action: "list_flows", ...more });
  for (const limit of [1, 17, MAX_PAGE]) expect(list({ limit })).toBe(undefined);
  for (const limit of [0, MAX_PAGE + 1, -1, 1.5, "10", null]) expect(list({ limit })).toBe("limit");
  for (const at of [0, 7, 1_763_012_345_678, MOST_AT])
    for (const id of [
      "",
      "x",
      "a~b",
      "\u{1f680}".repeat(480),
      "'; DROP TABLE flows",
      "f55b4144-106e-4705-b5a2-da4c69fc6240",
    ]) {
      const cursor = writeCursor({ at, id });
      expect([cursor, list({ cursor }), readCursor(cursor)]).toEqual([cursor, undefined, { at, id }]);
    }
  for (const cursor of [
    "",
    "~",
    "x",
    "12",
    " 12~",
    "-1~",
    "1.5~x",
    `${"9".repeat(16)}~`,
    `1~${"x".repeat(481)}`,
    12,
    null,
  ])
    expect([cursor, list({ cursor })]).toEqual([cursor, "cursor"]);
  for (const at of [-1, 0.5, MOST_AT + 1, Number.NaN]) expect(readCursor(writeCursor({ at, id: "x" }))).toBe(undefined);
});

test("ACTION-1: run_task accepts times and progress only with status running, and checks that last", () => {
  const base = { action: "run_task", flowId: "f", runtime: "acp", task: "t" };
  for (const extra of [{ startedAt: 1 }, { lastEventAt: 1 }, { progressSummary: "p" }, { progressSummary: null }]) {
    expect(refusedField({ ...base, ...extra, status: "running" })).toBe(undefined);
    expect(refusedField({ ...base, ...extra })).toBe("status");
    expect(parseAction({ ...base, ...extra, status: "queued" })._unsafeUnwrapErr().sentence).toContain(
      "must be running when startedAt",
    );
    expect(refusedField({ ...base, ...extra, task: "" })).toBe("task");
  }
});

test("ACTION-2: unknown fields are refused, after all known ones", () => {
  fc.assert(
    fc.property(fc.constantFrom(...names), wildText, fc.nat(), (name, field, seed) => {
      fc.pre(field !== "action" && !(FIELDS[name] ?? []).includes(field));
      const [body] = fc.sample(full(name), { numRuns: 1, seed });
      const withField = Object.defineProperty({ ...body }, field, { value: 1, enumerable: true });
      expect(refusedField(withField)).toBe(field.length > 60 ? `${field.slice(0, 60)}…` : field);
      const [first] = FIELDS[name] ?? [];
      if (first !== undefined && first !== "controllerId")
        expect(refusedField({ extra: 1, ...body, [first]: false })).toBe(first);
    }),
  );
});

test("ACTION-1: an action is named exactly, by an own property of an object", () => {
  fc.assert(
    fc.property(fc.oneof(wildText, fc.anything()), (action) => {
      fc.pre(!names.includes(String(action)));
      expect(refusedField({ action })).toBe("action");
    }),
  );
  expect(refusedField(Object.create({ action: "list_flows" }))).toBe("action");
  for (const body of [null, [], 1, "x", true, undefined]) expect(refusedField(body)).toBe("(body)");
  expect(parseAction(null)._unsafeUnwrapErr().sentence).toContain("expected object");
  expect(parseAction({ action: "nope" })._unsafeUnwrapErr().sentence).toContain("create_flow, get_flow");
});

test("ACTION-2: a sentence is short, even if the field's name is long", () => {
  const fault = parseAction({
    action: "list_flows",
    ["x".repeat(10_000)]: 1,
    ["y".repeat(10_000)]: 2,
  })._unsafeUnwrapErr();
  expect([fault.field?.length, fault.sentence.length]).toEqual([61, 301]);
});

test("TOTAL-1: any value parses or errs", () => {
  fc.assert(fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (body) => void parseAction(body)));
});

test("ACTION-2: an action that is not a string is refused as unknown, even if it converts to the name of one", () => {
  for (const action of [["create_flow"], { toString: () => "create_flow" }, 7, null, true]) {
    expect(parseAction({ action, goal: "g" })._unsafeUnwrapErr()).toEqual({
      field: "action",
      sentence: expect.stringMatching(/^Invalid action, expected one of create_flow, get_flow, /u),
    });
  }
});

test("ACTION-2: a wrong field of a list is told in one sentence, whatever is wrong with it", () => {
  const numbers = fc.oneof(fc.double(), fc.integer(), fc.string(), fc.constantFrom(null, true, [], {}));
  const isPage = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 500;
  const isTime = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
  const told = (field: string, value: unknown): unknown => {
    const parsed = parseAction({ action: "list_flows", [field]: value });
    return parsed.isErr() ? parsed.error : undefined;
  };
  fc.assert(
    fc.property(numbers, (value) => {
      const limit = { field: "limit", sentence: "must be a whole number from 1 to 500" };
      const time = { field: "updatedAfter", sentence: "must be a whole number of milliseconds since 1970" };
      expect(told("limit", value)).toEqual(isPage(value) ? undefined : limit);
      expect(told("updatedAfter", value)).toEqual(isTime(value) ? undefined : time);
    }),
    { numRuns: runs(500) },
  );
  for (const value of [7, null, "", " ", "x\u0000"]) {
    expect(told("cursor", value)).toEqual({ field: "cursor", sentence: "must be a nextCursor of an earlier answer" });
    if (value !== "x\u0000")
      expect(told("controllerId", value)).toEqual({
        field: "controllerId",
        sentence: "must be a text that is not empty",
      });
    expect(told("status", value)).toEqual({
      field: "status",
      sentence: "must be one of queued, running, waiting, blocked, succeeded, failed, cancelled, lost",
    });
  }
});
