// What the host did with a command: views and codes only. A host's own prose has no place in an Outcome.

import type { FlowStatus, FlowView, SummaryView, TaskView } from "./view.ts";

/** `reason` is what `result` says, `error` what the envelope says; both are the Gateway's published sentences. */
type Refusal = { readonly status: number; readonly code: string; readonly reason: string; readonly error: string };

const refusal = (status: number, code: string, reason: string, error: string = reason): Refusal => ({
  status,
  code,
  reason,
  error,
});

const rows = <Name extends string>(table: Readonly<Record<Name, Refusal>>): Readonly<Record<Name, Refusal>> => table;

/** Why one of the five revision-checked actions was not applied (SEMANTICS §3). */
export const MUTATION_REFUSALS = rows({
  not_found: refusal(404, "not_found", "TaskFlow not found."),
  not_managed: refusal(409, "not_managed", "TaskFlow is not managed by this webhook surface."),
  revision_conflict: refusal(409, "revision_conflict", "TaskFlow changed since the caller's expected revision."),
  persist_failed: refusal(503, "persist_failed", "TaskFlow persistence failed."),
  mutation_rejected: refusal(409, "mutation_rejected", "TaskFlow mutation was rejected."),
});

const UNVERIFIED_CHILD = "Child task ownership could not be verified; no cancellation was performed.";

/** Why cancel_flow did not cancel (SEMANTICS §6). `cancel_pending` is a 202: the intent is stored. */
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

/** Why run_task made no task (SEMANTICS §6). */
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
export type Outcome =
  | { readonly kind: "flow"; readonly flow: FlowView | null }
  | { readonly kind: "flows"; readonly flows: readonly FlowView[] }
  | { readonly kind: "summary"; readonly summary: SummaryView | null }
  | { readonly kind: "created"; readonly flow: FlowView }
  | { readonly kind: "not_created"; readonly refusal: "persist_failed" | "create_rejected" }
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
    };

/** The host threw for lack of its store, answered nonsense, or did not answer before the deadline. */
export type HostFailure = "persist_failed" | "bad_host_answer" | "outcome_unknown";

/** The refusal's row; a `terminal` one names the status when it is known. */
export const describeRefusal = (row: Refusal, ended: FlowStatus | undefined): Refusal => {
  if (row.code !== "terminal" || ended === undefined) return row;
  const reason = `Flow is already ${ended}.`;
  return { ...row, reason, error: reason };
};
