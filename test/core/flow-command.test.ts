// Whole commands: what each action loads, what it decides, and which rows it writes.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  ACTIONS,
  createFlow,
  decide,
  decideSweep,
  type FlowAction,
  type FlowRecord,
  type Load,
  MAX_PAGE,
  needsOf,
  needsOfSweep,
  OUTCOME_KINDS,
  parseAction,
  RETENTION_MS,
  runTask,
  type Stored,
  type TaskRecord,
  type Write,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { carryOut, type Rows, sweep } from "../support/small-store.ts";
import { flowFields, goodBodies, goodBody, type Json } from "./arbitraries.ts";

const OWNER = "agent:main:owner";
const NOW = 1_700_000_000_000;
const IDS = { owner: OWNER, fresh: "fresh-id" };

/** An action as `accept` gives it to a store. */
const asAction = (body: Json): FlowAction => {
  const action = parseAction(body)._unsafeUnwrap();
  return action.action === "create_flow" ? { ...action, controllerId: action.controllerId ?? "webhooks/r" } : action;
};
const action: fc.Arbitrary<FlowAction> = goodBody.map(asAction);

/** A stored flow, of any status, mode and revision. */
const flow = fc
  .tuple(flowFields, fc.nat({ max: 5 }))
  .map(([fields, revision]) => ({ ...fields, revision, controllerId: "c" }) as unknown as FlowRecord);

const taskOf = (flowId: string, index: number): TaskRecord =>
  runTask(
    createFlow(flowId, { action: "create_flow", goal: "g", controllerId: "c" }, NOW),
    { action: "run_task", flowId, runtime: "acp", task: "Inspect", runId: index === 0 ? "run-1" : undefined },
    [],
    { taskId: `task-${String(index)}`, sessionKey: OWNER, now: NOW },
  )._unsafeUnwrap();

/** What a store may have found for an action: nothing, or the flow that it names with some tasks. */
const stored = fc.oneof(
  fc.constant<Stored>({ flows: [], tasks: [] }),
  fc.tuple(flow, fc.nat({ max: 3 })).map(([one, count]): Stored => ({
    flows: [one],
    tasks: Array.from({ length: count }, (_, index) => taskOf(one.flowId, index)),
  })),
);

/** The action, about the flow that was found. */
const about = (asked: FlowAction, { flows: [found] }: Stored): FlowAction => {
  if (found === undefined || !("flowId" in asked)) return asked;
  const named = { ...asked, flowId: found.flowId };
  return "expectedRevision" in named ? { ...named, expectedRevision: Math.min(named.expectedRevision, 5) } : named;
};

const WRITES: Readonly<Record<FlowAction["action"], readonly Write["kind"][]>> = {
  create_flow: ["insert_flow"],
  get_flow: [],
  list_flows: [],
  find_latest_flow: [],
  resolve_flow: [],
  get_task_summary: [],
  set_waiting: ["update_flow"],
  resume_flow: ["update_flow"],
  finish_flow: ["update_flow"],
  fail_flow: ["update_flow"],
  request_cancel: ["update_flow"],
  cancel_flow: ["update_flow"],
  run_task: ["put_task"],
};

test("SCOPE-1: every action loads flows of its owner alone, and writes only when it says so", () => {
  fc.assert(
    fc.property(action, fc.string(), stored, (asked, owner, found) => {
      const needs = needsOf(asked, owner);
      expect(needs.load.filter((load) => !("owner" in load) || load.owner !== owner)).toEqual([]);
      expect([needs.writes, needs.freshId]).toEqual([
        WRITES[asked.action].length > 0,
        ["create_flow", "run_task"].includes(asked.action),
      ]);
      const { writes } = decide(about(asked, found), found, IDS, NOW);
      expect(writes.filter(({ kind }) => !WRITES[asked.action].includes(kind))).toEqual([]);
      if (!needs.tasks)
        expect(decide(asked, found, IDS, NOW)).toEqual(decide(asked, { ...found, tasks: [] }, IDS, NOW));
    }),
    { numRuns: runs(500) },
  );
  expect(Object.keys(WRITES)).toEqual(Object.keys(ACTIONS));
});

test("SCOPE-1: what each action loads, and whether with tasks, for writing, with a fresh id", () => {
  const one: Load = { kind: "flow", owner: OWNER, flowId: "f" };
  const newest = (which: "any" | "open"): Load => ({ kind: "newest", owner: OWNER, which });
  const all: Load = { kind: "all", owner: OWNER, filter: {}, before: undefined, limit: undefined };
  const about = { flowId: "f", expectedRevision: 0 };
  const bodies: readonly (readonly [Json, Load[], ...string[]])[] = [
    [{ action: "create_flow", goal: "g" }, [], "writes", "freshId"],
    [{ action: "get_flow", flowId: "f" }, [one]],
    [{ action: "list_flows" }, [all]],
    [{ action: "list_flows", limit: 7 }, [{ ...all, limit: 7 }]],
    [{ action: "list_flows", cursor: "12~x" }, [{ ...all, before: 12, limit: MAX_PAGE }]],
    [
      { action: "list_flows", status: "lost", updatedAfter: 3 },
      [{ ...all, filter: { status: "lost", updatedAfter: 3 } }],
    ],
    [{ action: "find_latest_flow" }, [newest("any")]],
    [{ action: "resolve_flow", token: "f" }, [one]],
    [{ action: "resolve_flow", token: OWNER }, [{ ...one, flowId: OWNER }, newest("open"), newest("any")]],
    [{ action: "get_task_summary", flowId: "f" }, [one], "tasks"],
    [{ action: "cancel_flow", flowId: "f" }, [one], "tasks", "writes"],
    [{ action: "run_task", flowId: "f", runtime: "acp", task: "t" }, [one], "tasks", "writes", "freshId"],
    [{ action: "set_waiting", ...about }, [one], "writes"],
    [{ action: "resume_flow", ...about }, [one], "writes"],
    [{ action: "finish_flow", ...about }, [one], "writes"],
    [{ action: "fail_flow", ...about }, [one], "writes"],
    [{ action: "request_cancel", ...about }, [one], "writes"],
  ];
  for (const [body, load, ...wanted] of bodies) {
    const [tasks, writes, freshId] = ["tasks", "writes", "freshId"].map((name) => wanted.includes(name));
    expect(needsOf(asAction(body), OWNER)).toEqual({ load, tasks, writes, freshId });
  }
  expect(new Set(bodies.map(([body]) => body["action"]))).toEqual(new Set(Object.keys(ACTIONS)));
});

test("FLOW-1, TOTAL-1: whatever was found, a command has an outcome of its own kinds, and a refused one writes nothing", () => {
  fc.assert(
    fc.property(action, stored, (asked, found) => {
      const { outcome, writes } = decide(about(asked, found), found, IDS, NOW);
      const known = outcome._unsafeUnwrap();
      expect(OUTCOME_KINDS[asked.action]).toContain(known.kind);
      const isPending = known.kind === "not_cancelled" && known.refusal === "cancel_pending";
      if ("refusal" in known && !isPending) expect(writes).toEqual([]);
      for (const write of writes) {
        if (write.kind === "insert_flow") expect([write.owner, write.flow.flowId]).toEqual([OWNER, "fresh-id"]);
        if (write.kind === "update_flow") expect(write.flow.flowId).toBe(found.flows[0]?.flowId);
        if (write.kind === "put_task") expect(write.task.parentFlowId).toBe(found.flows[0]?.flowId);
      }
    }),
    { numRuns: runs(1000) },
  );
});

test("FLOW-1, VIEW-4: a record that cannot be shown fails its command, and nothing is written", () => {
  const bad = { ...createFlow("f", { action: "create_flow", goal: "g", controllerId: "c" }, NOW), goal: 1 };
  const found = { flows: [bad as unknown as FlowRecord], tasks: [] };
  for (const body of Object.values(goodBodies)) {
    const [asked] = fc.sample(body, 1);
    const sent = asAction(asked ?? {});
    // a filter may leave the record out
    const one: FlowAction = sent.action === "list_flows" ? { action: sent.action } : sent;
    if (one.action === "create_flow" || one.action === "get_task_summary") continue;
    // its filters and its cursor may leave the record out
    const plain: FlowAction = one.action === "list_flows" ? { action: "list_flows" } : one;
    const named = "expectedRevision" in plain ? { ...plain, expectedRevision: 0 } : plain;
    const { outcome, writes } = decide(named, found, IDS, NOW);
    expect([one.action, outcome._unsafeUnwrapErr(), writes]).toEqual([one.action, "bad_host_answer", []]);
  }
});

const FOUND = createFlow("flow-1", { action: "create_flow", goal: "g", controllerId: "c" }, NOW - 1000);
const rowsOf = (...flows: readonly FlowRecord[]): Rows =>
  new Map(flows.map((one) => [one.flowId, { owner: OWNER, flow: one, tasks: [] }]));
const shown = (rows: Rows, asked: FlowAction): unknown => {
  const { outcome } = carryOut(rows, OWNER, asked, NOW);
  return outcome.kind === "flow" ? outcome.flow?.json["flowId"] : undefined;
};

test("a flow is resolved by its id, and by its owner's key the newest open one, else the newest of all", () => {
  const at = (flowId: string, createdAt: number, status: FlowRecord["status"]): FlowRecord => ({
    ...FOUND,
    flowId,
    createdAt,
    status,
  });
  const rows = rowsOf(at("old", 1, "queued"), at("open", 2, "waiting"), at("ended", 3, "succeeded"));
  const resolve = (token: string): unknown => shown(rows, { action: "resolve_flow", token });
  expect([resolve("old"), resolve("ended"), resolve(OWNER), resolve("no-such"), resolve("agent:main:other")]).toEqual([
    "old",
    "ended",
    "open",
    undefined,
    undefined,
  ]);
  const ended = rowsOf(at("a", 1, "failed"), at("b", 2, "lost"));
  expect(shown(ended, { action: "resolve_flow", token: OWNER })).toBe("b");
  expect(shown(rows, { action: "find_latest_flow" })).toBe("ended");
  expect(needsOf({ action: "resolve_flow", token: OWNER }, OWNER).load.map(({ kind }: Load) => kind)).toEqual([
    "flow",
    "newest",
    "newest",
  ]);
});

test("each outcome says what became of the flow: created, applied, cancelled, a task, a list, a summary, or why not", () => {
  const run = (asked: FlowAction, found: Stored): unknown => {
    const { outcome, writes } = decide(asked, found, IDS, NOW);
    const {
      flow: view,
      task,
      tasks,
      flows,
      current,
      summary,
      ...rest
    } = outcome._unsafeUnwrap() as unknown as Record<string, { json: Json } & { json: Json }[]>;
    return {
      ...rest,
      flow: view?.json?.["revision"] ?? current?.json?.["revision"],
      task: task?.json?.["taskId"],
      tasks: tasks?.map(({ json }) => json["taskId"]),
      flows: flows?.map(({ json }) => json["flowId"]),
      total: summary?.json?.["total"],
      writes: writes.map(({ kind }) => kind),
    };
  };
  const none = { flows: [], tasks: [] };
  const one = { flows: [FOUND], tasks: [] };
  const busy = { flows: [FOUND], tasks: [taskOf("flow-1", 0), { ...taskOf("flow-1", 1), createdAt: NOW - 5 }] };
  const ended = { flows: [{ ...FOUND, status: "failed" as const, endedAt: NOW }], tasks: [] };
  const flowId = "flow-1";
  const task = { action: "run_task", flowId, runtime: "acp", task: "Look" } as const;
  expect(run({ action: "create_flow", goal: "g", controllerId: "c" }, none)).toMatchObject({
    kind: "created",
    flow: 0,
    writes: ["insert_flow"],
  });
  expect(run({ action: "finish_flow", flowId, expectedRevision: 0 }, one)).toMatchObject({
    kind: "applied",
    flow: 1,
    writes: ["update_flow"],
  });
  expect(run({ action: "finish_flow", flowId, expectedRevision: 4 }, one)).toMatchObject({
    kind: "not_applied",
    refusal: "revision_conflict",
    flow: 0,
    writes: [],
  });
  expect(run({ action: "finish_flow", flowId, expectedRevision: 0 }, none)).toEqual({
    kind: "not_applied",
    refusal: "not_found",
    writes: [],
  });
  const mirrored = { flows: [{ ...FOUND, syncMode: "task_mirrored" as const }], tasks: [] };
  expect(run({ action: "finish_flow", flowId, expectedRevision: 0 }, mirrored)).toMatchObject({
    refusal: "not_managed",
  });
  expect(run({ action: "cancel_flow", flowId }, one)).toMatchObject({ kind: "cancelled", flow: 2, tasks: [] });
  expect(run({ action: "cancel_flow", flowId }, busy)).toMatchObject({
    kind: "not_cancelled",
    refusal: "cancel_pending",
    flow: 1,
    tasks: ["task-0", "task-1"],
    writes: ["update_flow"],
  });
  const asked = { ...FOUND, cancelRequestedAt: NOW };
  expect(run({ action: "cancel_flow", flowId }, { ...busy, flows: [asked] })).toMatchObject({ flow: 0, writes: [] });
  expect(run({ action: "cancel_flow", flowId }, ended)).toMatchObject({
    kind: "not_cancelled",
    refusal: "terminal",
    ended: "failed",
    writes: [],
  });
  expect(run({ action: "cancel_flow", flowId }, none)).toEqual({
    kind: "not_cancelled",
    refusal: "not_found",
    writes: [],
  });
  expect(run(task, one)).toMatchObject({ kind: "task_created", flow: 0, task: "fresh-id", writes: ["put_task"] });
  expect(run(task, none)).toEqual({ kind: "task_not_created", refusal: "not_found", writes: [] });
  expect(run(task, ended)).toMatchObject({ refusal: "terminal", ended: "failed", flow: 0 });
  expect(run({ ...task, childSessionKey: "agent:main:child", runId: "r" }, one)).toMatchObject({
    refusal: "unverified",
  });
  expect(run({ action: "list_flows" }, { flows: [FOUND, { ...FOUND, flowId: "b" }], tasks: [] })).toMatchObject({
    kind: "flows",
    flows: ["flow-1", "b"],
  });
  expect(run({ action: "get_task_summary", flowId }, busy)).toMatchObject({ kind: "summary", total: 2 });
  expect(run({ action: "get_task_summary", flowId }, none)).toEqual({
    kind: "summary",
    summary: undefined,
    writes: [],
  });
});

test("FLOW-6: tasks of one millisecond are shown with the later made one first", () => {
  const tasks = [taskOf("flow-1", 0), taskOf("flow-1", 1), taskOf("flow-1", 2)];
  const { outcome } = decide({ action: "cancel_flow", flowId: "flow-1" }, { flows: [FOUND], tasks }, IDS, NOW);
  const known = outcome._unsafeUnwrap();
  expect("tasks" in known ? known.tasks?.map(({ json }) => json["taskId"]) : []).toEqual([
    "task-2",
    "task-1",
    "task-0",
  ]);
});

test("FLOW-6, STORE-3: a sweep ends flows with an intent, removes old ones, and writes nothing else", () => {
  const intent = { ...FOUND, flowId: "intent", cancelRequestedAt: NOW };
  const old = { ...FOUND, flowId: "old", status: "succeeded" as const, endedAt: NOW - RETENTION_MS };
  const young = { ...old, flowId: "young", endedAt: NOW - RETENTION_MS + 1 };
  const foreign = { ...intent, flowId: "mirrored", syncMode: "task_mirrored" as const };
  const writes = decideSweep({ flows: [intent, old, young, foreign], tasks: [] }, NOW);
  expect(writes.map((write) => [write.kind, "flow" in write ? write.flow.status : undefined])).toEqual([
    ["update_flow", "cancelled"],
    ["remove_flow", undefined],
  ]);
  expect([...sweep(rowsOf(intent, old, young, FOUND), NOW).keys()]).toEqual(["intent", "young", "flow-1"]);
  expect(needsOfSweep(NOW, 7)).toEqual({
    load: [{ kind: "due", endedBy: NOW - RETENTION_MS, limit: 7 }],
    tasks: false,
    writes: true,
    freshId: false,
  });
});
