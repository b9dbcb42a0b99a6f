// The slice of the Gateway's task API that the bridge uses, typed by ourselves: every answer is `unknown` until it is
// decoded. test/systems/gateway/real-host.ts proves that the real types fit.

import type { ActionName, ActionOf, CreateFlow, Marks } from "../../core/index.ts";

/** The fields of an action, and times that the Gateway takes in place of its own. */
type Params<Name extends ActionName> = Omit<ActionOf<Name>, "action"> & Marks;

/** One session's flows; the answers may be values or promises. */
export interface BoundFlows {
  tryCreateManaged(params: Omit<CreateFlow, "action"> & Marks): unknown;
  get(flowId: string): unknown;
  list(): unknown;
  findLatest(): unknown;
  resolve(token: string): unknown;
  getTaskSummary(flowId: string): unknown;
  setWaiting(params: Params<"set_waiting">): unknown;
  resume(params: Params<"resume_flow">): unknown;
  finish(params: Params<"finish_flow">): unknown;
  fail(params: Params<"fail_flow">): unknown;
  requestCancel(params: Params<"request_cancel">): unknown;
  runTask(params: Params<"run_task">): unknown;
}

/** `cancel` exists only on the synchronous binding, and takes the Gateway's configuration. */
export interface Canceller {
  cancel(params: { readonly flowId: string; readonly cfg: unknown }): unknown;
}

/** What a session is bound to (M-16). `canceller`: bound when it is needed; may throw. */
export type Binding = { readonly flows: BoundFlows; readonly canceller: () => Canceller };
