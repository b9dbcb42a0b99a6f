// Stores and hooks of an embedding application: whatever they answer, throw or forget, the caller gets a clear answer.

import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { err, ok } from "neverthrow";
import { expect, test } from "vitest";
import type { EmbedOptions } from "../../../adapters/bridge/from-config.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { createFetchHandler } from "../../../adapters/fetch/index.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { readBody as readNodeBody } from "../../../adapters/node/body.ts";
import { createFlow, type Outcome, type StoreFailure, viewFlow } from "../../../core/index.ts";
import { CONFIG, PATH_A, ROUTE_A } from "../../core/arbitraries.ts";
import { LIMITS, ticket } from "../../support/bodies.ts";
import { changingThen } from "../../support/thenable.ts";

const SESSION = ROUTE_A.sessionKey;
const ONE_ROUTE = { routes: { [ROUTE_A.id]: CONFIG.routes[ROUTE_A.id] } };

type Answered = {
  readonly status: number;
  readonly code: unknown;
  readonly text: string;
  readonly log: readonly string[];
};

const ask = async (flows: FlowStore, body: object, more: Partial<EmbedOptions> = {}): Promise<Answered> => {
  const log: string[] = [];
  const say = (line: string): void => void log.push(line);
  const handler = createFetchHandler({
    config: ONE_ROUTE,
    flows,
    logger: { info: say, warn: say, error: say },
    ...more,
  });
  const headers = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };
  const request = new Request(`http://host.test${PATH_A}`, { method: "POST", headers, body: JSON.stringify(body) });
  const response = await handler(request, { client: "10.0.0.1" });
  const text = await response.text();
  return { status: response.status, code: (JSON.parse(text) as { code?: unknown }).code, text, log };
};

/** A store that answers `answer`, at once or by a promise. */
const atOnce = (answer: unknown): FlowStore => ({ execute: () => answer as never });
const answering = (answer: unknown): FlowStore => ({ execute: async () => answer as never });

const flowOf = (flowId: string) =>
  viewFlow(createFlow(flowId, { action: "create_flow", goal: "g", controllerId: "c" }, 1))._unsafeUnwrap();
const MINE = flowOf("mine");
const OTHER = flowOf("other");
const FORGED = { kind: "flow", json: { flowId: "mine", ownerKey: SESSION } };

const GET = { action: "get_flow", flowId: "mine" };
const LIST = { action: "list_flows" };
const SET = { action: "set_waiting", flowId: "mine", expectedRevision: 0 };
const CREATE = { action: "create_flow", goal: "g" };
const CANCEL = { action: "cancel_flow", flowId: "mine" };
const RUN = { action: "run_task", flowId: "mine", runtime: "acp", task: "t" };

const SUMMARY = { action: "get_task_summary", flowId: "mine" };

/** A careless store's answer about an ended flow. */
const PROSE = `over by ${SESSION}`;

test.each([
  [GET, undefined],
  [GET, null],
  [GET, ok({ kind: "flow" })],
  [GET, ok({ kind: "flow", flow: undefined })],
  [SUMMARY, ok({ kind: "summary" })],
  [CREATE, ok({ kind: "created", flow: undefined })],
  [SET, ok({ kind: "applied", flow: undefined })],
  [RUN, ok({ kind: "task_created", flow: undefined, task: undefined })],
  [CANCEL, ok({ kind: "not_cancelled", refusal: "terminal", ended: PROSE })],
  [CANCEL, ok({ kind: "not_cancelled", refusal: "terminal", ended: Symbol(PROSE) })],
  [RUN, ok({ kind: "task_not_created", refusal: "terminal", ended: PROSE })],
  [LIST, ok({ kind: "flows", flows: Array.from({ ...[MINE], 2: MINE, length: 3 }) })],
  [LIST, ok({ kind: "flows", flows: Object.assign([FORGED], { every: () => true }) })],
  [GET, 42],
  [GET, ok(undefined)],
  [GET, ok({})],
  [GET, ok({ kind: "created", flow: MINE })],
  [GET, ok({ kind: "flow", flow: OTHER })],
  [GET, ok({ kind: "flow", flow: FORGED })],
  [GET, ok({ kind: "flow", flow: { ...MINE } })],
  [GET, err("constructor")],
  [GET, err(new Error("x"))],
  [LIST, ok({ kind: "flows", flows: [MINE, FORGED] })],
  [LIST, ok({ kind: "flows", flows: MINE })],
  [LIST, ok({ kind: "flows" })],
  [CREATE, ok({ kind: "created" })],
  [CREATE, ok({ kind: "not_created", refusal: "toString" })],
  [SET, ok({ kind: "applied" })],
  [SET, ok({ kind: "applied", flow: null })],
  [SET, ok({ kind: "applied", flow: OTHER })],
  [SET, ok({ kind: "not_applied", refusal: "constructor" })],
  [SET, ok({ kind: "not_applied", refusal: 5 })],
  [SET, ok({ kind: "not_applied", refusal: "revision_conflict", current: OTHER })],
  [CANCEL, ok({ kind: "cancelled", flow: MINE, tasks: [FORGED] })],
  [CANCEL, ok({ kind: "cancelled", tasks: [MINE] })],
  [CANCEL, ok({ kind: "not_cancelled", refusal: "nope" })],
  [RUN, ok({ kind: "task_created", flow: MINE })],
  [RUN, ok({ kind: "task_created", flow: MINE, task: MINE })],
  [RUN, ok({ kind: "task_not_created", refusal: "cancel_pending" })],
  [SUMMARY, ok({ kind: "summary", summary: MINE })],
])("VIEW-4, SCOPE-2: a wrong answer to %j is a 502 that shows nothing of it", async (body, answer) => {
  const { status, code, text, log } = await ask(answering(answer), body);
  expect([status, code]).toEqual([502, "bad_host_answer"]);
  expect(text).not.toContain(SESSION);
  expect(log.filter((line) => line.includes("nonsense"))).toHaveLength(1);
  const { status: first, text: same } = await ask(atOnce(answer), body);
  expect([first, same]).toEqual([status, text]);
});

test.each<readonly [object, Outcome]>([
  [GET, { kind: "flow", flow: null }],
  [GET, { kind: "flow", flow: MINE }],
  [LIST, { kind: "flows", flows: [MINE, OTHER] }],
  [{ action: "find_latest_flow" }, { kind: "flow", flow: OTHER }],
  [
    { action: "get_task_summary", flowId: "mine" },
    { kind: "summary", summary: null },
  ],
  [CREATE, { kind: "not_created", refusal: "create_rejected" }],
  [SET, { kind: "not_applied", refusal: "revision_conflict", current: MINE }],
  [CANCEL, { kind: "cancelled" }],
  [RUN, { kind: "task_not_created", refusal: "unverified" }],
])("VIEW-4: a right answer to %j is passed on", async (body, outcome) => {
  const { code } = await ask(answering(ok(outcome)), body);
  expect(code).not.toBe("bad_host_answer");
});

/** `values` one after another, then the last one for good. */
const inTurn = (...values: readonly unknown[]): (() => unknown) => {
  let asked = 0;
  return () => values[Math.min(asked++, values.length - 1)];
};

const changing = (part: string, ...values: readonly unknown[]): object =>
  Object.defineProperty({ kind: "flow" }, part, { get: inTurn(...values), enumerable: true });

test("VIEW-4, SCOPE-2: the checked values are shown, even if a store's objects give others the second time", async () => {
  const changed = await ask(answering(ok(changing("flow", MINE, OTHER))), GET);
  expect([changed.status, JSON.parse(changed.text)]).toMatchObject([200, { result: { flow: { flowId: "mine" } } }]);
  const flows = Object.assign([MINE], { map: () => [FORGED.json] });
  const listed = await ask(answering(ok({ kind: "flows", flows })), LIST);
  expect([listed.status, JSON.parse(listed.text)]).toMatchObject([200, { result: { flows: [{ flowId: "mine" }] } }]);
});

test("SLOT-2, SLOT-4: an answer that becomes a promise after it was taken does not delay the request", async () => {
  const never = (): void => undefined;
  for (const firstReads of [1, 2]) {
    const then = inTurn(...Array.from({ length: firstReads }, () => undefined), never);
    const answer = changingThen(ok({ kind: "flows", flows: [] }), then);
    const flows = firstReads === 1 ? atOnce(answer) : answering(answer);
    expect((await ask(flows, LIST)).status).toBe(200);
  }
});

test.each<readonly [StoreFailure, number]>([
  ["persist_failed", 503],
  ["bad_host_answer", 502],
  ["outcome_unknown", 504],
])("a store's own %s is passed on", async (failure, status) => {
  expect(await ask(answering(err(failure)), GET)).toMatchObject({ status, code: failure });
});

test("AUDIT-1, AUDIT-2: the reports of a store are scrubbed, including the topic", async () => {
  const flows: FlowStore = {
    execute: (owner, action, report) => {
      report(`line\n[webhooks] FORGED \u001b[31m ${owner}`, `of ${owner}`);
      return memoryFlows().execute(owner, action, report);
    },
  };
  const { log } = await ask(flows, LIST);
  expect(log).toHaveLength(1);
  expect(log[0]).toMatch(/^[\x20-\x7e]+$/u);
  expect(log[0]).not.toContain(SESSION);
});

test.each([
  ["throws", () => expect.fail("metrics are down")],
  ["rejects", () => Promise.reject(new Error("metrics are down"))],
])("REPLY-4: if onEvent %s, the caller still gets the answer, and the operator is told", async (_, onEvent) => {
  const { status, log } = await ask(memoryFlows(), LIST, { onEvent: onEvent as () => void });
  await new Promise(setImmediate);
  expect(status).toBe(200);
  expect(log).toEqual([expect.stringContaining("onEvent failed: metrics are down")]);
});

test("CONFIG-2: a configuration without routes is reported, and `explain` can replace the line of a problem", async () => {
  const none = await ask(memoryFlows(), LIST, { config: { route: {} } });
  expect([none.status, none.log]).toEqual([404, [expect.stringContaining("no route is configured")]]);
  const config = { routes: { a: 1, b: 2 } };
  const explain = ({ routeId }: { routeId?: string | undefined }): string | undefined =>
    routeId === "a" ? "my words" : undefined;
  expect((await ask(memoryFlows(), LIST, { config, explain })).log).toEqual(["[webhooks] my words"]);
});

test("CONFIG-2: an embedding program is told to pass the secret itself, because it resolves SecretRefs", async () => {
  const ref = { source: "env", provider: "default", id: "CI_SECRET" };
  const secrets = { unset: undefined, number: 7, half: { source: "env" }, ref, blank: " " };
  const routes = Object.fromEntries(
    Object.entries(secrets).map(([id, secret]) => [id, { sessionKey: "agent:main:ci", secret }]),
  );
  const { log } = await ask(memoryFlows(), LIST, { config: { routes } });
  const missing = "secret is missing or not a string. Pass a long random string, for example from the environment.";
  const unresolved = "secret is empty or a SecretRef, so callers get 404. Resolve it and pass the secret as a string.";
  expect(log).toEqual([
    `[webhooks] route unset skipped: ${missing}`,
    `[webhooks] route number skipped: ${missing}`,
    `[webhooks] route half skipped: ${missing}`,
    `[webhooks] route ref cold: ${unresolved}`,
    `[webhooks] route blank cold: ${unresolved}`,
  ]);
  const off = { routes: { ci: { enabled: false } } };
  expect((await ask(memoryFlows(), LIST, { config: off })).log).toEqual([
    "[webhooks] every route has enabled: false. Set it to true or remove it.",
  ]);
});

test("LIMIT-8: a platform's second argument to the handler is an address only if it is a string", async () => {
  const seen: unknown[] = [];
  const silent = { info: () => undefined, warn: () => undefined, error: (line: string) => seen.push(line) };
  const onEvent = ({ client }: { client?: string }): void => void seen.push(client);
  const handler = createFetchHandler({ config: CONFIG, flows: memoryFlows(), logger: silent, onEvent });
  const hostile = Object.defineProperty({}, "client", { get: () => expect.fail("read") });
  for (const sender of [null, "10.0.0.1", { client: {} }, { client: 7 }, hostile, { client: "10.0.0.2" }]) {
    const request = new Request(`http://host.test${PATH_A}`, { method: "POST" });
    expect((await handler(request, sender as never)).status).toBe(415);
  }
  expect(seen).toEqual(["unknown", "unknown", "unknown", "unknown", "unknown", "10.0.0.2"]);
});

test.each([
  ["empty chunks without end", () => new Uint8Array(), 408],
  ["chunks that are no bytes", () => "text", 408],
])("BODY-2, BODY-3: a stream of %s ends", async (_, chunk, status) => {
  const { readBody } = await import("../../../adapters/fetch/body.ts");
  const body = new ReadableStream({ pull: (controller) => controller.enqueue(chunk()) });
  const request = { bodyUsed: false, headers: new Headers(), body } as unknown as Request;
  const read = await readBody(request, { ...LIMITS, deadlineMs: 30 }, ticket());
  expect(read.isErr()).toBe(true);
  expect(status).toBe(408);
});

test("BODY-1: a body that other code is already reading is reported as misuse by the embedding application", async () => {
  const { readBody } = await import("../../../adapters/fetch/body.ts");
  const request = new Request("http://host.test/", { method: "POST", body: "{}" });
  request.body?.getReader();
  await expect(readBody(request, LIMITS, ticket())).rejects.toThrow("before all body parsers");
});

test("BODY-1: a body that arrives as text is reported as misuse, too", async () => {
  const request = new IncomingMessage(new Socket());
  request.setEncoding("utf8");
  await expect(readNodeBody(request, LIMITS, ticket())).rejects.toThrow("before all body parsers");
});
