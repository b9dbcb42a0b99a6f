// What a caller may see of a host's record (M-23). Each visible field stands in a table below; whatever else a record
// holds is never read, so it cannot show. Only this module can make a View, and only a View gets into a reply.

import { err, ok, type Result } from "neverthrow";
import { copyHostJson, type JsonValue } from "./json.ts";

export const FLOW_STATUSES = [
  "queued",
  "running",
  "waiting",
  "blocked",
  "succeeded",
  "failed",
  "cancelled",
  "lost",
] as const;
export const TASK_STATUSES = ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"] as const;
export const TASK_RUNTIMES = ["subagent", "acp", "cli", "cron"] as const;
const NOTIFY_POLICIES = ["done_only", "state_changes", "silent"] as const;
const DELIVERY_STATUSES = [
  "pending",
  "delivered",
  "session_queued",
  "failed",
  "dismissed",
  "parent_missing",
  "not_applicable",
] as const;

export type FlowStatus = (typeof FLOW_STATUSES)[number];

/** A scrubbed record: JSON that may be shown to the route's callers. `kind` keeps flows and tasks apart. */
class View<Kind extends "flow" | "task" | "summary"> {
  readonly kind: Kind;
  readonly json: { readonly [field: string]: JsonValue };
  declare protected readonly sealed: true;

  constructor(kind: Kind, json: { readonly [field: string]: JsonValue }) {
    this.kind = kind;
    this.json = json;
  }
}

type AnyView = View<"flow"> | View<"task"> | View<"summary">;

/** Whether `value` is a view that this module made. */
export const isView = (value: unknown, kind: AnyView["kind"]): value is AnyView =>
  value instanceof View && value.kind === kind;

export type FlowView = View<"flow">;
export type TaskView = View<"task">;
export type SummaryView = View<"summary">;

/** Why a host's record cannot be shown: the name of the first field that is not what the host promises. */
export type BadRecord = { readonly field: string };

/** What a field holds when it is not what the host promises. A symbol, for JSON has none. */
const BAD = Symbol("bad");

/** Reads one field: its JSON, `undefined` to leave it out, or BAD. No Result, for a list of flows has thousands of fields. */
type Reader = (value: unknown) => JsonValue | undefined | typeof BAD;
type Fields = readonly (readonly [name: string, read: Reader])[];

const text: Reader = (value) => (typeof value === "string" ? value : BAD);
const id: Reader = (value) => (typeof value === "string" && value !== "" ? value : BAD);
/** As the bundled plugin shows it: an empty text is as good as none. */
const optionalText: Reader = (value) => (typeof value === "string" && value !== "" ? value : undefined);
const SESSION_KEY = /\b(?:agent|hook|cron|subagent):[^\s"'`,;)\]}]+/giu;

//= VIEW-2
/** For a text that the host or an agent wrote about a task: session keys in it are hidden. */
const narrated =
  (reader: Reader): Reader =>
  (value) => {
    const shown = reader(value);
    return typeof shown === "string" ? shown.replace(SESSION_KEY, "[session]") : shown;
  };
const narrative = narrated(optionalText);
const count: Reader = (value) => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : BAD);
const time: Reader = (value) => (Number.isFinite(value) ? Number(value) : BAD);
const optionalTime: Reader = (value) => (value === undefined || value === null ? undefined : time(value));
const optionalJson: Reader = (value) => (value === undefined ? undefined : copyHostJson(value).unwrapOr(BAD));
const oneOf =
  (allowed: readonly string[]): Reader =>
  (value) =>
    allowed.find((one) => one === value) ?? BAD;

//= VIEW-1
const FLOW: Fields = [
  ["flowId", id],
  ["syncMode", oneOf(["managed", "task_mirrored"])],
  ["controllerId", optionalText],
  ["currentStep", optionalText],
  ["blockedTaskId", optionalText],
  ["blockedSummary", optionalText],
  ["revision", count],
  ["status", oneOf(FLOW_STATUSES)],
  ["notifyPolicy", oneOf(NOTIFY_POLICIES)],
  ["goal", text],
  ["stateJson", optionalJson],
  ["waitJson", optionalJson],
  ["cancelRequestedAt", optionalTime],
  ["createdAt", time],
  ["updatedAt", time],
  ["endedAt", optionalTime],
];

//= VIEW-2
/** A flow that mirrors a detached run: the host wrote what it is about. */
const MIRRORED: Fields = FLOW.map(([name, reader]) =>
  name === "goal" || name === "blockedSummary" ? [name, narrated(reader)] : [name, reader],
);

//= VIEW-1, VIEW-2
/** Without `childSessionKey`: a reply names a session only when the request named it. */
const TASK: Fields = [
  ["taskId", id],
  ["runtime", oneOf(TASK_RUNTIMES)],
  ["sourceId", optionalText],
  ["parentFlowId", optionalText],
  ["parentTaskId", optionalText],
  ["agentId", optionalText],
  ["runId", optionalText],
  ["label", optionalText],
  ["error", narrative],
  ["progressSummary", narrative],
  ["terminalSummary", narrative],
  ["terminalOutcome", optionalText],
  ["scopeKind", oneOf(["session", "system"])],
  ["task", text],
  ["status", oneOf(TASK_STATUSES)],
  ["deliveryStatus", oneOf(DELIVERY_STATUSES)],
  ["notifyPolicy", oneOf(NOTIFY_POLICIES)],
  ["createdAt", time],
  ["startedAt", optionalTime],
  ["endedAt", optionalTime],
  ["lastEventAt", optionalTime],
  ["cleanupAfter", optionalTime],
];

//= VIEW-3
/** An own data property; getters and prototypes are not asked, for they could show something else. */
const own = (record: object, name: string | number): unknown => Object.getOwnPropertyDescriptor(record, name)?.value;

const isRecord = (value: unknown): value is object => typeof value === "object" && value !== null;

const read = (record: object, fields: Fields): Result<{ readonly [field: string]: JsonValue }, BadRecord> => {
  const shown: { [field: string]: JsonValue } = {};
  for (const [field, reader] of fields) {
    const value = reader(own(record, field));
    if (value === BAD) return err({ field });
    if (value !== undefined) shown[field] = value;
  }
  return ok(shown);
};

//= TOTAL-1
/** A hostile record may be a proxy whose traps throw: the one place where that is caught. */
const total = <T>(decode: () => Result<T, BadRecord>): Result<T, BadRecord> => {
  try {
    return decode();
  } catch {
    return err(NO_RECORD);
  }
};

const NO_RECORD: BadRecord = { field: "" };

const viewOf = <Kind extends AnyView["kind"]>(
  kind: Kind,
  record: unknown,
  fieldsOf: (record: object) => Fields,
): Result<View<Kind>, BadRecord> =>
  total(() => {
    if (!isRecord(record)) return err(NO_RECORD);
    const shown = read(record, fieldsOf(record));
    return shown.isOk() ? ok(new View(kind, shown.value)) : err(shown.error);
  });

const flowFields = (record: object): Fields => (own(record, "syncMode") === "task_mirrored" ? MIRRORED : FLOW);

//= VIEW-4
/** The view of a host's flow record. Errs when the record is not what the host promises. */
export const viewFlow = (record: unknown): Result<FlowView, BadRecord> => viewOf("flow", record, flowFields);

//= VIEW-2, VIEW-4
/** The view of a host's task record; its child session shows only when it is `childSessionKey`, the one asked for. */
export const viewTask = (record: unknown, childSessionKey?: string): Result<TaskView, BadRecord> => {
  const named: Reader = (value) => (value === childSessionKey ? childSessionKey : undefined);
  return viewOf("task", record, () => [...TASK, ["childSessionKey", named]]);
};

const counts = (names: readonly string[]): Fields => names.map((name) => [name, count]);

/** Reads a nested record of counts. */
const group =
  (names: readonly string[]): Reader =>
  (value) =>
    isRecord(value) ? read(value, counts(names)).unwrapOr(BAD) : BAD;

const SUMMARY: Fields = [
  ...counts(["total", "active", "terminal", "failures"]),
  ["byStatus", group(TASK_STATUSES)],
  ["byRuntime", group(TASK_RUNTIMES)],
];

/** The counts of a host's task summary; its `warning` is host prose and stays behind. */
export const viewSummary = (record: unknown): Result<SummaryView, BadRecord> =>
  viewOf("summary", record, () => SUMMARY);

/** Each record of a host's list in its order; one bad record makes the list bad. */
export const viewAll = <T>(
  records: unknown,
  view: (record: unknown) => Result<T, BadRecord>,
): Result<readonly T[], BadRecord> =>
  total(() => {
    if (!Array.isArray(records)) return err(NO_RECORD);
    const shown: T[] = [];
    for (let index = 0; index < records.length; index += 1) {
      const item = view(own(records, index));
      if (item.isErr()) return err(item.error);
      shown.push(item.value);
    }
    return ok(shown);
  });

/** An own field of a host's answer, unread if it is an accessor; undefined when `answer` is no object. */
export const fieldOf = (answer: unknown, name: string): Result<unknown, BadRecord> =>
  total(() => ok(isRecord(answer) ? own(answer, name) : undefined));
