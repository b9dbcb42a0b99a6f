// The flow, task and counts of the document's examples, made and changed by the core.

import { ok, Result } from "neverthrow";
import {
  type ActionName,
  createFlow,
  type FlowView,
  isRevisionChecked,
  parseAction,
  type SummaryView,
  type TaskView,
  transition,
  viewFlow,
  viewSummary,
  viewTask,
} from "../../core/index.ts";
import { CHILD, CREATE, FLOW_ID, REQUESTS } from "./words.ts";

export const ROUTE_ID = "zapier";
const NOW = 1_795_383_274_908;
const LATER = NOW + 61_500;

const FLOW = createFlow(FLOW_ID, { ...CREATE, controllerId: `webhooks/${ROUTE_ID}` }, NOW);

const TASK = {
  taskId: "0c7f5c0e-2f4d-4c8e-9a53-3a1d1a0c6f57",
  runtime: "subagent",
  parentFlowId: FLOW_ID,
  agentId: "main",
  ...CHILD,
  scopeKind: "session",
  task: "Summarise the queue",
  status: "queued",
  deliveryStatus: "pending",
  notifyPolicy: "done_only",
  createdAt: LATER,
  lastEventAt: LATER,
};

const SUMMARY = {
  total: 1,
  active: 1,
  terminal: 0,
  failures: 0,
  byStatus: { queued: 1, running: 0, succeeded: 0, failed: 0, timed_out: 0, cancelled: 0, lost: 0 },
  byRuntime: { subagent: 1, acp: 0, cli: 0, cron: 0 },
};

/** FLOW after the example request of the action `name`. */
const flowAfter = (name: ActionName, activeTasks: number): Result<FlowView, unknown> =>
  parseAction(REQUESTS[name].example)
    .andThen((action) => {
      if (!isRevisionChecked(action) && action.action !== "cancel_flow") return ok({ flow: FLOW });
      return transition(FLOW, action, activeTasks, LATER);
    })
    .andThen(({ flow }) => viewFlow(flow));

export type Views = { readonly flow: FlowView; readonly task: TaskView; readonly summary: SummaryView };

/** The views after the example request of the action `name`, for a flow with `activeTasks` active tasks. */
export const viewsAfter = (name: ActionName, activeTasks = 0): Result<Views, unknown> =>
  Result.combine([flowAfter(name, activeTasks), viewTask(TASK, CHILD.childSessionKey), viewSummary(SUMMARY)]).map(
    ([flow, task, summary]) => ({ flow, task, summary }),
  );
