// What a caller may see of a record (M-23). Each visible field stands in a table below (`readFlow` is the table of a flow,
// written out); nothing else of a record is read, so nothing else can show. Only this module can make a View, and only a View gets into a reply.

import { err, ok, type Result } from "neverthrow";
import { DELIVERY_STATUSES, FLOW_STATUSES, NOTIFY_POLICIES, SYNC_MODES, TASK_RUNTIMES, TASK_STATUSES } from "./flow.ts";
import { copyHostJson, type JsonValue, stringifyJson } from "./json.ts";
import { isNamed, type Named, own } from "./own.ts";
import { hideSessions } from "./session-key.ts";

/** What a view shows, by field; a field that is undefined is left out of the reply. */
export type Shown = { readonly [field: string]: JsonValue | undefined };

/** A scrubbed record: JSON that may be shown to the route's callers. `kind` keeps flows and tasks apart. */
class View<Kind extends "flow" | "task" | "summary"> {
  readonly kind: Kind;
  readonly json: Shown;
  #text: string | undefined;
  declare protected readonly sealed: true;

  constructor(kind: Kind, json: Shown) {
    this.kind = kind;
    this.json = json;
  }

  /** As JSON; undefined when that is longer than one text can be. Made once, because a list is measured before it is answered. */
  get text(): string | undefined {
    return (this.#text ??= stringifyJson(this.json));
  }
}

type AnyView = View<"flow"> | View<"task"> | View<"summary">;

/** Whether `value` is a view that this module made. */
export const isView = (value: unknown, kind: AnyView["kind"]): value is AnyView =>
  value instanceof View && value.kind === kind;

export type FlowView = View<"flow">;
export type TaskView = View<"task">;
export type SummaryView = View<"summary">;

/** Why a record cannot be shown: the name of the first field that is not what the Gateway promises. */
export type BadRecord = { readonly field: string };

/** Stands for the value of a field that is not what the Gateway promises; told from others by identity. */
const BAD: JsonValue = Object.freeze({});

/** Reads one field: its JSON, undefined to leave it out, or BAD. */
type Reader = (value: unknown) => JsonValue | undefined;
type Fields = readonly (readonly [name: string, read: Reader])[];

const text: Reader = (value) => (typeof value === "string" ? value : BAD);
const id: Reader = (value) => (typeof value === "string" && value !== "" ? value : BAD);
/** As the bundled plugin shows it: an empty text is left out. */
const optionalText: Reader = (value) => (typeof value === "string" && value !== "" ? value : undefined);

//= VIEW-2
/** Session keys in a text that the Gateway or an agent wrote are hidden. */
const narrated = (value: JsonValue | undefined): JsonValue | undefined =>
  typeof value === "string" ? hideSessions(value, "[session]") : value;

const narrative: Reader = (value) => narrated(optionalText(value));
const count: Reader = (value) => (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : BAD);
const time: Reader = (value) => (typeof value === "number" && Number.isFinite(value) ? value : BAD);
const optionalTime: Reader = (value) => (value === undefined || value === null ? undefined : time(value));
const optionalJson: Reader = (value) => {
  if (value === undefined) return undefined;
  const copy = copyHostJson(value);
  return copy === undefined ? BAD : copy;
};
const oneOf = (allowed: readonly string[]): Reader => {
  const words: ReadonlySet<unknown> = new Set(allowed);
  return (value) => (typeof value === "string" && words.has(value) ? value : BAD);
};
const syncMode = oneOf(SYNC_MODES);
const flowStatus = oneOf(FLOW_STATUSES);
const notifyPolicy = oneOf(NOTIFY_POLICIES);

//= VIEW-1
/** What a caller may see of a flow, in the order of the reply. */
export const FLOW_FIELDS: Fields = [
  ["flowId", id],
  ["syncMode", syncMode],
  ["controllerId", optionalText],
  ["currentStep", optionalText],
  ["blockedTaskId", optionalText],
  ["blockedSummary", optionalText],
  ["revision", count],
  ["status", flowStatus],
  ["notifyPolicy", notifyPolicy],
  ["goal", text],
  ["stateJson", optionalJson],
  ["waitJson", optionalJson],
  ["cancelRequestedAt", optionalTime],
  ["createdAt", time],
  ["updatedAt", time],
  ["endedAt", optionalTime],
];

const UNBOUNDED: ReadonlySet<Reader> = new Set([text, optionalText, optionalJson]);

/** The fields of a flow that callers fill as they like, and so what makes a list long. */
export const FLOW_TEXTS: readonly string[] = FLOW_FIELDS.flatMap(([name, reader]) =>
  UNBOUNDED.has(reader) ? [name] : [],
);

//= VIEW-1, VIEW-2
/** What a caller may see of a task, less `childSessionKey`: a reply names a session only when the request named it. */
export const TASK_FIELDS: Fields = [
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
  ["notifyPolicy", notifyPolicy],
  ["createdAt", time],
  ["startedAt", optionalTime],
  ["endedAt", optionalTime],
  ["lastEventAt", optionalTime],
  ["cleanupAfter", optionalTime],
];

const NO_RECORD: BadRecord = { field: "" };

//= VIEW-5
/** Reads each field of the table once, as an own property. */
const read = (record: Named, fields: Fields): Result<{ readonly [field: string]: JsonValue }, BadRecord> => {
  const shown: { [field: string]: JsonValue } = {};
  for (const [field, reader] of fields) {
    const value = reader(own(record, field));
    if (value === BAD) return err({ field });
    if (value !== undefined) shown[field] = value;
  }
  return ok(shown);
};

//= VIEW-1
/**
 * FLOW_FIELDS written out, because a list has thousands of fields and reading them by constant names costs a third. A test
 * holds it to the table.
 */
const readFlow = (record: Named) => ({
  flowId: id(Object.hasOwn(record, "flowId") ? record["flowId"] : undefined),
  syncMode: syncMode(Object.hasOwn(record, "syncMode") ? record["syncMode"] : undefined),
  controllerId: optionalText(Object.hasOwn(record, "controllerId") ? record["controllerId"] : undefined),
  currentStep: optionalText(Object.hasOwn(record, "currentStep") ? record["currentStep"] : undefined),
  blockedTaskId: optionalText(Object.hasOwn(record, "blockedTaskId") ? record["blockedTaskId"] : undefined),
  blockedSummary: optionalText(Object.hasOwn(record, "blockedSummary") ? record["blockedSummary"] : undefined),
  revision: count(Object.hasOwn(record, "revision") ? record["revision"] : undefined),
  status: flowStatus(Object.hasOwn(record, "status") ? record["status"] : undefined),
  notifyPolicy: notifyPolicy(Object.hasOwn(record, "notifyPolicy") ? record["notifyPolicy"] : undefined),
  goal: text(Object.hasOwn(record, "goal") ? record["goal"] : undefined),
  stateJson: optionalJson(Object.hasOwn(record, "stateJson") ? record["stateJson"] : undefined),
  waitJson: optionalJson(Object.hasOwn(record, "waitJson") ? record["waitJson"] : undefined),
  cancelRequestedAt: optionalTime(Object.hasOwn(record, "cancelRequestedAt") ? record["cancelRequestedAt"] : undefined),
  createdAt: time(Object.hasOwn(record, "createdAt") ? record["createdAt"] : undefined),
  updatedAt: time(Object.hasOwn(record, "updatedAt") ? record["updatedAt"] : undefined),
  endedAt: optionalTime(Object.hasOwn(record, "endedAt") ? record["endedAt"] : undefined),
});

const isBadFlow = (shown: ReturnType<typeof readFlow>): boolean =>
  shown.flowId === BAD ||
  shown.syncMode === BAD ||
  shown.revision === BAD ||
  shown.status === BAD ||
  shown.notifyPolicy === BAD ||
  shown.goal === BAD ||
  shown.stateJson === BAD ||
  shown.waitJson === BAD ||
  shown.cancelRequestedAt === BAD ||
  shown.createdAt === BAD ||
  shown.updatedAt === BAD ||
  shown.endedAt === BAD;

const badField = (shown: Shown): BadRecord => {
  const field = Object.keys(shown).find((name) => shown[name] === BAD);
  return field === undefined ? NO_RECORD : { field };
};

//= VIEW-2
/** The Gateway wrote the texts of a flow that mirrors a detached run, so session keys in them are hidden. */
const narratedFlow = (shown: ReturnType<typeof readFlow>): Shown =>
  shown.syncMode === "task_mirrored"
    ? { ...shown, goal: narrated(shown.goal), blockedSummary: narrated(shown.blockedSummary) }
    : shown;

const flowOf = (record: unknown): Result<FlowView, BadRecord> => {
  if (!isNamed(record)) return err(NO_RECORD);
  const shown = readFlow(record);
  return isBadFlow(shown) ? err(badField(shown)) : ok(new View("flow", narratedFlow(shown)));
};

//= TOTAL-1
/** Reading a record may run code of the host, as an accessor does: the one place in the core where what it throws is caught. */
const total = <T>(decode: () => Result<T, BadRecord>): Result<T, BadRecord> => {
  try {
    return decode();
  } catch {
    return err(NO_RECORD);
  }
};

const viewOf = <Kind extends AnyView["kind"]>(
  kind: Kind,
  record: unknown,
  fields: Fields,
): Result<View<Kind>, BadRecord> =>
  total(() => (isNamed(record) ? read(record, fields).map((shown) => new View(kind, shown)) : err(NO_RECORD)));

//= VIEW-4
/** The view of a flow's record. Errs when the record is not what the Gateway promises. */
export const viewFlow = (record: unknown): Result<FlowView, BadRecord> => total(() => flowOf(record));

//= VIEW-2, VIEW-4
/** The view of a task's record; its child session shows only when it is `childSessionKey`, the one that was asked for. */
export const viewTask = (record: unknown, childSessionKey?: string): Result<TaskView, BadRecord> => {
  if (childSessionKey === undefined) return viewOf("task", record, TASK_FIELDS);
  const named: Reader = (value) => (value === childSessionKey ? childSessionKey : undefined);
  return viewOf("task", record, [...TASK_FIELDS, ["childSessionKey", named]]);
};

const counts = (names: readonly string[]): Fields => names.map((name) => [name, count]);

/** Reads a nested record of counts. */
const group = (names: readonly string[]): Reader => {
  const fields = counts(names);
  return (value) => {
    const shown = isNamed(value) ? read(value, fields) : err(NO_RECORD);
    return shown.unwrapOr(BAD);
  };
};

const SUMMARY_FIELDS: Fields = [
  ...counts(["total", "active", "terminal", "failures"]),
  ["byStatus", group(TASK_STATUSES)],
  ["byRuntime", group(TASK_RUNTIMES)],
];

/** The counts of a task summary; its `warning` is the Gateway's prose and stays behind. */
export const viewSummary = (record: unknown): Result<SummaryView, BadRecord> =>
  viewOf("summary", record, SUMMARY_FIELDS);

const viewEach = <T>(
  records: unknown,
  view: (record: unknown) => Result<T, BadRecord>,
  isEnough?: (item: T) => boolean,
): Result<readonly T[], BadRecord> => {
  if (!Array.isArray(records)) return err(NO_RECORD);
  const views: T[] = [];
  for (let index = 0; index < records.length; index += 1) {
    const item = view(records[index]);
    if (item.isErr()) return err(item.error);
    if (isEnough?.(item.value) === true) break;
    views.push(item.value);
  }
  return ok(views);
};

/** Each flow of a list in its order; one bad record makes the list bad. */
export const viewFlows = (records: unknown): Result<readonly FlowView[], BadRecord> =>
  total(() => viewEach(records, flowOf));

/**
 * The same, as far as `isEnough` lets the list grow: undefined as soon as it says so of a flow. For lists that nobody wants whole.
 */
export const viewFlowsUntil = (
  records: unknown,
  isEnough: (flow: FlowView) => boolean,
): Result<readonly FlowView[] | undefined, BadRecord> => {
  let isOver = false;
  const views = total(() => viewEach(records, flowOf, (flow) => (isOver = isEnough(flow))));
  return isOver ? ok(undefined) : views;
};

/** Each task of a list in its order, without child sessions. */
export const viewTasks = (records: unknown): Result<readonly TaskView[], BadRecord> =>
  total(() => viewEach(records, (record) => viewTask(record)));
