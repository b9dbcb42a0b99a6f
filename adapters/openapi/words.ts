// Descriptions of the actions and their fields, and an example body of each action.

import type { ActionName, ACTIONS } from "../../core/index.ts";
import type { Json } from "./schema.ts";

type FieldName = { [Name in ActionName]: keyof (typeof ACTIONS)[Name]["shape"] }[ActionName];

/** The meaning of each field, which is the same in every action. */
export const FIELDS: Readonly<Record<FieldName, string>> = {
  action: "The name of the action.",
  goal: "The purpose of the flow.",
  flowId: "The flow's id.",
  token: "A flow id, or the route's session key for its newest open flow.",
  expectedRevision: "The `revision` that you read last. The change applies only to that revision.",
  afterRevision: "The `revision` that you have. With `waitSeconds`, the answer comes once the flow has another one.",
  waitSeconds: "Seconds to wait for that, at most 20; then the flow comes as it is.",
  limit: "Flows of one page, at most 500. The answer then has `nextCursor`. Default, with `cursor`: 500.",
  cursor: "The `nextCursor` of the page before, as it is. Filters are not part of it: send them again.",
  updatedAfter: "Milliseconds since the epoch. Only flows whose `updatedAt` is greater.",
  controllerId: "The controller that drives the flow. Default: the route's controller.",
  status: "The new status. Default: `queued`.",
  notifyPolicy: "When the session is notified. Default: `done_only`.",
  currentStep: "The current step of the flow. `null` removes it.",
  stateJson: "Your own state: any JSON value, including `null`.",
  waitJson: "What the flow waits for: any JSON value, including `null`.",
  blockedTaskId: "The task that blocks the flow. `null` removes it.",
  blockedSummary: "Why the flow is blocked. `null` removes it.",
  runtime: "What runs the task.",
  task: "The work to do.",
  label: "A short name for the task.",
  agentId: "The agent that does the task. Default: the agent of the session.",
  childSessionKey:
    "The session in which the task runs, together with `runId`. A store without child sessions refuses it.",
  runId: "The run that does the task. A second request with the same run returns its task instead of creating one.",
  sourceId: "Your own id of the source of the task.",
  parentTaskId: "The task that this one belongs to.",
  preferMetadata: "Whether `label` and `task` replace those of an existing task of the same run.",
  startedAt: "Milliseconds since the epoch. Only with `status` `running`.",
  lastEventAt: "Milliseconds since the epoch. Only with `status` `running`.",
  progressSummary: "How far the task is. Only with `status` `running`.",
};

/** Fields that mean something else in list_flows. */
export const FILTERS: Readonly<Partial<Record<FieldName, string>>> = {
  status: "Only flows that have this status.",
  controllerId: "Only flows of this controller.",
};

export const FLOW_ID = "f55b4144-106e-4705-b5a2-da4c69fc6240";
export const CREATE = { action: "create_flow", goal: "Review inbound queue", stateJson: { ticket: 4711 } } as const;
const CHANGE = { flowId: FLOW_ID, expectedRevision: 0 };
export const CHILD = { childSessionKey: "agent:main:subagent:summary", runId: "run-1" };

type ActionHelp = { readonly title: string; readonly description: string; readonly example: Json };

/** Title, description and example body of each action. */
export const REQUESTS: Readonly<Record<ActionName, ActionHelp>> = {
  create_flow: {
    title: "Create a flow",
    description: "Returns the new flow, at revision 0.",
    example: CREATE,
  },
  get_flow: {
    title: "Read a flow",
    description: "Returns the flow, or `null` if the route's session has no such flow.",
    example: { action: "get_flow", flowId: FLOW_ID },
  },
  list_flows: {
    title: "List the flows",
    description:
      "Returns all flows of the route's session, newest first, or those that the filters let through. With `limit` or `cursor` it returns a page of them. A whole list of more than 8 MiB is refused with 413 `list_too_large`.",
    example: { action: "list_flows" },
  },
  find_latest_flow: {
    title: "Read the newest flow",
    description: "Returns the newest flow of the route's session, or `null`.",
    example: { action: "find_latest_flow" },
  },
  resolve_flow: {
    title: "Find a flow by a token",
    description: "Returns the flow, or `null`.",
    example: { action: "resolve_flow", token: FLOW_ID },
  },
  get_task_summary: {
    title: "Count a flow's tasks",
    description: "Returns counts by status and runtime, or `null` if there is no such flow.",
    example: { action: "get_task_summary", flowId: FLOW_ID },
  },
  set_waiting: {
    title: "Let a flow wait",
    description: "The flow becomes `waiting`, or `blocked` if `blockedTaskId` or `blockedSummary` is a string.",
    example: { action: "set_waiting", ...CHANGE, currentStep: "approval", waitJson: { kind: "approval", by: "ops" } },
  },
  resume_flow: {
    title: "Resume a flow",
    description: "The flow continues. Its `waitJson`, `blockedTaskId` and `blockedSummary` are removed.",
    example: { action: "resume_flow", ...CHANGE, status: "running", currentStep: "deploy" },
  },
  finish_flow: {
    title: "Finish a flow",
    description: "The flow ends as `succeeded`.",
    example: { action: "finish_flow", ...CHANGE, stateJson: { ticket: 4711, closed: true } },
  },
  fail_flow: {
    title: "Fail a flow",
    description: "The flow ends as `failed`.",
    example: { action: "fail_flow", ...CHANGE, blockedSummary: "The build is red." },
  },
  request_cancel: {
    title: "Request the cancellation of a flow",
    description: "Stores the cancellation. The flow takes no new tasks and ends when its tasks have ended.",
    example: { action: "request_cancel", ...CHANGE },
  },
  cancel_flow: {
    title: "Cancel a flow",
    description: "Ends the flow. If it has active tasks, stores the cancellation and answers 202.",
    example: { action: "cancel_flow", flowId: FLOW_ID },
  },
  run_task: {
    title: "Run a task in a flow",
    description:
      "`startedAt`, `lastEventAt` and `progressSummary` need `status` `running`. A task without `childSessionKey` and `runId` has no child that could end: its flow can never be cancelled.",
    example: { action: "run_task", flowId: FLOW_ID, runtime: "subagent", task: "Summarise the queue", ...CHILD },
  },
};
