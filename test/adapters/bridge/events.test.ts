// One event for each request, before its answer; and nothing is made of one that nobody hears.

import { expect, test } from "vitest";
import { ok } from "neverthrow";
import { type BridgeOptions, createBridge } from "../../../adapters/bridge/bridge.ts";
import { listenerOf } from "../../../adapters/bridge/listeners.ts";
import { Log } from "../../../adapters/bridge/log.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { MemoryLimits } from "../../../adapters/limits/memory.ts";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import { loadConfig, type RequestEvent, type RequestHead } from "../../../core/index.ts";
import { bytes, head, ROUTE_A, ROUTES } from "../../core/arbitraries.ts";

const ignore = (): void => undefined;

const parts = (): BridgeOptions => ({
  routes: () => ROUTES,
  store: memoryFlows(),
  limits: new MemoryLimits(),
  primitives: nodePrimitives,
  clock: () => performance.now(),
  log: new Log({ info: ignore, warn: ignore, error: ignore }, () => 0),
});

const HEADERS = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };

/** What happened, in its order: the event's code or status, and the answer's status. */
const story = async (
  changes: Partial<BridgeOptions>,
  request: RequestHead,
  body: string,
): Promise<readonly string[]> => {
  const told: string[] = [];
  const onEvent = ({ code, status }: RequestEvent): void => void told.push(`event ${code ?? String(status)}`);
  const { locate, handle } = createBridge({ ...parts(), onEvent, ...changes });
  await handle(
    locate(request),
    () => Promise.resolve(ok(bytes(body))),
    ({ reply }) => void told.push(`answer ${String(reply.status)}`),
  );
  return told;
};

const LIST = '{"action":"list_flows"}';
const boom = (): never => {
  throw new Error("boom");
};

test.each<[string, Partial<BridgeOptions>, RequestHead, string, string, number]>([
  ["an answer", {}, head({ headers: HEADERS }), LIST, "200", 200],
  ["a path that is none", {}, head({ target: "/nope" }), LIST, "route_not_found", 404],
  ["a method that is none", {}, head({ method: "GET" }), LIST, "method_not_allowed", 405],
  ["a wrong secret", {}, head({ headers: { ...HEADERS, authorization: "Bearer x" } }), LIST, "unauthorized", 401],
  ["a body that is none", {}, head({ headers: HEADERS }), "{", "invalid_json", 400],
  ["a defect of the routes", { routes: boom }, head({ headers: HEADERS }), LIST, "internal", 500],
  [
    "a defect of the limits",
    { limits: { admit: boom, confirm: boom, release: boom } },
    head({ headers: HEADERS }),
    LIST,
    "internal",
    500,
  ],
  ["a store that fails", { store: { execute: boom } }, head({ headers: HEADERS }), LIST, "bad_host_answer", 502],
  ["clocks that fail", { clock: boom, time: boom }, head({ headers: HEADERS }), LIST, "internal", 500],
])("AUDIT-5: %s has one event, before its answer", async (_, changes, request, body, code, status) => {
  expect(await story(changes, request, body)).toEqual([`event ${code}`, `answer ${String(status)}`]);
});

test("AUDIT-5: an answer leaves when its event is kept, and not before", async () => {
  let keep = ignore;
  const kept = new Promise<void>((resolve) => (keep = resolve));
  const told: string[] = [];
  const { locate, handle } = createBridge({
    ...parts(),
    onEvent: () => void told.push("event"),
    whenKept: () => kept.then(() => void told.push("kept")),
  });
  const answered = handle(
    locate(head({ headers: HEADERS })),
    () => Promise.resolve(ok(bytes(LIST))),
    () => void told.push("answer"),
  );
  await new Promise(setImmediate);
  expect(told).toEqual(["event"]);
  keep();
  await answered;
  expect(told).toEqual(["event", "kept", "answer"]);
});

test.each<[string, BridgeOptions["whenKept"]]>([
  ["throws", boom],
  ["rejects", () => Promise.reject(new Error("boom"))],
])("REPLY-4: a whenKept that %s costs nobody an answer", async (_, whenKept) => {
  const told = await story({ whenKept }, head({ headers: HEADERS }), LIST);
  expect(told).toEqual(["event 200", "answer 200"]);
});

test("REPLY-4: an onEvent that cannot be read costs nobody an answer, and is told", async () => {
  const lines: string[] = [];
  const keep = (line: string): void => void lines.push(line);
  const log = new Log({ info: ignore, warn: keep, error: ignore }, () => 0);
  let reads = 0;
  for (const failing of [1, 2]) {
    reads = 0;
    const options = {
      ...parts(),
      log,
      get onEvent() {
        reads += 1;
        if (reads === failing) boom();
        return ignore;
      },
    };
    const { locate, handle } = createBridge(options);
    const answers: number[] = [];
    await handle(
      locate(head({ headers: HEADERS })),
      () => Promise.resolve(ok(bytes(LIST))),
      ({ reply }) => void answers.push(reply.status),
    );
    expect([failing, answers]).toEqual([failing, [200]]);
  }
  expect(lines.filter((line) => line.includes("onEvent failed"))).toHaveLength(1);
});

test("AUDIT-5: a request that waits has its event when the wait ends, before its answer", async () => {
  const store = memoryFlows();
  const create = { action: "create_flow", goal: "g", controllerId: "c" } as const;
  const made = (await store.execute(ROUTE_A.sessionKey, create, () => undefined))._unsafeUnwrap();
  const flowId = made.kind === "created" ? String(made.flow.json["flowId"]) : "";
  const told: string[] = [];
  const { locate, handle, endWaits } = createBridge({
    ...parts(),
    store,
    onEvent: ({ flowId: about = "" }) => void told.push(`event ${about}`),
  });
  const wait = JSON.stringify({ action: "get_flow", flowId, afterRevision: 0, waitSeconds: 20 });
  const answered = handle(
    locate(head({ headers: HEADERS })),
    () => Promise.resolve(ok(bytes(wait))),
    () => void told.push("answer"),
  );
  await new Promise(setImmediate);
  expect(told).toEqual([]);
  endWaits();
  await answered;
  expect(told).toEqual([`event ${flowId}`, "answer"]);
});

test("AUDIT-5: an event says when the head was there, and how long it took until the answer was ready", async () => {
  let [now, at] = [1000.25, 1_790_000_000_000];
  const events: RequestEvent[] = [];
  const { locate, handle } = createBridge({
    ...parts(),
    clock: () => now,
    time: () => at,
    onEvent: (event) => void events.push(event),
  });
  const read = () => {
    now += 30.0004;
    at += 30;
    return Promise.resolve(ok(bytes(LIST)));
  };
  const deliver = (): void => {
    now += 500;
    at += 500;
  };
  await handle(locate(head({ headers: HEADERS })), read, deliver);
  expect(events).toEqual([expect.objectContaining({ time: 1_790_000_000_000, durationMs: 30 })]);
});

test("AUDIT-5: while nobody listens, the request's trace is not read, and no clock for its event", async () => {
  const names: string[] = [];
  const plain = head({ headers: HEADERS });
  const request = { ...plain, header: (name: string) => (names.push(name), plain.header(name)) };
  let isHeard = false;
  const events: RequestEvent[] = [];
  const { locate, handle } = createBridge({
    ...parts(),
    get onEvent() {
      return isHeard ? (event: RequestEvent) => void events.push(event) : undefined;
    },
  });
  const ask = (): Promise<void> => handle(locate(request), () => Promise.resolve(ok(bytes(LIST))), ignore);
  await ask();
  expect([names.includes("traceparent"), events.length]).toEqual([false, 0]);
  isHeard = true;
  await ask();
  expect([names.includes("traceparent"), events.length]).toEqual([true, 1]);
});

test("AUDIT-5: of several listeners each is told, also after one that throws", () => {
  const told: string[] = [];
  const event: RequestEvent = { status: 200, time: 0, durationMs: 0 };
  const all = listenerOf([undefined, () => void told.push("a"), boom, () => void told.push("b")]);
  expect(() => all?.(event)).toThrow("boom");
  expect(told).toEqual(["a", "b"]);
  expect(listenerOf([undefined, undefined])).toBeUndefined();
});

test("AUDIT-5, QUOTA-3: the event of a full quota names it and its number", async () => {
  const limits = { maxFlows: 1, maxTasks: 1 };
  const config = loadConfig(
    { routes: { [ROUTE_A.id]: { sessionKey: ROUTE_A.sessionKey, secret: ROUTE_A.secret, limits } } },
    nodePrimitives.sha256,
  );
  const store = memoryFlows();
  const events: RequestEvent[] = [];
  const onEvent = (event: RequestEvent): void => void events.push(event);
  const { locate, handle } = createBridge({ ...parts(), store, routes: () => config.routes, onEvent });
  const ask = async (body: object): Promise<void> =>
    handle(locate(head({ headers: HEADERS })), () => Promise.resolve(ok(bytes(JSON.stringify(body)))), ignore);
  await ask({ action: "create_flow", goal: "one" });
  await ask({ action: "create_flow", goal: "two" });
  const task = { action: "run_task", flowId: events[0]?.flowId, runtime: "acp", task: "t" };
  await ask(task);
  await ask(task);
  expect(events.map(({ code, fault }) => [code, fault])).toEqual([
    [undefined, undefined],
    ["quota_exceeded", "limits.maxFlows is 1"],
    [undefined, undefined],
    ["quota_exceeded", "limits.maxTasks is 1"],
  ]);
});
