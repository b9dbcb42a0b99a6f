import fc from "fast-check";
import { expect, test } from "vitest";
import {
  CANCEL_REFUSALS,
  type CancelRefusal,
  FLOW_STATUSES,
  type FlowView,
  MUTATION_REFUSALS,
  type MutationRefusal,
  type Outcome,
  REJECTIONS,
  replyToOutcome,
  replyToRejection,
  TASK_REFUSALS,
  type TaskRefusal,
  viewFlow,
  viewSummary,
  viewTask,
} from "../../core/index.ts";
import { flowFields, summaryFields, taskFields } from "./arbitraries.ts";

const sent = (outcome: Outcome): readonly [number, unknown] => {
  const reply = replyToOutcome(outcome, "r");
  return [reply.status, JSON.parse(reply.body)];
};
const fine = (result: unknown): unknown => [200, { ok: true, routeId: "r", result }];
const refused = (status: number, code: string, error: string, result: unknown): unknown => [
  status,
  { ok: false, routeId: "r", code, error, result },
];

test("REPLY-1: each outcome has the reply of the bundled plugin (gateway-semantics §3–6)", () => {
  fc.assert(
    fc.property(flowFields, taskFields, summaryFields, (flowJson, taskJson, summaryJson) => {
      const flow = viewFlow(flowJson)._unsafeUnwrap();
      const task = viewTask(taskJson)._unsafeUnwrap();
      const summary = viewSummary(summaryJson)._unsafeUnwrap();
      expect(sent({ kind: "flow", flow })).toEqual(fine({ flow: flowJson }));
      expect(sent({ kind: "flow", flow: null })).toEqual(fine({ flow: null }));
      expect(sent({ kind: "flows", flows: [flow, flow] })).toEqual(fine({ flows: [flowJson, flowJson] }));
      expect(sent({ kind: "summary", summary })).toEqual(fine({ summary: summaryJson }));
      expect(sent({ kind: "summary", summary: null })).toEqual(fine({ summary: null }));
      expect(sent({ kind: "created", flow })).toEqual(fine({ created: true, flow: flowJson }));
      expect(sent({ kind: "applied", flow })).toEqual(fine({ applied: true, flow: flowJson }));
      expect(sent({ kind: "cancelled", flow, tasks: [task] })).toEqual(
        fine({ found: true, cancelled: true, flow: flowJson, tasks: [taskJson] }),
      );
      expect(sent({ kind: "cancelled" })).toEqual(fine({ found: true, cancelled: true }));
      expect(sent({ kind: "task_created", flow, task })).toEqual(
        fine({ created: true, flow: flowJson, task: taskJson }),
      );
    }),
  );
});

test("REPLY-3: a refused creation", () => {
  expect(sent({ kind: "not_created", refusal: "persist_failed" })).toEqual(
    refused(503, "persist_failed", "TaskFlow persistence failed.", { created: false, code: "persist_failed" }),
  );
  expect(sent({ kind: "not_created", refusal: "create_rejected" })).toEqual(
    refused(409, "create_rejected", "TaskFlow creation was rejected.", { created: false, code: "create_rejected" }),
  );
});

test.each<[MutationRefusal, number, string]>([
  ["not_found", 404, "TaskFlow not found."],
  ["not_managed", 409, "TaskFlow is not managed by this webhook surface."],
  ["revision_conflict", 409, "TaskFlow changed since the caller's expected revision."],
  ["persist_failed", 503, "TaskFlow persistence failed."],
  ["mutation_rejected", 409, "TaskFlow mutation was rejected."],
])("REPLY-3: a mutation refused for %s", (refusal, status, error) => {
  const [record = {}] = fc.sample(flowFields, 1);
  const result = { applied: false, code: refusal };
  expect(sent({ kind: "not_applied", refusal })).toEqual(refused(status, refusal, error, result));
  expect(sent({ kind: "not_applied", refusal, current: viewFlow(record)._unsafeUnwrap() })).toEqual(
    refused(status, refusal, error, { ...result, current: record }),
  );
});

const UNVERIFIED = "Child task ownership could not be verified; no cancellation was performed.";

test.each<[CancelRefusal, number, string, string]>([
  ["not_found", 404, "not_found", "Flow not found."],
  ["terminal", 409, "terminal", "Flow is already terminal."],
  ["unverified", 409, "cancel_rejected", UNVERIFIED],
  ["provisional", 409, "cancel_rejected", "One or more child tasks remain provisionally cancelled."],
  ["revision_conflict", 409, "revision_conflict", "Flow changed while cancellation was in progress."],
  ["persist_failed", 503, "persist_failed", "Flow persistence failed."],
  ["cancel_rejected", 409, "cancel_rejected", "TaskFlow cancellation was rejected."],
])("REPLY-3: a cancellation refused for %s", (refusal, status, code, reason) => {
  const found = refusal !== "not_found";
  const error = found ? reason : "TaskFlow not found.";
  expect(sent({ kind: "not_cancelled", refusal })).toEqual(
    refused(status, code, error, { found, cancelled: false, reason }),
  );
});

test("REPLY-1: a pending cancellation is a success with a code", () => {
  const [record = {}] = fc.sample(flowFields, 1);
  const flow = viewFlow(record)._unsafeUnwrap();
  const reason = "One or more child tasks are still active.";
  const result = { found: true, cancelled: false, reason, flow: record, tasks: [] };
  expect(sent({ kind: "not_cancelled", refusal: "cancel_pending", flow, tasks: [] })).toEqual([
    202,
    { ok: true, routeId: "r", code: "cancel_pending", result },
  ]);
});

test.each<[TaskRefusal, number, string, string]>([
  ["not_found", 404, "not_found", "Flow not found."],
  ["not_managed", 409, "not_managed", "Flow does not accept managed child tasks."],
  ["cancel_requested", 409, "cancel_requested", "Flow cancellation has already been requested."],
  ["terminal", 409, "terminal", "Flow is already terminal."],
  ["unverified", 409, "task_not_created", "Task backing ownership could not be verified."],
  ["persist_failed", 503, "persist_failed", "Task persistence failed."],
  ["task_not_created", 409, "task_not_created", "TaskFlow task was not created."],
])("REPLY-3: a task refused for %s", (refusal, status, code, reason) => {
  const [record = {}] = fc.sample(flowFields, 1);
  const flow = viewFlow(record)._unsafeUnwrap();
  const found = refusal !== "not_found";
  const error = found ? reason : "TaskFlow not found.";
  expect(sent({ kind: "task_not_created", refusal, flow })).toEqual(
    refused(status, code, error, { found, created: false, reason, flow: record }),
  );
});

test("REPLY-3: the status of an ended flow is named exactly if it is known", () => {
  for (const ended of FLOW_STATUSES) {
    const reason = `Flow is already ${ended}.`;
    expect(sent({ kind: "not_cancelled", refusal: "terminal", ended })[1]).toMatchObject({
      error: reason,
      result: { reason },
    });
    expect(sent({ kind: "task_not_created", refusal: "terminal", ended })[1]).toMatchObject({
      error: reason,
      result: { reason },
    });
    expect(sent({ kind: "task_not_created", refusal: "unverified", ended })[1]).toMatchObject({
      code: "task_not_created",
      error: "Task backing ownership could not be verified.",
    });
  }
});

test("REPLY-3: the tables of refusals hold the codes that the tests above name, and no others", () => {
  expect([
    Object.keys(MUTATION_REFUSALS).length,
    Object.keys(CANCEL_REFUSALS).length,
    Object.keys(TASK_REFUSALS).length,
  ]).toEqual([5, 8, 7]);
});

test("REPLY-1: a wait is in whole seconds, at least one", () => {
  const wait = (retryAfterMs: number): string | undefined =>
    replyToRejection({ code: "rate_limited", retryAfterMs }).headers["Retry-After"];
  expect([-5, 0, 1, 1000, 1001, 60_000].map(wait)).toEqual(["1", "1", "1", "1", "2", "60"]);
  expect(replyToRejection({ code: "rate_limited" }).headers).not.toHaveProperty("Retry-After");
});

test("ACTION-2: a fault with and without a field", () => {
  const body = (fault: { sentence: string; field?: string }): unknown =>
    JSON.parse(replyToRejection({ code: "invalid_request", fault }, "r").body);
  expect(body({ sentence: "why", field: "goal" })).toEqual({
    ok: false,
    routeId: "r",
    code: "invalid_request",
    error: "goal: why",
    result: { field: "goal" },
  });
  const before = replyToRejection({ code: "invalid_request", fault: { sentence: "why" } });
  expect(JSON.parse(before.body)).toEqual({ ok: false, code: "invalid_request", error: "why", result: {} });
  expect(body({ sentence: "why" })).toEqual({
    ok: false,
    routeId: "r",
    code: "invalid_request",
    error: "why",
    result: {},
  });
});

test("REPLY-1: each header is in exactly the replies that need it", () => {
  for (const code of Object.keys(REJECTIONS) as (keyof typeof REJECTIONS)[]) {
    const { headers } = replyToRejection({ code });
    expect(Object.isFrozen(headers)).toBe(true);
    expect([code, "Allow" in headers]).toEqual([code, code === "method_not_allowed"]);
    expect([code, "WWW-Authenticate" in headers]).toEqual([code, code === "unauthorized"]);
    const isSoon = [
      "admission_unavailable",
      "overloaded",
      "idempotency_in_progress",
      "idempotency_unavailable",
    ].includes(code);
    expect([code, headers["Retry-After"]]).toEqual([
      code,
      isSoon ? "1" : code === "too_many_waiting" ? "5" : undefined,
    ]);
    expect(replyToRejection({ code, retryAfterMs: 1 }).headers["Retry-After"]).toBe("1");
  }
});

test("REPLY-4, TOTAL-1: an answer that cannot be written as one string is a failure of the store", () => {
  const endless: unknown[] = [];
  endless.push(endless);
  const reply = replyToOutcome({ kind: "flow", flow: { json: { endless } } as unknown as FlowView }, "zapier");
  expect([reply.status, reply.code, JSON.parse(reply.body)]).toEqual([
    502,
    "bad_host_answer",
    { ok: false, routeId: "zapier", code: "bad_host_answer", error: REJECTIONS.bad_host_answer.sentence, result: {} },
  ]);
});

test("REPLY-1: each refusal has its status and its own sentence", () => {
  expect(Object.entries(REJECTIONS).map(([code, { status }]) => `${String(status)} ${code}`)).toEqual([
    "404 route_not_found",
    "405 method_not_allowed",
    "503 admission_unavailable",
    "429 rate_limited",
    "415 unsupported_media_type",
    "429 too_many_in_flight",
    "401 unauthorized",
    "413 payload_too_large",
    "408 request_timeout",
    "503 overloaded",
    "400 invalid_json",
    "400 invalid_request",
    "403 action_not_allowed",
    "422 mapping_failed",
    "422 idempotency_key_reused",
    "409 idempotency_in_progress",
    "503 idempotency_unavailable",
    "413 list_too_large",
    "503 persist_failed",
    "502 bad_host_answer",
    "504 outcome_unknown",
    "429 too_many_waiting",
    "500 internal",
  ]);
  const sentences = Object.values(REJECTIONS).map(({ sentence }) => sentence);
  expect(new Set(sentences).size).toBe(sentences.length);
  for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].{10,}\.$/u);
});
