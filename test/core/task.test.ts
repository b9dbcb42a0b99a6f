// Which task run_task creates, and which one it finds again, as measured on a Gateway (gateway-semantics §6).

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type ActionOf,
  createFlow,
  type FlowRecord,
  isExpired,
  RETENTION_MS,
  runTask,
  summarizeTasks,
  type TaskRecord,
  viewTask,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";

type RunTask = ActionOf<"run_task">;

const FLOW: FlowRecord = createFlow("flow-1", { action: "create_flow", goal: "g", controllerId: "c" }, 1000);
const ORIGIN = { taskId: "new", sessionKey: "agent:ops:main", now: 5000 };
const ask = (changes: Partial<RunTask> = {}): RunTask => ({
  action: "run_task",
  flowId: "flow-1",
  runtime: "acp",
  task: "Inspect",
  ...changes,
});
const made = (asked: RunTask, tasks: readonly TaskRecord[] = [], origin = ORIGIN): TaskRecord =>
  runTask(FLOW, asked, tasks, origin)._unsafeUnwrap();

test("TASK-1: a new task has the requested fields, and defaults for the others", () => {
  expect(made(ask())).toEqual({
    taskId: "new",
    runtime: "acp",
    parentFlowId: "flow-1",
    agentId: "ops",
    scopeKind: "session",
    task: "Inspect",
    status: "queued",
    deliveryStatus: "pending",
    notifyPolicy: "done_only",
    createdAt: 5000,
    lastEventAt: 5000,
  });
  const full = {
    sourceId: "zap",
    parentTaskId: "parent",
    agentId: "research",
    runId: "run",
    label: "label",
    status: "running",
    notifyPolicy: "silent",
    runtime: "subagent",
  } as const;
  expect(made(ask({ ...full, progressSummary: "a \n\t b  c" }))).toMatchObject({ ...full, progressSummary: "a b c" });
  expect(made(ask({ status: "running", progressSummary: null })).progressSummary).toBe(undefined);
});

test.each([
  ["agent:ops:main", "ops"],
  ["agent:a", "main"],
  ["agent::main", "main"],
  ["my agent:ops:main", "main"],
  ["zapier", "main"],
])("TASK-1: a task of session %s is run by agent %s unless it names one", (sessionKey, agentId) => {
  expect(made(ask(), [], { ...ORIGIN, sessionKey }).agentId).toBe(agentId);
});

test("TASK-1: createdAt is the earliest and lastEventAt the latest of the times that are known", () => {
  const time = fc.option(fc.nat({ max: 10_000 }), { nil: undefined });
  fc.assert(
    fc.property(time, time, fc.nat({ max: 10_000 }), (startedAt, lastEventAt, now) => {
      const task = made(ask({ status: "running", startedAt, lastEventAt }), [], { ...ORIGIN, now });
      const named = [startedAt, lastEventAt].filter((one) => one !== undefined);
      expect(task.createdAt).toBe(Math.min(now, ...named));
      expect(task.lastEventAt).toBe(named.length === 0 ? now : Math.max(...named));
      expect(task.startedAt).toBe(startedAt);
      expect(viewTask(task).isOk()).toBe(true);
    }),
    { numRuns: runs(200) },
  );
});

test("TASK-1: the same run finds its task again; for subagent only with the same label and text", () => {
  const first = made(ask({ runId: "run-1", label: "one" }));
  const tasks = [
    { ...first, taskId: "acp-1" },
    { ...first, taskId: "acp-2", label: "two", task: "Draft" },
    { ...first, taskId: "sub-1", runtime: "subagent" as const },
    { ...first, taskId: "elsewhere", parentFlowId: "flow-2", runId: "run-9" },
  ];
  const found = (changes: Partial<RunTask>): string => made(ask(changes), tasks).taskId;
  expect(found({ runId: "run-1", label: "one" })).toBe("acp-1");
  expect(found({ runId: "run-1", label: "two", task: "Draft" })).toBe("acp-2");
  expect(found({ runId: "run-1", label: "three", task: "Other" })).toBe("acp-1");
  expect(found({ runId: "run-1", runtime: "subagent", label: "one" })).toBe("sub-1");
  expect(found({ runId: "run-1", runtime: "subagent", label: "two" })).toBe("new");
  expect(found({ runId: "run-1", runtime: "subagent", label: "one", task: "Other" })).toBe("new");
  expect(found({ runId: "run-2" })).toBe("new");
  expect(found({ runId: "run-9" })).toBe("new");
  expect(found({ label: "one" })).toBe("new");
  expect(made(ask({ label: "one" }), [{ ...first, taskId: "old", runId: undefined }]).taskId).toBe("new");
});

test("TASK-1: missing fields of a found task are filled in, others stay, and preferMetadata replaces label and text", () => {
  const bare = made(ask({ runId: "run-1" }), [], { ...ORIGIN, taskId: "old", now: 1 });
  const filled = made(ask({ runId: "run-1", sourceId: "s", parentTaskId: "p", label: "l", task: "Other" }), [bare]);
  expect(filled).toEqual({ ...bare, sourceId: "s", parentTaskId: "p", label: "l" });
  const other = {
    sourceId: "x",
    parentTaskId: "x",
    label: "x",
    task: "x",
    agentId: "x",
    status: "running",
    startedAt: 7,
  };
  expect(made(ask({ runId: "run-1", ...other, status: "running" }), [filled])).toEqual(filled);
  const replaced = made(ask({ runId: "run-1", label: "x", task: "x", preferMetadata: true }), [filled]);
  expect(replaced).toEqual({ ...filled, label: "x", task: "x" });
  expect(made(ask({ runId: "run-1", preferMetadata: true }), [filled])).toEqual(filled);
  expect(made(ask({ runId: "run-1", label: "x", preferMetadata: false }), [filled]).label).toBe("l");
});

test("TASK-1: a silent task takes the next policy; any other keeps its own", () => {
  const silent = made(ask({ runId: "run-1", notifyPolicy: "silent" }));
  const policy = (task: TaskRecord, notifyPolicy?: RunTask["notifyPolicy"]): string =>
    made(ask({ runId: "run-1", notifyPolicy }), [task]).notifyPolicy;
  expect(policy(silent, "state_changes")).toBe("state_changes");
  expect(policy(silent)).toBe("done_only");
  expect(policy({ ...silent, notifyPolicy: "state_changes" }, "done_only")).toBe("state_changes");
});

test("FLOW-5: a task is refused because of the flow before its child session is checked", () => {
  const refused = (changes: Partial<FlowRecord>, asked = ask({ childSessionKey: "agent:x:y" })): string =>
    runTask({ ...FLOW, ...changes }, asked, [], ORIGIN)._unsafeUnwrapErr();
  expect(refused({ syncMode: "task_mirrored" })).toBe("not_managed");
  expect(refused({ cancelRequestedAt: 1, status: "failed", endedAt: 1 })).toBe("cancel_requested");
  expect(refused({ status: "failed", endedAt: 1 })).toBe("terminal");
  expect(refused({})).toBe("unverified");
});

test("TASK-1: a summary counts all tasks, each as active, by status and runtime", () => {
  const task = made(ask());
  const summary = summarizeTasks([task, { ...task, status: "running" }, { ...task, runtime: "subagent" }]);
  expect(summary).toEqual({
    total: 3,
    active: 3,
    terminal: 0,
    failures: 0,
    byStatus: { queued: 2, running: 1, succeeded: 0, failed: 0, timed_out: 0, cancelled: 0, lost: 0 },
    byRuntime: { subagent: 1, acp: 2, cli: 0, cron: 0 },
  });
});

test("STORE-3: an ended flow without active tasks is kept for seven days after its end, and an open one for ever", () => {
  const ended = { ...FLOW, status: "succeeded", updatedAt: 50, endedAt: 100 } as const;
  const week = 7 * 24 * 60 * 60 * 1000;
  expect(RETENTION_MS).toBe(week);
  expect([isExpired(ended, 0, 100 + week - 1), isExpired(ended, 0, 100 + week)]).toEqual([false, true]);
  expect(isExpired(ended, 1, 100 + week)).toBe(false);
  expect(isExpired({ ...ended, endedAt: undefined }, 0, 50 + week)).toBe(true);
  expect(isExpired({ ...FLOW, updatedAt: 0 }, 0, 10 * week)).toBe(false);
});
