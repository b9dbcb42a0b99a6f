// What a store did with an action: views and codes only. The Gateway's prose has no place in an Outcome.

import type { ActionName } from "./action.ts";
import type { FlowStatus } from "./flow.ts";
import type { FlowView, SummaryView, TaskView } from "./view.ts";

/** `reason`: what `result` says; `error`: what the envelope says. Constants, worded as the bundled plugin's. */
type Refusal = { readonly status: number; readonly code: string; readonly reason: string; readonly error: string };

const refusal = (status: number, code: string, reason: string, error: string = reason): Refusal => ({
  status,
  code,
  reason,
  error,
});

/** Each name in the order of the table, so that the packed types are the same with each build. */
const rows = <Table extends Readonly<Record<string, Refusal>>>(
  table: Table,
): { readonly [Name in keyof Table]: Refusal } => table;

/** Why one of the five revision-checked actions was not applied (gateway-semantics §3). */
export const MUTATION_REFUSALS = rows({
  not_found: refusal(404, "not_found", "TaskFlow not found."),
  not_managed: refusal(409, "not_managed", "TaskFlow is not managed by this webhook surface."),
  revision_conflict: refusal(409, "revision_conflict", "TaskFlow changed since the caller's expected revision."),
  persist_failed: refusal(503, "persist_failed", "TaskFlow persistence failed."),
  mutation_rejected: refusal(409, "mutation_rejected", "TaskFlow mutation was rejected."),
});

/** Why create_flow made no flow. */
export const CREATE_REFUSALS = rows({
  persist_failed: refusal(503, "persist_failed", "TaskFlow persistence failed."),
  create_rejected: refusal(409, "create_rejected", "TaskFlow creation was rejected."),
});

const UNVERIFIED_CHILD = "Child task ownership could not be verified; no cancellation was performed.";

/** Why cancel_flow did not cancel (gateway-semantics §6). `cancel_pending` is a 202: the intent is stored. */
export const CANCEL_REFUSALS = rows({
  not_found: refusal(404, "not_found", "Flow not found.", "TaskFlow not found."),
  cancel_pending: refusal(202, "cancel_pending", "One or more child tasks are still active."),
  terminal: refusal(409, "terminal", "Flow is already terminal."),
  unverified: refusal(409, "cancel_rejected", UNVERIFIED_CHILD),
  provisional: refusal(409, "cancel_rejected", "One or more child tasks remain provisionally cancelled."),
  revision_conflict: refusal(409, "revision_conflict", "Flow changed while cancellation was in progress."),
  persist_failed: refusal(503, "persist_failed", "Flow persistence failed."),
  cancel_rejected: refusal(409, "cancel_rejected", "TaskFlow cancellation was rejected."),
});

/** Why run_task made no task (gateway-semantics §6). */
export const TASK_REFUSALS = rows({
  not_found: refusal(404, "not_found", "Flow not found.", "TaskFlow not found."),
  not_managed: refusal(409, "not_managed", "Flow does not accept managed child tasks."),
  cancel_requested: refusal(409, "cancel_requested", "Flow cancellation has already been requested."),
  terminal: refusal(409, "terminal", "Flow is already terminal."),
  unverified: refusal(409, "task_not_created", "Task backing ownership could not be verified."),
  persist_failed: refusal(503, "persist_failed", "Task persistence failed."),
  task_not_created: refusal(409, "task_not_created", "TaskFlow task was not created."),
});

export type MutationRefusal = keyof typeof MUTATION_REFUSALS;
export type CancelRefusal = keyof typeof CANCEL_REFUSALS;
export type TaskRefusal = keyof typeof TASK_REFUSALS;

//= REPLY-3
/** `ended` is the status that a `terminal` refusal names. */
type Done =
  | { readonly kind: "flow"; readonly flow: FlowView | null }
  /** `next`: where the next page begins, null after the last one; undefined when the whole list was asked for. */
  | { readonly kind: "flows"; readonly flows: readonly FlowView[]; readonly next?: string | null }
  | { readonly kind: "summary"; readonly summary: SummaryView | null }
  | { readonly kind: "created"; readonly flow: FlowView }
  | { readonly kind: "not_created"; readonly refusal: keyof typeof CREATE_REFUSALS }
  | { readonly kind: "applied"; readonly flow: FlowView }
  | { readonly kind: "not_applied"; readonly refusal: MutationRefusal; readonly current?: FlowView }
  | { readonly kind: "cancelled"; readonly flow?: FlowView; readonly tasks?: readonly TaskView[] }
  | {
      readonly kind: "not_cancelled";
      readonly refusal: CancelRefusal;
      readonly ended?: FlowStatus;
      readonly flow?: FlowView;
      readonly tasks?: readonly TaskView[];
    }
  | { readonly kind: "task_created"; readonly flow: FlowView; readonly task: TaskView }
  | {
      readonly kind: "task_not_created";
      readonly refusal: TaskRefusal;
      readonly ended?: FlowStatus;
      readonly flow?: FlowView;
    }
  /** The session or the flow holds `most` already; nothing was done. `reopens`: a flow that has ended would have been open again. */
  | { readonly kind: "over_quota"; readonly of: "flows" | "tasks"; readonly most: number; readonly reopens?: true }
  /** A flow is bound to the key already; none was made. */
  | { readonly kind: "existing"; readonly flow: FlowView }
  /** No open flow is bound to the key; nothing was done. */
  | { readonly kind: "ignored" };

/** `replayed`: the answer of an earlier request under the same idempotency key. */
export type Outcome = Done & { readonly replayed?: true };

type Kind = Outcome["kind"];

const READ = ["flow"] as const;
const CHANGED = ["applied", "not_applied", "ignored"] as const;
const REOPENED = [...CHANGED, "over_quota"] as const;

/** The outcomes that each action may have. */
export const OUTCOME_KINDS = {
  create_flow: ["created", "not_created", "existing", "over_quota"],
  get_flow: READ,
  list_flows: ["flows"],
  find_latest_flow: READ,
  resolve_flow: READ,
  get_task_summary: ["summary"],
  set_waiting: REOPENED,
  resume_flow: REOPENED,
  finish_flow: CHANGED,
  fail_flow: CHANGED,
  request_cancel: CHANGED,
  cancel_flow: ["cancelled", "not_cancelled", "ignored"],
  run_task: ["task_created", "task_not_created", "ignored", "over_quota"],
} as const satisfies Readonly<Record<ActionName, readonly Kind[]>>;

export type OutcomeOf<Kinds extends Kind> = Extract<Outcome, { readonly kind: Kinds }>;

/**
 * Why a store has no outcome: `idempotency_unavailable` (it can keep no record of the request, and did nothing),
 * `list_too_large` (the whole list does not fit into one answer), `persist_failed` (it is busy or full, and most likely wrote nothing), `bad_host_answer` (it failed, or answered nonsense), or
 * `outcome_unknown` (it did not answer in time, or a claim was left open). A caller must read before it retries.
 */
export const STORE_FAILURES = [
  "idempotency_key_reused",
  "idempotency_in_progress",
  "idempotency_unavailable",
  "list_too_large",
  "persist_failed",
  "bad_host_answer",
  "outcome_unknown",
] as const;
export type StoreFailure = (typeof STORE_FAILURES)[number];

/** The refusal's row; a `terminal` one names the status when it is known. */
export const describeRefusal = (row: Refusal, ended: FlowStatus | undefined): Refusal => {
  if (row.code !== "terminal" || ended === undefined) return row;
  const reason = `Flow is already ${ended}.`;
  return { ...row, reason, error: reason };
};

/** Whether another writer was faster. */
export const isConflict = (outcome: Outcome): boolean =>
  "refusal" in outcome && outcome.refusal === "revision_conflict";
