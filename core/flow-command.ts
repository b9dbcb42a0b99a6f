// What an action does to the flows of an embedded store, whole: what must be loaded for it, and from that the outcome and
// the rows to write. A store only loads, asks `decide` and saves, in one transaction.

import { err, ok, type Result } from "neverthrow";
import type { ActionOf, CreateFlow, FlowAction } from "./action.ts";
import type { CallbackEvent } from "./event.ts";
import { readCursor } from "./cursor.ts";
import { type FlowRecord, isEnded } from "./flow.ts";
import { createFlow, isExpired, RETENTION_MS, type RevisionChecked, transition } from "./lifecycle.ts";
import { isPaged, type ListFilter, listRead, listRecords, pageSize } from "./list-page.ts";
import type { Outcome, OutcomeOf, StoreFailure } from "./outcome.ts";
import { runTask, summarizeTasks, type TaskRecord } from "./task.ts";
import { type BadRecord, viewFlow, viewSummary, viewTask, viewTasks } from "./view.ts";

/**
 * All of an owner's flows, the one that was made last first, whatever their times say. A store may give only those that are asked
 * for, and then says so with `Stored.page`: those that `filter` lets through, that stand before the place `before`, where each flow of
 * an owner has its own, a greater one than all that were there when it was made, and at most `limit`, or all when it is undefined.
 */
export type ListLoad = {
  readonly kind: "all";
  readonly owner: string;
  readonly filter: ListFilter;
  readonly before: number | undefined;
  readonly limit: number | undefined;
};

/** One lookup of flows. Flows of other owners are never found. */
export type Load =
  | { readonly kind: "flow"; readonly owner: string; readonly flowId: string }
  | ListLoad
  /** The first of `all`, or the first of them that has not ended. */
  | { readonly kind: "newest"; readonly owner: string; readonly which: "any" | "open" }
  /** The flow that a route's key was bound to last. */
  | ({ readonly kind: "bound" } & KeyName)
  /** Flows without tasks that are open with a cancel intent, or ended at or before `endedBy`; at most `limit`. */
  | { readonly kind: "due"; readonly endedBy: number; readonly limit: number };

/** What a command needs from its store. */
export type Needs = {
  /** Asked in this order until one finds a flow. */
  readonly load: readonly Load[];
  /** Whether the tasks of the flow that was found are wanted, in the order in which they were made. */
  readonly tasks: boolean;
  /** Whether it may write: then no other writer comes between its first load and its last write. */
  readonly writes: boolean;
  /** Whether it may make a flow or a task, which takes a fresh id. */
  readonly freshId: boolean;
  /** The record of an earlier request that is wanted, if there is one. */
  readonly saved: KeyName | undefined;
  /** How many flows the owner has that have not ended, counted up to `most`, if that is wanted. */
  readonly open?: { readonly owner: string; readonly most: number } | undefined;
};

/** What a record or a bound key is found by: the same key of another route, or of another owner of the route, is another one. */
export type KeyName = { readonly routeId: string; readonly owner: string; readonly key: string };

/** What is kept of a request that was carried out. `outcome`: JSON; `at`: milliseconds since the epoch. */
export type SavedRecord = {
  readonly fingerprint: string;
  readonly outcome: string;
  readonly at: number;
};

/** What the store found. */
export type Stored = {
  readonly flows: readonly FlowRecord[];
  readonly tasks: readonly TaskRecord[];
  readonly saved?: SavedRecord | undefined;
  /** Whose each of the flows is, where they are several owners': of those that are due. */
  readonly owners?: readonly string[] | undefined;
  /**
   * Of a store that gives only the flows of a list that are asked for: whether more are there than `limit`, or than fit into one
   * answer, and the places of `flows`. Of a whole list with more there need not be any flow.
   */
  readonly page?: { readonly more: boolean; readonly places: readonly number[] } | undefined;
  /** Flows of the owner that have not ended, counted as far as was wanted. */
  readonly open?: number | undefined;
};

/** One row to write. */
export type Write =
  | { readonly kind: "insert_flow"; readonly owner: string; readonly flow: FlowRecord }
  | { readonly kind: "update_flow"; readonly flow: FlowRecord }
  /** With its tasks. */
  | { readonly kind: "remove_flow"; readonly flowId: string }
  /** A new task, or another record of one that is there. */
  | { readonly kind: "put_task"; readonly task: TaskRecord }
  /** A record of a request, in place of one that is there. */
  | ({ readonly kind: "put_record"; readonly saved: SavedRecord } & KeyName)
  /** Binds a route's key to a flow, in place of an earlier one; ends with the flow's row. */
  | ({ readonly kind: "bind_key"; readonly flowId: string } & KeyName)
  /** An event to send, unless it is there already. Only for an engine that has an outbox. */
  | { readonly kind: "put_event"; readonly event: CallbackEvent };

/** The answer, and all that must be written before it is given. A failure writes nothing. */
export type Decision = { readonly outcome: Result<Outcome, StoreFailure>; readonly writes: readonly Write[] };

/**
 * `owner`: the session that the command acts for. `fresh`: an id that no flow and no task has, where one is needed. `quota`: flows of
 * the session, or tasks of the flow, that may not have ended, above which the command opens none.
 */
export type CommandIds = { readonly owner: string; readonly fresh: string; readonly quota?: number | undefined };

const needs = (load: readonly Load[], more: Partial<Omit<Needs, "load">> = {}): Needs => ({
  load,
  tasks: false,
  writes: false,
  freshId: false,
  saved: undefined,
  ...more,
});

//= LIST-1, LIST-3
const listLoad = (action: ActionOf<"list_flows">, owner: string): ListLoad => {
  const { status, controllerId, updatedAfter, cursor } = action;
  return {
    kind: "all",
    owner,
    filter: { status, controllerId, updatedAfter },
    before: cursor === undefined ? undefined : readCursor(cursor)?.at,
    limit: isPaged(action) ? pageSize(action) : undefined,
  };
};

//= SCOPE-1
/** What must be loaded before `decide` can be asked. */
export const needsOf = (action: FlowAction, owner: string): Needs => {
  const byId = (flowId: string): Load => ({ kind: "flow", owner, flowId });
  const newest = (which: "any" | "open"): Load => ({ kind: "newest", owner, which });
  switch (action.action) {
    case "create_flow":
      return needs([], { writes: true, freshId: true });
    case "get_flow":
      return needs([byId(action.flowId)]);
    case "list_flows":
      return needs([listLoad(action, owner)]);
    case "find_latest_flow":
      return needs([newest("any")]);
    case "resolve_flow":
      return needs([byId(action.token), ...(action.token === owner ? [newest("open"), newest("any")] : [])]);
    case "get_task_summary":
      return needs([byId(action.flowId)], { tasks: true });
    case "cancel_flow":
      return needs([byId(action.flowId)], { tasks: true, writes: true });
    case "run_task":
      return needs([byId(action.flowId)], { tasks: true, writes: true, freshId: true });
    case "set_waiting":
    case "resume_flow":
    case "finish_flow":
    case "fail_flow":
    case "request_cancel":
      return needs([byId(action.flowId)], { writes: true });
  }
};

const NOTHING: readonly Write[] = [];

/** The outcome with the rows that belong to it; a record that cannot be shown writes nothing. */
const decision = (outcome: Result<Outcome, BadRecord>, writes: readonly Write[] = NOTHING): Decision =>
  outcome.isOk() ? { outcome: ok(outcome.value), writes } : { outcome: err("bad_host_answer"), writes: NOTHING };

type OverQuota = Omit<OutcomeOf<"over_quota">, "kind" | "most">;

//= QUOTA-1
/** What stands in the way of one more of what is counted; undefined: nothing. A store that has not counted lets nothing pass. */
const refusalAt = (quota: number | undefined, count: number | undefined, over: OverQuota): Decision | undefined => {
  if (quota === undefined) return undefined;
  if (count === undefined) return { outcome: err("bad_host_answer"), writes: NOTHING };
  return count >= quota ? decision(ok({ kind: "over_quota", most: quota, ...over })) : undefined;
};

const create = (
  action: CreateFlow,
  open: number | undefined,
  { owner, fresh, quota }: CommandIds,
  now: number,
): Decision => {
  const refused = refusalAt(quota, open, { of: "flows" });
  if (refused !== undefined) return refused;
  const flow = createFlow(fresh, action, now);
  const outcome = viewFlow(flow).map((view): Outcome => ({ kind: "created", flow: view }));
  return decision(outcome, [{ kind: "insert_flow", owner, flow }]);
};

const read = (flow: FlowRecord | undefined): Decision =>
  decision(
    flow === undefined
      ? ok({ kind: "flow", flow: null })
      : viewFlow(flow).map((view): Outcome => ({ kind: "flow", flow: view })),
  );

const TOO_LARGE: Decision = { outcome: err("list_too_large"), writes: NOTHING };

//= LIST-1, LIST-4
const list = (action: ActionOf<"list_flows">, { flows: found, page }: Stored): Decision => {
  const listed =
    page === undefined
      ? listRecords(found, action)
      : listRead({ records: found, places: page.places, hasMore: page.more }, action);
  if (listed.isErr()) return decision(err(listed.error));
  return listed.value === undefined ? TOO_LARGE : decision(ok(listed.value));
};

const summary = (flow: FlowRecord | undefined, tasks: readonly TaskRecord[]): Decision =>
  decision(
    flow === undefined
      ? ok({ kind: "summary", summary: null })
      : viewSummary(summarizeTasks(tasks)).map((view): Outcome => ({ kind: "summary", summary: view })),
  );

//= STORE-1
const change = (
  flow: FlowRecord | undefined,
  action: RevisionChecked,
  open: number | undefined,
  { quota }: CommandIds,
  now: number,
): Decision => {
  if (flow === undefined) return decision(ok({ kind: "not_applied", refusal: "not_found" }));
  const done = transition(flow, action, 0, now);
  if (done.isErr()) {
    const refusal = done.error === "not_managed" ? "not_managed" : "revision_conflict";
    return decision(viewFlow(flow).map((current): Outcome => ({ kind: "not_applied", refusal, current })));
  }
  const after = done.value.flow;
  const isReopened = isEnded(flow) && !isEnded(after);
  const refused = isReopened ? refusalAt(quota, open, { of: "flows", reopens: true }) : undefined;
  if (refused !== undefined) return refused;
  const outcome = viewFlow(after).map((view): Outcome => ({ kind: "applied", flow: view }));
  return decision(outcome, [{ kind: "update_flow", flow: after }]);
};

/** Newest first; of equal times the one that was made later. */
const newestFirst = (tasks: readonly TaskRecord[]): readonly TaskRecord[] =>
  tasks.toReversed().toSorted((a, b) => b.createdAt - a.createdAt);

const cancel = (
  flow: FlowRecord | undefined,
  action: ActionOf<"cancel_flow">,
  tasks: readonly TaskRecord[],
  now: number,
): Decision => {
  if (flow === undefined) return decision(ok({ kind: "not_cancelled", refusal: "not_found" }));
  const done = transition(flow, action, tasks.length, now);
  const after = done.isOk() ? done.value.flow : flow;
  const outcome = viewTasks(newestFirst(tasks)).andThen((views) =>
    viewFlow(after).map((view): OutcomeOf<"cancelled" | "not_cancelled"> => {
      const shown = { flow: view, tasks: views };
      if (done.isErr()) return { kind: "not_cancelled", refusal: "terminal", ended: flow.status, ...shown };
      if (done.value.pending) return { kind: "not_cancelled", refusal: "cancel_pending", ...shown };
      return { kind: "cancelled", ...shown };
    }),
  );
  return decision(outcome, after === flow ? NOTHING : [{ kind: "update_flow", flow: after }]);
};

const addTask = (
  flow: FlowRecord | undefined,
  action: ActionOf<"run_task">,
  tasks: readonly TaskRecord[],
  { owner, fresh, quota }: CommandIds,
  now: number,
): Decision => {
  if (flow === undefined) return decision(ok({ kind: "task_not_created", refusal: "not_found" }));
  const made = runTask(flow, action, tasks, { taskId: fresh, sessionKey: owner, now });
  if (made.isErr()) {
    const why = { kind: "task_not_created", refusal: made.error, ended: flow.status } as const;
    return decision(viewFlow(flow).map((view): Outcome => ({ ...why, flow: view })));
  }
  const isNew = made.value.taskId === fresh;
  const refused = isNew ? refusalAt(quota, tasks.length, { of: "tasks" }) : undefined;
  if (refused !== undefined) return refused;
  const outcome = viewTask(made.value).andThen((task) =>
    viewFlow(flow).map((view): Outcome => ({ kind: "task_created", flow: view, task })),
  );
  return decision(outcome, [{ kind: "put_task", task: made.value }]);
};

//= FLOW-1
/** What `action` does, given what `needsOf` asked for. `now`: milliseconds since the epoch. */
export const decide = (action: FlowAction, stored: Stored, ids: CommandIds, now: number): Decision => {
  const [flow] = stored.flows;
  switch (action.action) {
    case "create_flow":
      return create(action, stored.open, ids, now);
    case "get_flow":
    case "find_latest_flow":
    case "resolve_flow":
      return read(flow);
    case "list_flows":
      return list(action, stored);
    case "get_task_summary":
      return summary(flow, stored.tasks);
    case "cancel_flow":
      return cancel(flow, action, stored.tasks, now);
    case "run_task":
      return addTask(flow, action, stored.tasks, ids, now);
    case "set_waiting":
    case "resume_flow":
    case "finish_flow":
    case "fail_flow":
    case "request_cancel":
      return change(flow, action, stored.open, ids, now);
  }
};

/** What a sweep needs: at most `limit` flows that it may end or remove. `now`: milliseconds since the epoch. */
export const needsOfSweep = (now: number, limit: number): Needs =>
  needs([{ kind: "due", endedBy: now - RETENTION_MS, limit }], { writes: true });

const swept = (flow: FlowRecord, now: number): readonly Write[] => {
  if (isExpired(flow, 0, now)) return [{ kind: "remove_flow", flowId: flow.flowId }];
  const after = transition(flow, { action: "sweep" }, 0, now).unwrapOr({ flow }).flow;
  return after === flow ? NOTHING : [{ kind: "update_flow", flow: after }];
};

//= FLOW-6, STORE-3
/** What a sweep writes: flows with a cancel intent end, and flows that ended 7 days ago are removed. */
export const decideSweep = ({ flows }: Stored, now: number): readonly Write[] =>
  flows.flatMap((flow) => swept(flow, now));
