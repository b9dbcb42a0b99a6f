// A flow's child tasks as an embedded store keeps them: what run_task makes, or finds again by its runId
// (gateway-semantics §6, as measured on the Gateway).

import { err, ok, type Result } from "neverthrow";
import type { ActionOf } from "./action.ts";
import { type FlowRecord, type NotifyPolicy, TASK_RUNTIMES, TASK_STATUSES } from "./flow.ts";
import { acceptsTask, type TaskRefused } from "./lifecycle.ts";

type RunTask = ActionOf<"run_task">;

/** A task as a store keeps it, less its owner. Times are milliseconds since the epoch. */
export type TaskRecord = {
  readonly taskId: string;
  readonly runtime: RunTask["runtime"];
  readonly sourceId?: string | undefined;
  readonly parentFlowId: string;
  readonly parentTaskId?: string | undefined;
  readonly agentId: string;
  readonly runId?: string | undefined;
  readonly label?: string | undefined;
  readonly scopeKind: "session";
  readonly task: string;
  readonly status: "queued" | "running";
  readonly deliveryStatus: "pending";
  readonly notifyPolicy: NotifyPolicy;
  readonly progressSummary?: string | undefined;
  readonly createdAt: number;
  readonly startedAt?: number | undefined;
  readonly lastEventAt: number;
};

/** Who runs a task of a session whose key names an agent, and of every other session. */
const AGENT_SESSION = /^agent:([^:]+):/u;
const DEFAULT_AGENT = "main";

/** The agent of a session. */
export const agentOf = (sessionKey: string): string => AGENT_SESSION.exec(sessionKey)?.[1] ?? DEFAULT_AGENT;

//= TASK-1
/** A new record; `createdAt` is never after the times that the caller names. `sessionKey`: the flow's owner. */
const createTask = (taskId: string, asked: RunTask, sessionKey: string, now: number): TaskRecord => {
  const { startedAt, lastEventAt = startedAt ?? now } = asked;
  return {
    taskId,
    runtime: asked.runtime,
    sourceId: asked.sourceId,
    parentFlowId: asked.flowId,
    parentTaskId: asked.parentTaskId,
    agentId: asked.agentId ?? agentOf(sessionKey),
    runId: asked.runId,
    label: asked.label,
    scopeKind: "session",
    task: asked.task,
    status: asked.status ?? "queued",
    deliveryStatus: "pending",
    notifyPolicy: asked.notifyPolicy ?? "done_only",
    progressSummary: asked.progressSummary?.replace(/\s+/gu, " "),
    createdAt: Math.min(now, startedAt ?? now, lastEventAt),
    startedAt,
    lastEventAt: Math.max(lastEventAt, startedAt ?? lastEventAt),
  };
};

const isSameRun = (task: TaskRecord, asked: RunTask): boolean =>
  asked.runId !== undefined &&
  task.runId === asked.runId &&
  task.runtime === asked.runtime &&
  task.parentFlowId === asked.flowId;

/** The record of the same run; for `subagent` also with the same label and task. */
const findRun = (tasks: readonly TaskRecord[], asked: RunTask): TaskRecord | undefined => {
  const runs = tasks.filter((task) => isSameRun(task, asked));
  const exact = runs.find((task) => task.label === asked.label && task.task === asked.task);
  return exact ?? (asked.runtime === "acp" ? runs[0] : undefined);
};

/** What is missing is filled in, what is there stays; `preferMetadata` replaces label and task. */
const mergeTask = (task: TaskRecord, asked: RunTask): TaskRecord => {
  const isPreferred = asked.preferMetadata === true;
  return {
    ...task,
    sourceId: task.sourceId ?? asked.sourceId,
    parentTaskId: task.parentTaskId ?? asked.parentTaskId,
    label: isPreferred ? (asked.label ?? task.label) : (task.label ?? asked.label),
    task: isPreferred ? asked.task : task.task,
    notifyPolicy: task.notifyPolicy === "silent" ? (asked.notifyPolicy ?? "done_only") : task.notifyPolicy,
  };
};

/** What a new task gets from its store. */
export type TaskOrigin = {
  readonly taskId: string;
  readonly sessionKey: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
};

//= TASK-1
/**
 * The task that `asked` makes in `flow`, or the one of the same run, merged. `tasks`: the flow's, oldest first.
 * Errs with the lifecycle's refusals, then `unverified`: an embedded store has no child sessions to name.
 */
export const runTask = (
  flow: FlowRecord,
  asked: RunTask,
  tasks: readonly TaskRecord[],
  { taskId, sessionKey, now }: TaskOrigin,
): Result<TaskRecord, TaskRefused | "unverified"> =>
  acceptsTask(flow).andThen(() => {
    if (asked.childSessionKey !== undefined) return err("unverified" as const);
    const found = findRun(tasks, asked);
    return ok(found === undefined ? createTask(taskId, asked, sessionKey, now) : mergeTask(found, asked));
  });

/** How many of a flow's tasks are in which state (gateway-semantics §4). */
export type TaskSummary = {
  readonly total: number;
  readonly active: number;
  readonly terminal: number;
  readonly failures: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byRuntime: Readonly<Record<string, number>>;
};

const countBy = (names: readonly string[], found: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries(names.map((name) => [name, found.filter((one) => one === name).length]));

/** An embedded store's tasks are all queued or running: nothing but the host's own work ends them. */
export const summarizeTasks = (tasks: readonly TaskRecord[]): TaskSummary => ({
  total: tasks.length,
  active: tasks.length,
  terminal: 0,
  failures: 0,
  byStatus: countBy(
    TASK_STATUSES,
    tasks.map(({ status }) => status),
  ),
  byRuntime: countBy(
    TASK_RUNTIMES,
    tasks.map(({ runtime }) => runtime),
  ),
});
