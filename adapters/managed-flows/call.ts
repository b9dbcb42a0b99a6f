// Which host call carries out which action.

import { match } from "ts-pattern";
import type { Action } from "../../core/index.ts";
import type { Binding } from "./host.ts";

/**
 * Asks the host, once. Fields that the action leaves open are left open to the host; a flow without a controller gets
 * the route's. `hostConfig`: what the host's `cancel` wants.
 */
export const callHost = (
  action: Action,
  controllerId: string,
  { flows, canceller }: Binding,
  hostConfig: () => unknown,
): unknown =>
  match(action)
    .returnType<unknown>()
    .with({ action: "create_flow" }, ({ action: _, currentStep, ...asked }) =>
      flows.tryCreateManaged({
        ...asked,
        controllerId: asked.controllerId ?? controllerId,
        currentStep: currentStep ?? undefined,
      }),
    )
    .with({ action: "get_flow" }, ({ flowId }) => flows.get(flowId))
    .with({ action: "list_flows" }, () => flows.list())
    .with({ action: "find_latest_flow" }, () => flows.findLatest())
    .with({ action: "resolve_flow" }, ({ token }) => flows.resolve(token))
    .with({ action: "get_task_summary" }, ({ flowId }) => flows.getTaskSummary(flowId))
    .with({ action: "set_waiting" }, ({ action: _, ...asked }) => flows.setWaiting(asked))
    .with({ action: "resume_flow" }, ({ action: _, ...asked }) => flows.resume(asked))
    .with({ action: "finish_flow" }, ({ action: _, ...asked }) => flows.finish(asked))
    .with({ action: "fail_flow" }, ({ action: _, ...asked }) => flows.fail(asked))
    .with({ action: "request_cancel" }, ({ action: _, ...asked }) => flows.requestCancel(asked))
    .with({ action: "cancel_flow" }, ({ flowId }) => canceller.cancel({ flowId, cfg: hostConfig() }))
    .with({ action: "run_task" }, ({ action: _, ...asked }) => flows.runTask(asked))
    .exhaustive();
