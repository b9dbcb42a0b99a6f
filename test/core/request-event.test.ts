// What an audit file and an embedding host are told of a request, and that nothing else of the request is in it.

import fc from "fast-check";
import { ok, type Result } from "neverthrow";
import { expect, test } from "vitest";
import {
  accept,
  admit,
  type Answer,
  answer,
  answerIgnored,
  answerRejection,
  HIDDEN,
  loadConfig,
  locate,
  type Outcome,
  prove,
  type RequestEvent,
  requestEvent,
  type RequestHead,
  type Route,
  type Routes,
  ruleFault,
  sha256,
  traceparent,
  viewFlow,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { bytes, flowFields, goodBody, head, PATH_A, primitives, ROUTE_A, ROUTES, wildText } from "./arbitraries.ts";

const TIMING = { time: 1_790_000_000_000, durationMs: 12.345 };

/** The event of a request as an adapter makes it. */
const eventOf = (
  request: RequestHead,
  body: string,
  {
    routes = ROUTES,
    outcome = ok({ kind: "flow", flow: null }),
  }: { routes?: Routes; outcome?: Result<Outcome, never> } = {},
): RequestEvent => {
  const told = (said: Answer): RequestEvent => requestEvent(said, request, TIMING);
  const located = locate(routes, request);
  if (located.isErr()) return told(answerRejection(located.error));
  const admitted = admit(located.value, { kind: "admitted" }, sha256, 0);
  if (admitted.isErr()) return told(answerRejection(admitted.error, located.value));
  const proved = prove(admitted.value, ok(bytes(body)), primitives.hmacSha256)._unsafeUnwrap();
  const command = accept(proved, primitives, 0);
  if (command.isErr()) return told(answerRejection(command.error, located.value, proved.authenticated));
  if (command.value === undefined) return told(answerIgnored(proved));
  return told(answer(command.value, outcome));
};

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const asked = (headers: Readonly<Record<string, string>> = {}): RequestHead =>
  head({
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${ROUTE_A.secret}`,
      traceparent: TRACE,
      ...headers,
    },
  });

const hex = (length: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length });

test("AUDIT-6: a traceparent is taken exactly when it is of version 00, in lower case, and no id of it is all zeros", () => {
  const written = fc.tuple(hex(32), hex(16), hex(2));
  fc.assert(
    fc.property(written, ([trace, span, flags]) => {
      const field = `00-${trace}-${span}-${flags}`;
      const isValid = !/^0+$/u.test(trace) && !/^0+$/u.test(span);
      expect(traceparent(field)).toBe(isValid ? field : undefined);
    }),
  );
  const zeros = (length: number): string => "0".repeat(length);
  for (const field of [
    undefined,
    "",
    `00-${zeros(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${zeros(16)}-01`,
    `01${TRACE.slice(2)}`,
    `${TRACE}-00`,
    `${TRACE}, ${TRACE}`,
    TRACE.toUpperCase(),
    `${TRACE}\n`,
    ` ${TRACE}`,
  ])
    expect(traceparent(field)).toBeUndefined();
  fc.assert(
    fc.property(
      fc.oneof(wildText, fc.string({ minLength: 55, maxLength: 55 })),
      (text) => traceparent(text) === undefined,
    ),
  );
});

test("AUDIT-5, AUDIT-6: a right credential brings its trace and which secret it was; a wrong one brings neither", () => {
  expect(eventOf(asked(), '{"action":"list_flows"}')).toEqual({
    ...TIMING,
    status: 200,
    routeId: ROUTE_A.id,
    action: "list_flows",
    client: "203.0.113.7",
    secret: "current",
    traceparent: TRACE,
  });
  const refused = eventOf(asked({ authorization: "Bearer wrong" }), '{"action":"list_flows"}');
  expect(refused).toEqual({ ...TIMING, status: 401, code: "unauthorized", routeId: ROUTE_A.id, client: "203.0.113.7" });
  const invalid = eventOf(asked(), '{"action":"nope"}');
  expect(invalid).toMatchObject({ status: 400, code: "invalid_request", secret: "current", traceparent: TRACE });
});

test("AUDIT-5: the previous secret is named as such", () => {
  const routes = {
    r: { path: PATH_A, sessionKey: "agent:main:r", secret: "a new secret 0123456789", previousSecret: ROUTE_A.secret },
  };
  const event = eventOf(asked(), '{"action":"list_flows"}', { routes: loadConfig({ routes }, sha256).routes });
  expect(event.secret).toBe("previous");
});

test("AUDIT-5: the rule that took a delivery is named, also when it fails; no rule, no name", () => {
  const deliveries = [
    { when: { "payload.kind": "none" }, do: { action: "create_flow", goal: "none" } },
    { when: { "payload.kind": "made" }, do: { action: "create_flow", goal: "{{payload.goal}}" } },
  ];
  const config = { routes: { r: { path: PATH_A, sessionKey: "agent:main:r", secret: ROUTE_A.secret, deliveries } } };
  const { routes, problems } = loadConfig(config, sha256);
  expect(problems).toEqual([]);
  const made = eventOf(asked(), '{"kind":"made","goal":"x"}', { routes });
  expect(made).toMatchObject({ action: "create_flow", rule: "deliveries[1]" });
  expect(eventOf(asked(), '{"kind":"made"}', { routes })).toMatchObject({
    code: "mapping_failed",
    rule: "deliveries[1]",
  });
  const ignored = eventOf(asked(), '{"kind":"other"}', { routes });
  expect([ignored.code, ignored.rule]).toEqual(["ignored", undefined]);
});

test("AUDIT-5: the flow is the one that the store has answered with, whatever the body says", () => {
  fc.assert(
    fc.property(
      flowFields,
      goodBody,
      fc.constantFrom("flow", "created", "applied", "existing", "summary"),
      (fields, body, kind) => {
        const flow = viewFlow(fields)._unsafeUnwrap();
        const outcome = kind === "summary" ? { kind, summary: null } : { kind, flow };
        const event = eventOf(asked(), JSON.stringify(body), { outcome: ok(outcome as Outcome) });
        expect(event.flowId).toBe(kind === "summary" ? undefined : String(fields["flowId"]).slice(0, 200));
      },
    ),
    { numRuns: runs(50) },
  );
});

test("AUDIT-5: the flow that a refusal shows is named, and what is not there has no member", () => {
  const record = { flowId: "f1", syncMode: "managed", revision: 0, status: "queued", notifyPolicy: "silent" };
  const current = viewFlow({ ...record, goal: "g", createdAt: 1, updatedAt: 1 })._unsafeUnwrap();
  const named = (outcome: unknown, head = asked()): RequestEvent =>
    eventOf(head, '{"action":"find_latest_flow"}', { outcome: ok(outcome as Outcome) });
  expect(named({ kind: "not_applied", refusal: "revision_conflict", current }).flowId).toBe("f1");
  const bare = named({ kind: "flow", flow: null }, asked({ traceparent: "none" }));
  expect(["flowId", "rule", "traceparent"].filter((name) => name in bare)).toEqual([]);
});

test("AUDIT-5: an answer whose request's head is gone is told without a trace", () => {
  const request = asked();
  const admitted = locate(ROUTES, request).andThen((located) => admit(located, { kind: "admitted" }, sha256, 0));
  const proved = prove(admitted._unsafeUnwrap(), ok(bytes('{"action":"list_flows"}')), primitives.hmacSha256);
  const command = accept(proved._unsafeUnwrap(), primitives, 0)._unsafeUnwrap();
  if (command === undefined) throw new Error("it asks for something");
  const said = answer(command, ok({ kind: "flow", flow: null }));
  expect(requestEvent(said, undefined, TIMING)).toMatchObject({ secret: "current", status: 200 });
  expect(requestEvent(said, request, TIMING).traceparent).toBe(TRACE);
});

test("AUDIT-1: why a rule failed is told to the operator in the rule's words, without the session", () => {
  const sessionKey = "agent:main:r";
  const route = (deliveries: readonly object[]) =>
    loadConfig({ routes: { r: { path: PATH_A, sessionKey, secret: ROUTE_A.secret, deliveries } } }, sha256);
  const failing = { do: { action: "create_flow", goal: "{{payload.goal}}" } };
  const { routes } = route([failing]);
  const { fault } = eventOf(asked(), '{"kind":"made"}', { routes });
  expect(fault).toMatch(/^deliveries\[0\]: .+ is missing/u);
  // another refusal of the same route has none
  expect(eventOf(asked(), "nonsense", { routes })).not.toHaveProperty("fault");
  const secretive = ruleFault(
    { code: "mapping_failed", fault: { field: "f", sentence: `it is ${sessionKey} there` } },
    [...routes.values()][0] as Route,
  );
  expect(secretive).toEqual({ fault: `f: ${HIDDEN}` });
  const some = [...routes.values()][0] as Route;
  expect(ruleFault({ code: "mapping_failed" }, some)).toEqual({});
  expect(ruleFault({ code: "mapping_failed", fault: { sentence: "s" } }, some)).toEqual({ fault: "a rule: s" });
  expect(ruleFault({ code: "invalid_request", fault: { sentence: "s" } }, some)).toEqual({});
});

test("AUDIT-1, AUDIT-5: an id of a flow that holds the session key, or has the shape of one, is hidden", () => {
  for (const flowId of [ROUTE_A.sessionKey, `x ${ROUTE_A.sessionKey}`, "agent:main:other"]) {
    const record = {
      flowId,
      syncMode: "managed",
      controllerId: "c",
      revision: 0,
      status: "queued",
      notifyPolicy: "silent",
      goal: "g",
      createdAt: 1,
      updatedAt: 1,
    };
    const flow = viewFlow(record)._unsafeUnwrap();
    const event = eventOf(asked(), '{"action":"find_latest_flow"}', { outcome: ok({ kind: "flow", flow }) });
    expect(event.flowId).toBe(HIDDEN);
  }
});

test("AUDIT-1, AUDIT-6: no secret, session, text of a body or header is in an event, for any request", () => {
  const marked = (mark: string): fc.Arbitrary<string> => wildText.map((text) => `${mark}${text}${mark}`);
  const [BODY, HEADER] = ["<in the body>", "<in a header>"];
  const request = fc.record({
    secret: fc.constantFrom(ROUTE_A.secret, "wrong secret 0123456789"),
    name: fc.constantFrom("traceparent", "x-request-id", "idempotency-key", "user-agent", "content-type"),
    value: marked(HEADER),
    text: marked(BODY),
    action: fc.constantFrom("create_flow", "get_flow", "run_task", "nope"),
  });
  fc.assert(
    fc.property(request, ({ secret, name, value, text, action }) => {
      const body = {
        action,
        goal: text,
        flowId: text,
        currentStep: text,
        task: text,
        runtime: "acp",
        stateJson: { text },
      };
      const event = eventOf(asked({ authorization: `Bearer ${secret}`, [name]: value }), JSON.stringify(body));
      const line = JSON.stringify(event);
      for (const hidden of [secret, ROUTE_A.sessionKey, BODY, HEADER]) expect(line).not.toContain(hidden);
    }),
    { numRuns: runs(300) },
  );
});
