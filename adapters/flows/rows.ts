// Between records and rows of a database. A row that the store cannot have written throws; that request is refused.

import { Result } from "neverthrow";
import * as z from "zod";
import {
  ACTIVE_STATUSES,
  CHILD_RUNTIMES,
  FLOW_STATUSES,
  type FlowRecord,
  type JsonValue,
  NOTIFY_POLICIES,
  type SavedRecord,
  SYNC_MODES,
  type TaskRecord,
} from "../../core/index.ts";

/** A row of a database, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** What a column is written with. */
export type Value = string | number | null;

export const textIn = (row: Row, name: string): string => {
  const value = row[name];
  if (typeof value !== "string") throw new TypeError(`the store: column ${name} does not hold text`);
  return value;
};

export const numberIn = (row: Row, name: string): number => {
  const value = row[name];
  if (typeof value !== "number") throw new TypeError(`the store: column ${name} does not hold a number`);
  return value;
};

const optional = <T>(row: Row, name: string, read: (row: Row, name: string) => T): T | undefined =>
  row[name] === null ? undefined : read(row, name);

const oneOf = <T extends string>(row: Row, name: string, allowed: readonly T[]): T => {
  const found = allowed.find((one) => one === row[name]);
  if (found === undefined) throw new TypeError(`the store: column ${name} holds an unknown word`);
  return found;
};

/** What the parser says would quote the row. */
const json = (row: Row, name: string): JsonValue => {
  const parsed = Result.fromThrowable((written: string): JsonValue => JSON.parse(written))(textIn(row, name));
  if (parsed.isErr()) throw new TypeError(`the store: column ${name} does not hold JSON`);
  return parsed.value;
};

export const flowOf = (row: Row): FlowRecord => ({
  flowId: textIn(row, "flow_id"),
  syncMode: oneOf(row, "sync_mode", SYNC_MODES),
  controllerId: optional(row, "controller_id", textIn),
  revision: numberIn(row, "revision"),
  status: oneOf(row, "status", FLOW_STATUSES),
  notifyPolicy: oneOf(row, "notify_policy", NOTIFY_POLICIES),
  goal: textIn(row, "goal"),
  currentStep: optional(row, "current_step", textIn),
  blockedTaskId: optional(row, "blocked_task_id", textIn),
  blockedSummary: optional(row, "blocked_summary", textIn),
  stateJson: optional(row, "state_json", json),
  waitJson: optional(row, "wait_json", json),
  cancelRequestedAt: optional(row, "cancel_requested_at", numberIn),
  createdAt: numberIn(row, "created_at"),
  updatedAt: numberIn(row, "updated_at"),
  endedAt: optional(row, "ended_at", numberIn),
});

/** SQL's NULL is an absent value; JSON's null is the text `null`. */
const jsonText = (value: JsonValue | undefined): string | null => (value === undefined ? null : JSON.stringify(value));

/** The columns that stay as they were made, and those that an update may change: names for the values of `lasting` and `changing`. */
export const LASTING = [
  "flow_id",
  "owner",
  "sync_mode",
  "controller_id",
  "notify_policy",
  "goal",
  "created_at",
] as const;
export const CHANGING = [
  "revision",
  "status",
  "current_step",
  "blocked_task_id",
  "blocked_summary",
  "state_json",
  "wait_json",
  "cancel_requested_at",
  "updated_at",
  "ended_at",
] as const;

/** The columns that an update may change. */
export const changing = (flow: FlowRecord): Value[] => [
  flow.revision,
  flow.status,
  flow.currentStep ?? null,
  flow.blockedTaskId ?? null,
  flow.blockedSummary ?? null,
  jsonText(flow.stateJson),
  jsonText(flow.waitJson),
  flow.cancelRequestedAt ?? null,
  flow.updatedAt,
  flow.endedAt ?? null,
];

/** The columns that stay as they were made. */
export const lasting = (owner: string, flow: FlowRecord): Value[] => [
  flow.flowId,
  owner,
  flow.syncMode,
  flow.controllerId ?? null,
  flow.notifyPolicy,
  flow.goal,
  flow.createdAt,
];

const time = z.number();
const optionalText = z.string().optional();

const TASK: z.ZodType<TaskRecord> = z.object({
  taskId: z.string(),
  runtime: z.enum(CHILD_RUNTIMES),
  sourceId: optionalText,
  parentFlowId: z.string(),
  parentTaskId: optionalText,
  agentId: z.string(),
  runId: optionalText,
  label: optionalText,
  scopeKind: z.literal("session"),
  task: z.string(),
  status: z.enum(ACTIVE_STATUSES),
  deliveryStatus: z.literal("pending"),
  notifyPolicy: z.enum(NOTIFY_POLICIES),
  progressSummary: optionalText,
  createdAt: time,
  startedAt: time.optional(),
  lastEventAt: time,
});

/** A task's record is one column, because tasks are looked up only by their flow and their id. */
export const taskOf = (row: Row): TaskRecord => TASK.parse(json(row, "record"));

/** A record of a request. */
export const recordOf = (row: Row): SavedRecord => ({
  fingerprint: textIn(row, "fingerprint"),
  outcome: textIn(row, "outcome"),
  at: numberIn(row, "at"),
});
