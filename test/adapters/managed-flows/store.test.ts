// The adapter of the Gateway's flow API, against stand-ins that answer well or wrongly, throw, or do not answer.

import fc from "fast-check";
import { ok } from "neverthrow";
import { expect, test, vi } from "vitest";
import { createBridge } from "../../../adapters/bridge/bridge.ts";
import { STORE_DEADLINE_MS } from "../../../adapters/bridge/execute.ts";
import { Log, type Logger } from "../../../adapters/bridge/log.ts";
import { scrub } from "../../../adapters/bridge/scrub.ts";
import { FlowChanges } from "../../../adapters/flows/changes.ts";
import { MemoryLimits } from "../../../adapters/limits/memory.ts";
import type { Binding } from "../../../adapters/managed-flows/api.ts";
import { gatewayFlows } from "../../../adapters/managed-flows/store.ts";
import { nodePrimitives } from "../../../adapters/node/primitives.ts";
import type { Answer } from "../../../core/index.ts";
import {
  bytes,
  dress,
  flowFields,
  goodBodies,
  goodBody,
  head,
  hiddenFields,
  type Json,
  ROUTE_A,
  ROUTES,
  summaryFields,
  taskFields,
  wildText,
} from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";
import { thenable } from "../../support/thenable.ts";

type Asked = { readonly method: string; readonly args: readonly unknown[] };
type Sent = {
  readonly status: number;
  readonly text: string;
  readonly body: Json;
  readonly asked: readonly Asked[];
  readonly log: readonly string[];
};

const CFG = { gateway: "configuration" };

const ignore = (): void => undefined;
const clock = (): number => 0;
const defect = (line: string): never => expect.fail(line);

/** A log that rations nothing, so that a test sees every warning. */
class EveryWarning extends Log {
  readonly lines: string[] = [];

  constructor() {
    super({ info: ignore, warn: ignore, error: defect }, clock);
  }

  override warnSometimes(line: string): void {
    this.lines.push(line);
  }
}

/** A binding of which every method is noted and answers with `reply`. */
const noting = (asked: Asked[], reply: (asked: Asked) => unknown): Binding => {
  const methods = new Proxy(
    {},
    {
      get:
        (_, method) =>
        (...args: readonly unknown[]) => {
          asked.push({ method: String(method), args });
          return reply({ method: String(method), args });
        },
    },
  );
  return { flows: methods as Binding["flows"], canceller: () => methods as ReturnType<Binding["canceller"]> };
};

/** Sends `body` through the whole bridge to a host whose every method answers with `reply`. */
const send = async (
  body: unknown,
  reply: (asked: Asked) => unknown,
  options: { readonly logger?: Logger; readonly bind?: () => never } = {},
): Promise<Sent> => {
  const asked: Asked[] = [];
  const log = new EveryWarning();
  const bind = (sessionKey: string): Binding => {
    expect(sessionKey, "SCOPE-1").toBe(ROUTE_A.sessionKey);
    return options.bind?.() ?? noting(asked, reply);
  };
  const { locate, handle } = createBridge({
    routes: () => ROUTES,
    store: gatewayFlows({ bind, hostConfig: () => CFG }),
    limits: new MemoryLimits(),
    primitives: nodePrimitives,
    clock,
    log: options.logger === undefined ? log : new Log(options.logger, clock),
  });
  const answers: Answer[] = [];
  const read = () => Promise.resolve(ok(bytes(JSON.stringify(body))));
  await handle(locate(head()), read, (one) => void answers.push(one));
  const [answer, ...more] = answers;
  if (answer === undefined || more.length > 0) return expect.fail("not exactly one answer");
  return {
    status: answer.reply.status,
    text: answer.reply.body,
    body: JSON.parse(answer.reply.body) as Json,
    asked,
    log: log.lines,
  };
};

/** The same, to a host that has not answered when the deadline comes. */
const sendTooLong = async (body: unknown, reply: (asked: Asked) => unknown): Promise<Sent> => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    let isAnswered = false;
    const sent = send(body, reply).finally(() => (isAnswered = true));
    await vi.advanceTimersByTimeAsync(STORE_DEADLINE_MS - 1);
    expect(isAnswered).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    return await sent;
  } finally {
    vi.useRealTimers();
  }
};

/** The record of the flow that `body` names. */
const askedFor = (body: Json, flow: object): object => ("flowId" in body ? { ...flow, flowId: body["flowId"] } : flow);

/** A good answer of the host to each action, around the records that it shows. */
const goodAnswer = (action: string, flow: object, task: object, summary: object, extra: object): unknown => {
  if (["get_flow", "find_latest_flow", "resolve_flow", "create_flow"].includes(action)) return flow;
  if (action === "list_flows") return [flow];
  if (action === "get_task_summary") return summary;
  if (action === "cancel_flow") return { ...extra, found: true, cancelled: true, flow, tasks: [task] };
  if (action === "run_task") return { ...extra, created: true, flow, task };
  return { ...extra, applied: true, flow };
};

test("VIEW-1: answers that agree in the visible fields give byte-identical replies, for every action and shape", async () => {
  const world = fc.record({ body: goodBody, flow: flowFields, task: taskFields, summary: summaryFields });
  const dressed = fc.record({ hidden: hiddenFields, dress });
  await fc.assert(
    fc.asyncProperty(world, dressed, dressed, async ({ body, flow, task, summary }, one, two) => {
      fc.pre(body["childSessionKey"] === undefined);
      const replyOf = async (with_: typeof one): Promise<string> => {
        const wear = (record: object): object => with_.dress(askedFor(body, record), with_.hidden);
        const nested = { ...summary, byStatus: { ...with_.hidden, ...summary.byStatus } };
        return (
          await send(body, () => goodAnswer(String(body["action"]), wear(flow), wear(task), wear(nested), with_.hidden))
        ).text;
      };
      const text = await replyOf(one);
      expect(await replyOf(two)).toBe(text);
      expect(JSON.parse(text)).toMatchObject({ ok: true });
    }),
    { numRuns: runs(500) },
  );
});

/** `value` with an accessor for each part, which counts how often it is read. */
const watched = (value: unknown, reads: Map<string, number>, path = ""): unknown => {
  if (typeof value !== "object" || value === null) return value;
  const watch = (name: string | symbol, part: unknown): PropertyDescriptor => {
    const at = `${path}.${String(name)}`;
    const inner = watched(part, reads, at);
    const get = (): unknown => {
      reads.set(at, (reads.get(at) ?? 0) + 1);
      return inner;
    };
    return { get, enumerable: true, configurable: true };
  };
  const copy: object = Array.isArray(value) ? [] : {};
  for (const name of Reflect.ownKeys(value).filter((key) => key !== "length")) {
    Object.defineProperty(copy, name, watch(name, Reflect.get(value, name)));
  }
  return copy;
};

test("VIEW-5: each part of an answer is read once at most, what is hidden never, and what was checked is shown", async () => {
  const world = fc.record({ body: goodBody, flow: flowFields, task: taskFields, summary: summaryFields });
  const marked = hiddenFields.map((hidden) =>
    Object.fromEntries(Reflect.ownKeys(hidden).map((name) => [`hidden ${String(name)}`, Reflect.get(hidden, name)])),
  );
  await fc.assert(
    fc.asyncProperty(world, marked, async ({ body, flow, task, summary }, hidden) => {
      fc.pre(body["childSessionKey"] === undefined);
      const action = String(body["action"]);
      const answerOf = (more: object): unknown =>
        goodAnswer(action, { ...more, ...askedFor(body, flow) }, { ...more, ...task }, { ...more, ...summary }, more);
      const reads = new Map<string, number>();
      const answer = watched(answerOf(hidden), reads);
      const { text } = await send(body, () => answer);
      expect([...reads].filter(([path, count]) => count > 1 || path.includes("hidden"))).toEqual([]);
      expect(text).toBe((await send(body, () => answerOf({}))).text);
      expect(JSON.parse(text)).toMatchObject({ ok: true });
    }),
    { numRuns: runs(300) },
  );
});

test("SLOT-4: answers of the host as a value, a promise and a thenable give the same reply", async () => {
  const world = fc.record({ body: goodBody, flow: flowFields, task: taskFields, summary: summaryFields });
  await fc.assert(
    fc.asyncProperty(world, fc.boolean(), async ({ body, flow, task, summary }, isGood) => {
      const shown = askedFor(body, flow);
      const answer = isGood ? goodAnswer(String(body["action"]), shown, task, summary, {}) : { kind: "nonsense" };
      const { text, log } = await send(body, () => answer);
      expect(await send(body, () => Promise.resolve(answer))).toMatchObject({ text, log });
      expect(await send(body, () => thenable(answer))).toMatchObject({ text, log });
    }),
    { numRuns: runs(200) },
  );
});

test("REPLY-4: a reply is sent even if the host and its log fail at the same time", async () => {
  const fail = (): never => {
    throw new Error("disk full");
  };
  for (const failing of [fail, () => Promise.reject(new Error("no"))]) {
    const logger = { info: fail, warn: fail, error: defect };
    const { status, body } = await send({ action: "list_flows" }, failing, { logger });
    expect([status, body["code"]]).toEqual([502, "bad_host_answer"]);
  }
});

const METHODS: Readonly<Record<string, string>> = {
  create_flow: "tryCreateManaged",
  get_flow: "get",
  list_flows: "list",
  find_latest_flow: "findLatest",
  resolve_flow: "resolve",
  get_task_summary: "getTaskSummary",
  set_waiting: "setWaiting",
  resume_flow: "resume",
  finish_flow: "finish",
  fail_flow: "fail",
  request_cancel: "requestCancel",
  cancel_flow: "cancel",
  run_task: "runTask",
};

test("SCOPE-1: each action asks the host once, by its own method, with the fields that were sent", async () => {
  await fc.assert(
    fc.asyncProperty(goodBody, async (body) => {
      const { asked } = await send(body, () => undefined);
      const { action, ...fields } = body;
      const plain: Readonly<Record<string, readonly unknown[]>> = {
        get_flow: [fields["flowId"]],
        get_task_summary: [fields["flowId"]],
        resolve_flow: [fields["token"]],
        list_flows: [],
        find_latest_flow: [],
        cancel_flow: [{ flowId: fields["flowId"], cfg: CFG }],
        create_flow: [
          {
            ...fields,
            controllerId: fields["controllerId"] ?? "webhooks/zapier",
            currentStep: fields["currentStep"] ?? undefined,
          },
        ],
      };
      expect(asked).toEqual([{ method: METHODS[String(action)], args: plain[String(action)] ?? [fields] }]);
    }),
    { numRuns: runs(300) },
  );
});

test("VIEW-4, TOTAL-1: any answer of the host gives an envelope, and a wrong answer a 502 that shows nothing of it", async () => {
  const wild = fc.oneof(
    fc.anything({ withBigInt: true }),
    fc.constantFrom(
      true,
      [],
      [{}],
      "x",
      1,
      { applied: "yes" },
      { created: 1, found: {} },
      new Proxy(
        {},
        {
          getOwnPropertyDescriptor: () => {
            throw new Error("trap");
          },
        },
      ),
    ),
  );
  await fc.assert(
    fc.asyncProperty(goodBody, wild, async (body, answer) => {
      fc.pre(answer !== undefined && answer !== null && !(Array.isArray(answer) && answer.length === 0));
      const { status, body: sent, log } = await send(body, () => answer);
      fc.pre(!(typeof answer === "object" && "found" in answer && answer.found === false));
      expect([status, sent["code"]]).toEqual([502, "bad_host_answer"]);
      expect(sent["result"]).toEqual({});
      expect(log.length).toBe(1);
    }),
    { numRuns: runs(1000) },
  );
});

test("REPLY-3: the host's sentences never reach a caller, and reach the log without session keys", async () => {
  const prose = fc.oneof(
    wildText,
    wildText.map((text) => `${text} agent:main:owner-a ${text}`),
    wildText.map((text) => `${ROUTE_A.sessionKey}${text}`),
  );
  const MARK = "PROSE-MARK";
  await fc.assert(
    fc.asyncProperty(
      flowFields,
      prose,
      fc.constantFrom("cancel_flow", "run_task", "set_waiting"),
      async (flow, words, action) => {
        const [body] = fc.sample(goodBodies[action as "cancel_flow"], 1);
        const said = `${MARK}${words}`;
        const shown = askedFor({ ...body }, flow);
        const answers: Readonly<Record<string, unknown>> = {
          cancel_flow: { found: true, cancelled: false, reason: said, flow: shown },
          run_task: { found: true, created: false, reason: said, flow: shown },
          set_waiting: { applied: false, code: said, current: shown },
        };
        const { status, text, log } = await send({ ...body }, () => answers[action]);
        expect(status).toBe(409);
        expect(text).not.toContain(MARK);
        expect(log.length).toBe(1);
        expect(log[0]).toContain(MARK);
        expect(log[0]).not.toContain("agent:");
        expect(log[0]).toMatch(/^[\x20-\x7e]*$/u);
      },
    ),
    { numRuns: runs(300) },
  );
});

const FLOW: Json = {
  flowId: "f",
  syncMode: "managed",
  revision: 1,
  status: "queued",
  notifyPolicy: "silent",
  goal: "g",
  createdAt: 1,
  updatedAt: 2,
};
const cancel = { action: "cancel_flow", flowId: "f" };
const task = { action: "run_task", flowId: "f", runtime: "acp", task: "t" };
const wait = { action: "set_waiting", flowId: "f", expectedRevision: 1 };

test.each([
  [cancel, { found: false, cancelled: false, reason: "anything" }, 404, "not_found"],
  [cancel, { found: true, cancelled: false, reason: "Flow not found." }, 404, "not_found"],
  [
    cancel,
    { found: true, cancelled: false, reason: "One or more child tasks are still active.", flow: FLOW },
    202,
    "cancel_pending",
  ],
  [cancel, { found: true, cancelled: false, reason: "Flow is already succeeded.", flow: FLOW }, 409, "terminal"],
  [
    cancel,
    {
      found: true,
      cancelled: false,
      reason: "Child task ownership could not be verified; no cancellation was performed.",
    },
    409,
    "cancel_rejected",
  ],
  [
    cancel,
    { found: true, cancelled: false, reason: "One or more child tasks remain provisionally cancelled." },
    409,
    "cancel_rejected",
  ],
  [
    cancel,
    { found: true, cancelled: false, reason: "Flow changed while cancellation was in progress." },
    409,
    "revision_conflict",
  ],
  [cancel, { found: true, cancelled: false, reason: "Flow persistence failed." }, 503, "persist_failed"],
  [cancel, { found: true, cancelled: false, reason: "Flow mutation failed." }, 409, "cancel_rejected"],
  [cancel, { found: true, cancelled: true, flow: FLOW }, 200, undefined],
  [task, { found: false, created: false }, 404, "not_found"],
  [task, { found: true, created: false, reason: "Flow not found." }, 404, "not_found"],
  [task, { found: true, created: false, reason: "Flow does not accept managed child tasks." }, 409, "not_managed"],
  [
    task,
    { found: true, created: false, reason: "Flow cancellation has already been requested." },
    409,
    "cancel_requested",
  ],
  [task, { found: true, created: false, reason: "Flow is already lost.", flow: FLOW }, 409, "terminal"],
  [
    task,
    { found: true, created: false, reason: "Task backing ownership could not be verified." },
    409,
    "task_not_created",
  ],
  [task, { found: true, created: false, reason: "Task persistence failed." }, 503, "persist_failed"],
  [wait, { applied: false, code: "not_found" }, 404, "not_found"],
  [wait, { applied: false, code: "not_managed", current: FLOW }, 409, "not_managed"],
  [wait, { applied: false, code: "revision_conflict", current: FLOW }, 409, "revision_conflict"],
  [wait, { applied: false, code: "persist_failed" }, 503, "persist_failed"],
  [wait, { applied: true, flow: FLOW }, 200, undefined],
  [{ action: "create_flow", goal: "g" }, null, 503, "persist_failed"],
  [{ action: "create_flow", goal: "g" }, undefined, 503, "persist_failed"],
  [{ action: "get_flow", flowId: "f" }, undefined, 200, undefined],
  [{ action: "get_task_summary", flowId: "f" }, undefined, 200, undefined],
] as const)("REPLY-3: %j answered by %j gives %d %s, without a word in the log", async (body, answer, status, code) => {
  const sent = await send(body, () => answer);
  expect([sent.status, sent.body["code"], sent.log]).toEqual([status, code, []]);
});

test("REPLY-3: the refusals have the same fields as the Gateway's", async () => {
  const ended = await send(cancel, () => ({
    found: true,
    cancelled: false,
    reason: "Flow is already lost.",
    flow: { ...FLOW, ownerKey: "o" },
    tasks: [],
  }));
  expect(ended.body).toEqual({
    ok: false,
    routeId: "zapier",
    code: "terminal",
    error: "Flow is already lost.",
    result: { found: true, cancelled: false, reason: "Flow is already lost.", flow: FLOW, tasks: [] },
  });
  const unknown = await send(task, () => ({ found: true, created: false, reason: "Flow is already odd.", flow: FLOW }));
  expect(unknown.body).toMatchObject({ code: "terminal", error: "Flow is already terminal.", result: { flow: FLOW } });
  expect(unknown.log.length).toBe(1);
  const vague = await send(task, () => ({ found: true, created: false, reason: "Flow is already terminal." }));
  expect([vague.body["code"], vague.log]).toEqual(["terminal", []]);
  const conflict = await send(wait, () => ({ applied: false, code: "revision_conflict", current: FLOW }));
  expect(conflict.body["result"]).toEqual({ applied: false, code: "revision_conflict", current: FLOW });
});

test("SCOPE-2: an answer about a flow other than the requested one is refused, at any place in the answer", async () => {
  const asks = fc.constantFrom(...(["get_flow", "cancel_flow", "run_task", "set_waiting", "finish_flow"] as const));
  await fc.assert(
    fc.asyncProperty(asks, flowFields, taskFields, fc.boolean(), async (action, flow, one, isRefused) => {
      const [body] = fc.sample(goodBodies[action], 1);
      const { flowId } = { ...body } as { flowId: string };
      fc.pre(flow["flowId"] !== flowId);
      const refused = { applied: false, code: "revision_conflict", found: true, created: false, cancelled: false };
      const answer =
        isRefused && action !== "get_flow"
          ? { ...refused, reason: "Flow is already lost.", current: flow, flow }
          : goodAnswer(action, flow, one, {}, {});
      const { status, body: sent, log } = await send(body, () => answer);
      expect([status, sent["code"], sent["result"]]).toEqual([502, "bad_host_answer", {}]);
      expect(log.length).toBe(1);
    }),
  );
});

test("VIEW-2: a new task's child session is shown only to the caller that named it", async () => {
  const child = "agent:main:acp:worker";
  const record = {
    taskId: "t",
    runtime: "acp",
    scopeKind: "session",
    task: "t",
    status: "queued",
    deliveryStatus: "pending",
    notifyPolicy: "silent",
    createdAt: 1,
    childSessionKey: child,
  };
  const answer = { created: true, found: true, flow: FLOW, task: record };
  expect((await send({ ...task, childSessionKey: child, runId: "r" }, () => answer)).text).toContain(child);
  expect((await send(task, () => answer)).text).not.toContain(child);
  expect(
    (await send(cancel, () => ({ found: true, cancelled: true, flow: FLOW, tasks: [record] }))).text,
  ).not.toContain(child);
});

const thrown =
  (message: string, code?: string): (() => never) =>
  () => {
    throw Object.assign(new Error(message), code === undefined ? {} : { code });
  };

test("SLOT-4: if the host throws, rejects or throws in its binding, the caller gets a clear answer", async () => {
  const SECRET_ISH = "owner agent:main:owner-a is angry";
  for (const [fail, status] of [
    [thrown("database is locked", "ERR_SQLITE_ERROR"), 503],
    [thrown("odd", "SQLITE_BUSY"), 503],
    [thrown("database is busy"), 503],
    [thrown(SECRET_ISH), 502],
    [(): Promise<never> => Promise.reject(new Error("late")), 502],
    [
      (): never => {
        throw "text";
      },
      502,
    ],
    [
      (): never => {
        throw undefined;
      },
      502,
    ],
  ] as const) {
    for (const body of [cancel, task, wait, { action: "list_flows" }]) {
      const sent = await send(body, fail);
      expect([sent.status, sent.body["result"], sent.log.length]).toEqual([status, {}, 1]);
      expect(sent.text + sent.log.join("")).not.toContain("agent:main");
    }
  }
});

test("SLOT-4: if a session cannot be bound, the caller gets a clear answer", async () => {
  for (const [bind, status] of [
    [thrown("database is locked", "ERR_SQLITE_ERROR"), 503],
    [thrown("no agent:main:owner-a here"), 502],
  ] as const) {
    const sent = await send(cancel, ignore, { bind });
    expect([sent.status, sent.body["result"], sent.log.length, sent.asked]).toEqual([status, {}, 1, []]);
    expect(sent.text + sent.log.join("")).not.toContain("agent:main");
  }
});

test("SCOPE-1: a session is bound once, again when that failed, and each has its own binding", async () => {
  const bound: string[] = [];
  const asked: Readonly<Record<string, Asked[]>> = { a: [], b: [] };
  let isBroken = true;
  const bind = (owner: string): Binding => {
    bound.push(owner);
    if (isBroken) throw new Error("not yet");
    return noting(asked[owner] ?? [], () => []);
  };
  const { execute } = gatewayFlows({ bind, hostConfig: () => CFG });
  const list = (owner: string): unknown => execute(owner, { action: "list_flows" }, ignore);
  expect(() => list("a")).toThrow("not yet");
  isBroken = false;
  for (const owner of ["a", "b", "a", "b", "b"]) list(owner);
  expect(bound).toEqual(["a", "a", "b"]);
  expect([asked["a"]?.length, asked["b"]?.length]).toEqual([2, 3]);
});

test("SCOPE-1: after a call that threw or rejected, the session is bound anew", async () => {
  const fail = (): never => {
    throw new Error("this binding has ended");
  };
  for (const refuse of [fail, () => Promise.reject(new Error("this binding has ended"))]) {
    let bound = 0;
    const bind = (): Binding => {
      bound += 1;
      return noting([], bound === 1 ? refuse : () => []);
    };
    const { execute } = gatewayFlows({ bind, hostConfig: () => CFG });
    const list = async (): Promise<unknown> => execute("a", { action: "list_flows" }, ignore);
    await expect(list()).rejects.toThrow("this binding has ended");
    expect([await list(), await list(), bound]).toEqual([
      ok({ kind: "flows", flows: [] }),
      ok({ kind: "flows", flows: [] }),
      2,
    ]);
  }
});

test("SCOPE-1: only cancel_flow needs the binding that can cancel", async () => {
  const bind = (): Binding => ({ ...noting([], () => []), canceller: thrown("no synchronous binding here") });
  const { execute } = gatewayFlows({ bind, hostConfig: () => CFG });
  expect(execute("a", { action: "list_flows" }, ignore)).toEqual(ok({ kind: "flows", flows: [] }));
  expect(() => execute("a", { action: "cancel_flow", flowId: "x" }, ignore)).toThrow("no synchronous binding here");
});

test("the bindings that are kept are bounded: of more than 1,024 sessions the oldest is bound again", () => {
  const bound: string[] = [];
  const bind = (owner: string): Binding => {
    bound.push(owner);
    return noting([], () => []);
  };
  const { execute } = gatewayFlows({ bind, hostConfig: () => CFG });
  const visit = (n: number): unknown => execute(String(n), { action: "list_flows" }, ignore);
  for (let round = 0; round < 2; round += 1) for (let n = 0; n < 1024; n += 1) visit(n);
  expect(bound).toHaveLength(1024);
  for (const n of [1024, 1, 1023, 0]) visit(n);
  expect(bound.slice(1024)).toEqual(["1024", "0"]);
});

test("AUDIT-1: session keys and texts that look like a secret never reach the log, at any length and in any quotes", () => {
  const key = `hook-${"k".repeat(495)}"q`;
  const said = scrub(
    new Error(`${key} ${JSON.stringify(key)} secret=abcdef "token": "ghijkl" Bearer mnopqr Agent:Main:x`),
    [key],
  );
  expect(said).not.toMatch(/hook|kkk|abcdef|ghijkl|mnopqr|Main/u);
  expect(scrub(new Error("x".repeat(990) + key), [key])).not.toContain("hook");
  const unreadable = Object.defineProperty(new Error("x"), "message", { get: () => expect.fail() });
  expect(scrub(unreadable, [])).toBe("an error that cannot be read");
});

test("SLOT-4: a call that the host does not answer is abandoned at the deadline, and a late answer is ignored", async () => {
  let answerLate: (value: unknown) => void = () => undefined;
  const sent = await sendTooLong(wait, () => new Promise((resolve) => (answerLate = resolve)));
  expect([sent.status, sent.body["code"], sent.log.length]).toEqual([504, "outcome_unknown", 1]);
  answerLate({ applied: true, flow: FLOW });
});

test("AUDIT-1, SLOT-4: the operator is told the route, the action and the failure, with the host's scrubbed message", async () => {
  const list = { action: "list_flows" };
  const about = "route zapier list_flows: ";
  const never = await sendTooLong(list, () => new Promise(ignore));
  expect(never.log).toEqual([`${about}the host did not answer in time: 20000 ms`]);
  const failed = await send(list, thrown("no disk for agent:main:owner-a"));
  expect(failed.log).toEqual([`${about}the host failed: no disk for [hidden]`]);
  const nonsense = await send(list, () => [{ ...FLOW, goal: 7 }]);
  expect(nonsense.log).toEqual([`${about}the host answered nonsense in: goal`]);
  expect((await send(list, () => 7)).log).toEqual([`${about}the host answered nonsense in: the whole answer`]);
  expect((await send(wait, () => ({ applied: 7 }))).log[0]).toContain("nonsense in: applied");
  const odd = await send(cancel, () => ({ found: true, cancelled: false, reason: "No." }));
  expect(odd.log).toEqual(["route zapier cancel_flow: the host said: No."]);
});

test("AUDIT-1: a text with a known shape is hidden completely, and nothing around it", () => {
  expect(scrub("see agent:main:x now", [])).toBe("see [hidden] now");
  expect(scrub("Bearer   abc def", [])).toBe("[hidden] def");
  expect(scrub("the secret = abc, d", [])).toBe("the [hidden] d");
  expect(scrub('"password": "x1" y', [])).toBe('"[hidden] y');
  expect(scrub("owner is k:1 here", ["k:1"])).toBe("owner is [hidden] here");
  expect(scrub('said a\\"b so', ['a"b'])).toBe("said [hidden] so");
});

test("REPLY-3: only the exact sentence means that the flow has ended", async () => {
  for (const reason of [
    "So: Flow is already lost.",
    "Flow is already lost. Really.",
    "flow is already lost.",
    ["Flow is already lost."],
  ]) {
    const sent = await send(cancel, () => ({ found: true, cancelled: false, reason, flow: FLOW }));
    expect([sent.status, sent.body["code"], sent.log.length]).toEqual([409, "cancel_rejected", 1]);
  }
});

test("WAIT-4: each write that goes through the plugin is told, also one at which the host fails, and reads are not", async () => {
  const changes = new FlowChanges();
  let answer: () => unknown = () => ({ applied: false, code: "revision_conflict" });
  const flows = new Proxy({}, { get: () => () => answer() });
  const store = gatewayFlows({
    bind: () => ({ flows, canceller: () => flows }) as unknown as Binding,
    hostConfig: ignore,
    changes,
  });
  const told: unknown[] = [];
  changes.watch("owner", (flowId) => told.push(flowId));
  changes.watch("other", () => expect.fail("another session is told"));
  expect([store.changes, store.changesElsewhere]).toEqual([changes, true]);
  const report = ignore;
  for (const action of ["get_flow", "get_task_summary"] as const)
    await store.execute("owner", { action, flowId: "f" }, report);
  await store.execute("owner", { action: "list_flows" }, report);
  expect(told).toEqual([]);
  for (const action of ["set_waiting", "resume_flow", "finish_flow", "fail_flow", "request_cancel"] as const)
    await store.execute("owner", { action, flowId: "f", expectedRevision: 1 }, report);
  await store.execute("owner", { action: "cancel_flow", flowId: "f" }, report);
  expect(told).toEqual(Array.from({ length: 6 }, () => "f"));
  answer = () => {
    throw new Error("boom");
  };
  expect(() => store.execute("owner", { action: "cancel_flow", flowId: "g" }, report)).toThrow("boom");
  answer = () => Promise.reject(new Error("boom"));
  await expect(store.execute("owner", { action: "cancel_flow", flowId: "h" }, report)).rejects.toThrow("boom");
  expect(told.slice(6)).toEqual(["g", "h"]);
});
