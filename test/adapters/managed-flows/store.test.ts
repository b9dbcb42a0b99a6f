// The port to the Gateway's flow API, against hosts that answer well, answer nonsense, throw, or do not answer.

import fc from "fast-check";
import { expect, test } from "vitest";
import { exchange } from "../../../adapters/bridge/exchange.ts";
import type { Binding } from "../../../adapters/managed-flows/api.ts";
import { createFlowHost } from "../../../adapters/bridge/execute.ts";
import { scrub } from "../../../adapters/bridge/scrub.ts";
import { gatewayFlows } from "../../../adapters/managed-flows/store.ts";
import { MemoryLimits } from "../../../adapters/limits/memory.ts";
import { nodePrimitives } from "../../../adapters/node/primitives.ts";
import { ok, type Result } from "neverthrow";
import type { Answer, BodyFault } from "../../../core/index.ts";
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

/** Sends `body` through the whole bridge to a host whose every method answers with `reply`. */
const send = async (
  body: unknown,
  reply: (asked: Asked) => unknown,
  options: { readonly deadlineMs?: number; readonly warn?: (line: string) => void } = {},
): Promise<Sent> => {
  const asked: Asked[] = [];
  const log: string[] = [];
  const bind = (sessionKey: string): Binding => {
    expect(sessionKey, "SCOPE-1").toBe(ROUTE_A.sessionKey);
    const binding = new Proxy(
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
    return { flows: binding as Binding["flows"], canceller: () => binding as ReturnType<Binding["canceller"]> };
  };
  const store = gatewayFlows({ bind, hostConfig: () => CFG });
  const host = createFlowHost({ store, warn: (line) => log.push(line), ...options });
  const bridge = {
    limits: new MemoryLimits(),
    host,
    primitives: nodePrimitives,
    now: () => 0,
    onDefect: (error: unknown) => expect.fail(String(error)),
  };
  const answers: Answer[] = [];
  const read = (): Promise<Result<Uint8Array, BodyFault>> => Promise.resolve(ok(bytes(JSON.stringify(body))));
  await exchange(bridge, ROUTES, head(), read, (one) => void answers.push(one));
  const [answer] = answers;
  if (answer === undefined) return expect.fail("no answer");
  return {
    status: answer.reply.status,
    text: answer.reply.body,
    body: JSON.parse(answer.reply.body) as Json,
    asked,
    log,
  };
};

/** The record of the flow that `body` asks about. */
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

test("SLOT-4: a host that answers at once, by a promise or by a thenable of its own is answered for alike", async () => {
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

test("REPLY-4: a host that fails while its log does is answered for all the same", async () => {
  const fail = (): never => {
    throw new Error("disk full");
  };
  for (const failing of [fail, () => Promise.reject(new Error("no"))]) {
    const { status, body } = await send({ action: "list_flows" }, failing, { warn: fail });
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

test("VIEW-4, TOTAL-1: whatever a host answers, the caller gets an envelope, and nonsense is a 502 that shows nothing of it", async () => {
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

test("REPLY-3: the host's prose never reaches a caller, and reaches the log without session keys", async () => {
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

test("REPLY-3: the refusals carry what the Gateway's carry", async () => {
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

test("SCOPE-2: an answer about another flow than the one asked for is refused, wherever it stands in the answer", async () => {
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

test("VIEW-2: a new task's child session is said back to the caller that named it, and only then", async () => {
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

test("SLOT-4: a host that throws, rejects or throws from its binding costs the caller a clear answer", async () => {
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

test("AUDIT-1: session keys and what looks like a secret never reach the log, however long and however quoted", () => {
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

test("SLOT-4: a host that never answers is given up after the deadline, and its late answer is ignored", async () => {
  let answerLate: (value: unknown) => void = () => undefined;
  const sent = await send(
    wait,
    () =>
      new Promise((resolve) => {
        answerLate = resolve;
      }),
    { deadlineMs: 20 },
  );
  expect([sent.status, sent.body["code"], sent.log.length]).toEqual([504, "outcome_unknown", 1]);
  answerLate({ applied: true, flow: FLOW });
});

test("AUDIT-1, SLOT-4: the operator is told which route and action met what, with what the host said, scrubbed", async () => {
  const list = { action: "list_flows" };
  const about = "route zapier list_flows: ";
  const never = await send(list, () => new Promise(() => undefined), { deadlineMs: 20 });
  expect(never.log).toEqual([`${about}the host did not answer in time: 20 ms`]);
  const failed = await send(list, thrown("no disk for agent:main:owner-a"));
  expect(failed.log).toEqual([`${about}the host failed: no disk for [hidden]`]);
  const nonsense = await send(list, () => [{ ...FLOW, goal: 7 }]);
  expect(nonsense.log).toEqual([`${about}the host answered nonsense in: goal`]);
  expect((await send(list, () => 7)).log).toEqual([`${about}the host answered nonsense in: the whole answer`]);
  expect((await send(wait, () => ({ applied: 7 }))).log[0]).toContain("nonsense in: applied");
  const odd = await send(cancel, () => ({ found: true, cancelled: false, reason: "No." }));
  expect(odd.log).toEqual(["route zapier cancel_flow: the host said: No."]);
});

test("AUDIT-1: what tells by its shape is hidden whole, and nothing around it", () => {
  expect(scrub("see agent:main:x now", [])).toBe("see [hidden] now");
  expect(scrub("Bearer   abc def", [])).toBe("[hidden] def");
  expect(scrub("the secret = abc, d", [])).toBe("the [hidden] d");
  expect(scrub('"password": "x1" y', [])).toBe('"[hidden] y');
  expect(scrub("owner is k:1 here", ["k:1"])).toBe("owner is [hidden] here");
  expect(scrub('said a\\"b so', ['a"b'])).toBe("said [hidden] so");
});

test("REPLY-3: only the whole sentence counts as the host's word for an end", async () => {
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
