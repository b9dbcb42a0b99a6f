// What a store must refuse, and how a flow's tasks count.

import type { FlowAction } from "../../core/index.ts";
import { check, same } from "./check.ts";
import type { Named } from "./commands.ts";
import { create, type Property } from "./store-under-test.ts";
import { askAs, type Plain } from "./transcript.ts";

type Status = "succeeded" | "failed" | "cancelled";

/** How a flow comes to its end. */
const END: Readonly<Record<Status, (named: Named) => FlowAction>> = {
  succeeded: (named) => ({ action: "finish_flow", ...named }),
  failed: (named) => ({ action: "fail_flow", ...named }),
  cancelled: ({ flowId }) => ({ action: "cancel_flow", flowId }),
};

/** Every refusal, by the shortest way to it, with all that it says. */
export const refusesByTheBook: Property = async (store, [a]) => {
  const ask = askAs(store, a);
  const runTask = (flowId: string, more: object = {}): Promise<Plain> =>
    ask({ action: "run_task", flowId, runtime: "acp", task: "Look", ...more });
  for (const status of ["succeeded", "failed"] as const) {
    const { flowId } = await create(ask);
    const { flow } = await ask(END[status]({ flowId, expectedRevision: 0 }));
    const refusal = { refusal: "terminal", ended: status, flow };
    same(await runTask(flowId), { kind: "task_not_created", ...refusal }, `run_task on a flow that ${status}`);
    const cancel = await ask({ action: "cancel_flow", flowId });
    same(cancel, { kind: "not_cancelled", ...refusal, tasks: [] }, `cancel of a flow that ${status}`);
  }
  const { flowId } = await create(ask);
  const stale = await ask({ action: "finish_flow", flowId, expectedRevision: 5 });
  const { flow } = await ask({ action: "get_flow", flowId });
  same(stale, { kind: "not_applied", refusal: "revision_conflict", flow }, "an update of another revision");
  const child = await runTask(flowId, { childSessionKey: "agent:main:no-such-child" });
  same(child, { kind: "task_not_created", refusal: "unverified", flow }, "a child session that does not exist");
  const ended = await ask(END.cancelled({ flowId, expectedRevision: 0 }));
  same([ended.kind, ended.flow?.["status"], ended.flow?.["revision"]], ["cancelled", "cancelled", 2], "cancel");
  const late = await runTask(flowId);
  same(late, { kind: "task_not_created", refusal: "cancel_requested", flow: ended.flow }, "run_task after a cancel");
};

/** The same run is one task, however often it is asked for, and an active task holds a cancel up. */
export const countsTasksOnce: Property = async (store, [a]) => {
  const ask = askAs(store, a);
  const { flowId } = await create(ask);
  const runTask = async (runtime: "acp" | "subagent", label: string, runId?: string): Promise<unknown> => {
    const made = await ask({ action: "run_task", flowId, runtime, task: "Look", label, runId });
    return made.task?.["taskId"];
  };
  const first = await runTask("acp", "one", "run-1");
  same(await runTask("acp", "two", "run-1"), first, "the same run finds its task");
  const child = await runTask("subagent", "one", "run-1");
  same(await runTask("subagent", "one", "run-1"), child, "the same run of a subagent finds its task");
  const others = [
    child,
    await runTask("subagent", "two", "run-1"),
    await runTask("acp", "one"),
    await runTask("acp", "one"),
  ];
  check(new Set([first, ...others]).size === 5, "another label of a subagent, and no runId, make new tasks");
  const { summary } = await ask({ action: "get_task_summary", flowId });
  same([summary?.["total"], summary?.["active"]], [5, 5], "the summary counts each task once");
  const pending = await ask({ action: "cancel_flow", flowId });
  same(
    [pending.kind, pending.refusal, pending.tasks?.length],
    ["not_cancelled", "cancel_pending", 5],
    "cancel waits for tasks",
  );
  check(
    pending.tasks?.every((task) => task["parentFlowId"] === flowId && task["task"] === "Look") === true,
    "cancel shows the flow's own tasks",
  );
  same([pending.flow?.["status"], pending.flow?.["revision"]], ["queued", 1], "cancel stores its intent");
};
