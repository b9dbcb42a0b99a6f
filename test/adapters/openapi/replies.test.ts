import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ACTIONS,
  allowanceOf,
  CANCEL_REFUSALS,
  MUTATION_REFUSALS,
  type Outcome,
  REJECTIONS,
  replyToOutcome,
  replyToRejection,
  SLOTS,
  TASK_REFUSALS,
  viewFlow,
  viewSummary,
  viewTask,
  WINDOW,
  withRateLimit,
} from "../../../core/index.ts";
import { namesOf } from "../../../adapters/openapi/schema.ts";
import { flowFields, flowStatus, goodText, summaryFields, taskFields } from "../../core/arbitraries.ts";
import { bodySchemaOf, DOCUMENT, faultsOf, follow, members, OPERATION, responseOf } from "./document.ts";
import { runs } from "../../support/runs.ts";

const STATUSES = Object.keys(OPERATION.responses);
const faultsByStatus = new Map(STATUSES.map((status) => [status, faultsOf(bodySchemaOf(status))]));
const faultsOfReply = ({ status, body }: { readonly status: number; readonly body: string }): unknown => {
  const faults = faultsByStatus.get(String(status));
  return faults === undefined ? `no status ${String(status)}` : faults(JSON.parse(body));
};

const flow = flowFields.map((fields) => viewFlow(fields)._unsafeUnwrap());
const task = fc
  .tuple(taskFields, fc.option(goodText, { nil: undefined }))
  .map(([fields, child]) => viewTask({ ...fields, childSessionKey: child }, child)._unsafeUnwrap());
const summary = summaryFields.map((fields) => viewSummary(fields)._unsafeUnwrap());
const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

/** Without undefined members. */
const outcome = (kind: Outcome["kind"], members: Readonly<Record<string, fc.Arbitrary<unknown>>>) =>
  fc
    .record(members)
    .map((found) => Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)))
    .map((found) => ({ kind, ...found }) as Outcome);

const refusal = (table: object) => fc.constantFrom(...Object.keys(table));
const tasks = fc.array(task, { maxLength: 2 });
const outcomes: Readonly<Record<Outcome["kind"], fc.Arbitrary<Outcome>>> = {
  flow: outcome("flow", { flow: fc.option(flow) }),
  flows: outcome("flows", { flows: fc.array(flow, { maxLength: 3 }), next: some(fc.option(goodText)) }),
  summary: outcome("summary", { summary: fc.option(summary) }),
  created: outcome("created", { flow }),
  not_created: outcome("not_created", { refusal: fc.constantFrom("persist_failed", "create_rejected") }),
  applied: outcome("applied", { flow }),
  not_applied: outcome("not_applied", { refusal: refusal(MUTATION_REFUSALS), current: some(flow) }),
  cancelled: outcome("cancelled", { flow: some(flow), tasks: some(tasks) }),
  not_cancelled: outcome("not_cancelled", {
    refusal: refusal(CANCEL_REFUSALS),
    ended: some(flowStatus),
    flow: some(flow),
    tasks: some(tasks),
  }),
  task_created: outcome("task_created", { flow, task }),
  task_not_created: outcome("task_not_created", {
    refusal: refusal(TASK_REFUSALS),
    ended: some(flowStatus),
    flow: some(flow),
  }),
  over_quota: outcome("over_quota", { of: fc.constantFrom("flows", "tasks"), most: fc.nat() }),
  existing: outcome("existing", { flow }),
  ignored: outcome("ignored", {}),
};

test.each(namesOf(outcomes))("a reply to the outcome %s matches the document, field by field", (kind) => {
  fc.assert(
    fc.property(outcomes[kind], (found) => {
      expect(faultsOfReply(replyToOutcome(found, "zapier"))).toBe(undefined);
    }),
    { numRuns: runs(60) },
  );
});

test("a refusal matches the document, with its headers", () => {
  for (const code of namesOf(REJECTIONS)) {
    for (const fault of [undefined, { sentence: "why" }, { sentence: "why", field: "goal" }]) {
      const rejection = { code, ...(fault === undefined ? {} : { fault }) };
      expect([code, faultsOfReply(replyToRejection(rejection))]).toEqual([code, undefined]);
      expect([code, faultsOfReply(replyToRejection(rejection, "zapier"))]).toEqual([code, undefined]);
    }
  }
});

test("LIMIT-11: a status has the headers that one of its refusals has, and no other", () => {
  // all other statuses have a code that an authenticated client gets
  const isEarly = (status: string): boolean => ["401", "405", "415"].includes(status);
  const headersOf = (code: keyof typeof REJECTIONS): readonly string[] => {
    const isLimit = code === "rate_limited" || code === "too_many_in_flight";
    const names = Object.keys(replyToRejection({ code, ...(isLimit ? { retryAfterMs: 1 } : {}) }).headers);
    return names.filter((name) => name !== "Content-Type" && name !== "Cache-Control");
  };
  for (const [status, codes] of Map.groupBy(namesOf(REJECTIONS), (code) => String(REJECTIONS[code].status))) {
    const limits = isEarly(status)
      ? []
      : Object.keys(withRateLimit({}, allowanceOf({ endsAt: 1, count: 1 }, WINDOW, SLOTS, 0)));
    const own = [...new Set([...codes.flatMap(headersOf), ...limits])];
    expect([status, Object.keys(responseOf(status).headers ?? {}).toSorted()]).toEqual([status, own.toSorted()]);
  }
  expect(Object.keys(responseOf("200").headers ?? {})).toEqual([
    "Idempotent-Replayed",
    "RateLimit-Policy",
    "RateLimit",
  ]);
});

test("each status has exactly the codes that the tables of refusals give it", () => {
  const rows = [MUTATION_REFUSALS, CANCEL_REFUSALS, TASK_REFUSALS].flatMap((table) => Object.values(table));
  const said = [
    ...Object.entries(REJECTIONS).map(([code, { status }]) => `${String(status)} ${code}`),
    ...rows.map(({ status, code }) => `${String(status)} ${code}`),
    "409 create_rejected",
    "429 quota_exceeded",
    "200 ignored",
  ];
  const documented = STATUSES.flatMap((status) => {
    const codes = follow("#/properties/code/enum", DOCUMENT.components.schemas[bodySchemaOf(status)]);
    return Object.values(members(codes)).map((code) => `${status} ${String(code)}`);
  });
  expect(documented.toSorted()).toEqual([...new Set(said)].toSorted());
  expect(STATUSES).toEqual("200 202 400 401 403 404 405 408 409 413 415 422 429 500 502 503 504".split(" "));
});

test("the advice for a status names only its own codes", () => {
  for (const status of STATUSES) {
    const codes = Object.keys(responseOf(status).content["application/json"].examples);
    const named = [...responseOf(status).description.matchAll(/`(\w+_\w+)`/gu)].map(([, code]) => code);
    expect([status, named.filter((code) => !codes.includes(code ?? ""))]).toEqual([status, []]);
  }
});

test("every code and every action's success has an example, and each example matches its schema", () => {
  for (const status of STATUSES) {
    const { examples, schema } = responseOf(status).content["application/json"];
    const codes = follow("#/properties/code/enum", DOCUMENT.components.schemas[bodySchemaOf(status)]);
    expect(schema.$ref).toBe(`#/components/schemas/${bodySchemaOf(status)}`);
    const successes = status === "200" ? [...Object.keys(ACTIONS), "existing", "replayed", "page"] : [];
    const names = [...successes, ...Object.values(members(codes))];
    expect(Object.keys(examples).toSorted()).toEqual(names.toSorted());
    for (const [name, { value }] of Object.entries(examples)) {
      expect([name, faultsByStatus.get(status)?.(value)]).toEqual([name, undefined]);
      const code = successes.includes(name) ? undefined : name;
      expect([follow("#/ok", value), follow("#/code", value)]).toEqual([status < "300", code]);
      const isEarly = ["405", "415", "429"].includes(status) && !["too_many_waiting", "quota_exceeded"].includes(name);
      const isKnown = !["route_not_found", "unauthorized", "admission_unavailable"].includes(name) && !isEarly;
      expect([name, follow("#/routeId", value)]).toEqual([name, isKnown ? "zapier" : undefined]);
    }
  }
});
