// The port to whoever owns the TaskFlows: what a host implements to put its own store behind the bridge.
// `openclaw-webhooks/conformance` tests an implementation; the Gateway, memory and SQLite are three.

import type { Result } from "neverthrow";
import type { ActionName, ActionOf, HostFailure, Outcome } from "../../core/index.ts";
import type { Soon } from "./awaitable.ts";

/**
 * What became of a command, at once or as a promise: an outcome of the lifecycle, or `persist_failed` (nothing was written),
 * `bad_host_answer` or `outcome_unknown` (read before you retry). Build views with `viewFlow`, `viewTask`, `viewSummary`.
 */
export type FlowAnswer<Kind extends Outcome["kind"]> = Soon<
  Result<Extract<Outcome, { readonly kind: Kind }>, HostFailure>
>;

type Asked<Name extends ActionName> = Omit<ActionOf<Name>, "action">;

/**
 * One owner's flows. A flow of another owner is as one that does not exist: reads answer `null`, commands `not_found`.
 * A refusal changes nothing; of several simultaneous updates of one revision exactly one is applied (FLOW-1, FLOW-3).
 */
export interface ManagedFlows {
  /** A new flow at revision 0, as `createFlow` makes it. */
  create(asked: Asked<"create_flow"> & { readonly controllerId: string }): FlowAnswer<"created" | "not_created">;
  get(flowId: string): FlowAnswer<"flow">;
  /** All flows, newest `createdAt` first; of equal ones the smaller flowId. */
  list(): FlowAnswer<"flows">;
  /** The first of `list`. */
  latest(): FlowAnswer<"flow">;
  /** By flow id; by the owner's own key the newest flow that has not ended, or the newest of all. */
  resolve(token: string): FlowAnswer<"flow">;
  summary(flowId: string): FlowAnswer<"summary">;
  setWaiting(asked: Asked<"set_waiting">): FlowAnswer<"applied" | "not_applied">;
  resume(asked: Asked<"resume_flow">): FlowAnswer<"applied" | "not_applied">;
  finish(asked: Asked<"finish_flow">): FlowAnswer<"applied" | "not_applied">;
  fail(asked: Asked<"fail_flow">): FlowAnswer<"applied" | "not_applied">;
  requestCancel(asked: Asked<"request_cancel">): FlowAnswer<"applied" | "not_applied">;
  /**
   * Ends the flow, or stores the intent (`cancel_pending`) while tasks are active. Shows the flow and all its tasks, also
   * with a refusal, unless there is no such flow.
   */
  cancel(flowId: string): FlowAnswer<"cancelled" | "not_cancelled">;
  runTask(asked: Asked<"run_task">): FlowAnswer<"task_created" | "task_not_created">;
}

/** Tells the operator what went wrong behind a failure; scrubbed and rationed before it is written. */
export type Tell = (what: string, said: unknown) => void;

export interface FlowStore {
  /** The flows of the session `owner`, for one command; may throw. */
  bind(owner: string, tell: Tell): ManagedFlows;
}
