// What the document says of the actions and their fields in plain words, with a body of each action.

import type { ActionName, ACTIONS } from "../../core/index.ts";
import type { Json } from "./schema.ts";

type FieldName = { [Name in ActionName]: keyof (typeof ACTIONS)[Name]["shape"] }[ActionName];

/** What each field means, in every action that has it. */
export const FIELDS: Readonly<Record<FieldName, string>> = {
  action: "What is asked for.",
  goal: "What the flow is for.",
  flowId: "The flow's id.",
  token: "A flow id, or the route's session key for its newest open flow.",
  expectedRevision: "The `revision` that you read last. The change applies to exactly that one.",
  controllerId: "Who drives the flow. The route's own controller unless given.",
  status: "The status to begin with or to go on with. `queued` unless given.",
  notifyPolicy: "When the session is told. `done_only` unless given.",
  currentStep: "Where the flow stands. `null` removes it.",
  stateJson: "State of your own: any JSON value, `null` included.",
  waitJson: "What the flow waits for: any JSON value, `null` included.",
  blockedTaskId: "The task that blocks the flow. `null` removes it.",
  blockedSummary: "Why the flow is blocked. `null` removes it.",
  runtime: "What runs the task.",
  task: "What is to be done.",
  label: "A short name for the task.",
  agentId: "The agent that does it. The session's own unless given.",
  childSessionKey: "The session in which the task runs, with `runId`. A store without child sessions refuses it.",
  runId: "The run that does it. The same one again finds its task instead of making another.",
  sourceId: "Your own id for where the task comes from.",
  parentTaskId: "The task that this one belongs to.",
  preferMetadata: "Whether `label` and `task` replace those of the same run.",
  startedAt: "Milliseconds since the epoch. Only with `status` `running`.",
  lastEventAt: "Milliseconds since the epoch. Only with `status` `running`.",
  progressSummary: "How far the task is. Only with `status` `running`.",
};

export const FLOW_ID = "f55b4144-106e-4705-b5a2-da4c69fc6240";
export const CREATE = { action: "create_flow", goal: "Review inbound queue", stateJson: { ticket: 4711 } } as const;
const CHANGE = { flowId: FLOW_ID, expectedRevision: 0 };
export const CHILD = { childSessionKey: "agent:main:subagent:summary", runId: "run-1" };

type Described = { readonly title: string; readonly description: string; readonly example: Json };

/** Each action in plain words, with a body that asks for it. */
export const REQUESTS: Readonly<Record<ActionName, Described>> = {
  create_flow: {
    title: "Create a flow",
    description: "Answers with the new flow, at revision 0.",
    example: CREATE,
  },
  get_flow: {
    title: "Read a flow",
    description: "Answers with the flow, or with `null` when the route's session has no such flow.",
    example: { action: "get_flow", flowId: FLOW_ID },
  },
  list_flows: {
    title: "List the flows",
    description: "Answers with all flows of the route's session, newest first.",
    example: { action: "list_flows" },
  },
  find_latest_flow: {
    title: "Read the newest flow",
    description: "Answers with the newest flow of the route's session, or with `null`.",
    example: { action: "find_latest_flow" },
  },
  resolve_flow: {
    title: "Find a flow by a token",
    description: "Answers with the flow, or with `null`.",
    example: { action: "resolve_flow", token: FLOW_ID },
  },
  get_task_summary: {
    title: "Count a flow's tasks",
    description: "Answers with counts by status and runtime, or with `null` when there is no such flow.",
    example: { action: "get_task_summary", flowId: FLOW_ID },
  },
  set_waiting: {
    title: "Let a flow wait",
    description: "The flow becomes `waiting`, or `blocked` when `blockedTaskId` or `blockedSummary` has a text.",
    example: { action: "set_waiting", ...CHANGE, currentStep: "approval", waitJson: { kind: "approval", by: "ops" } },
  },
  resume_flow: {
    title: "Resume a flow",
    description: "The flow goes on. What it waited for and what blocked it are removed.",
    example: { action: "resume_flow", ...CHANGE, status: "running", currentStep: "deploy" },
  },
  finish_flow: {
    title: "Finish a flow",
    description: "The flow has `succeeded`.",
    example: { action: "finish_flow", ...CHANGE, stateJson: { ticket: 4711, closed: true } },
  },
  fail_flow: {
    title: "Fail a flow",
    description: "The flow has `failed`.",
    example: { action: "fail_flow", ...CHANGE, blockedSummary: "The build is red." },
  },
  request_cancel: {
    title: "Ask for a flow to be cancelled",
    description: "Stores the wish: the flow takes no new tasks and ends once its tasks have.",
    example: { action: "request_cancel", ...CHANGE },
  },
  cancel_flow: {
    title: "Cancel a flow",
    description: "Ends the flow. While tasks of it are active it stores the wish and answers 202.",
    example: { action: "cancel_flow", flowId: FLOW_ID },
  },
  run_task: {
    title: "Run a task in a flow",
    description:
      "`startedAt`, `lastEventAt` and `progressSummary` need `status` `running`. A task without `childSessionKey` and `runId` has no real child: its flow can then never be cancelled.",
    example: { action: "run_task", flowId: FLOW_ID, runtime: "subagent", task: "Summarise the queue", ...CHILD },
  },
};
