// What a reply shows of flows, tasks and counts, as JSON Schema. core/view.ts keeps its tables to itself, so the fields
// stand here once more; the tests hold real views against them, both ways.

import { ACTIONS, FLOW_STATUSES, TASK_RUNTIMES, TASK_STATUSES } from "../../core/index.ts";
import { ANY_JSON, COUNT, type Json, object, oneOf, said, TEXT, TIME } from "./schema.ts";

const NOTIFY_POLICIES = ACTIONS.create_flow.shape.notifyPolicy.unwrap().options;

const DELIVERY_STATUSES = [
  "pending",
  "delivered",
  "session_queued",
  "failed",
  "dismissed",
  "parent_missing",
  "not_applicable",
];

const flow = object(
  {
    flowId: TEXT,
    syncMode: said(
      oneOf(["managed", "task_mirrored"]),
      "`task_mirrored`: the flow of a detached run, not to be changed.",
    ),
    revision: said(COUNT, "Grows with every change. Send it back as `expectedRevision`."),
    status: oneOf(FLOW_STATUSES),
    notifyPolicy: oneOf(NOTIFY_POLICIES),
    goal: TEXT,
    createdAt: TIME,
    updatedAt: TIME,
  },
  {
    controllerId: said(TEXT, "Who drives the flow."),
    currentStep: TEXT,
    blockedTaskId: TEXT,
    blockedSummary: said(TEXT, "Why the flow is blocked."),
    stateJson: said(ANY_JSON, "The caller's own state: any JSON value."),
    waitJson: said(ANY_JSON, "What the flow waits for: any JSON value."),
    cancelRequestedAt: said(TIME, "When cancellation was asked for, in milliseconds since the epoch."),
    endedAt: TIME,
  },
);

const task = object(
  {
    taskId: TEXT,
    runtime: oneOf(TASK_RUNTIMES),
    scopeKind: oneOf(["session", "system"]),
    task: said(TEXT, "What is to be done."),
    status: oneOf(TASK_STATUSES),
    deliveryStatus: oneOf(DELIVERY_STATUSES),
    notifyPolicy: oneOf(NOTIFY_POLICIES),
    createdAt: TIME,
  },
  {
    sourceId: TEXT,
    parentFlowId: TEXT,
    parentTaskId: TEXT,
    agentId: TEXT,
    runId: TEXT,
    label: TEXT,
    error: TEXT,
    progressSummary: TEXT,
    terminalSummary: TEXT,
    terminalOutcome: TEXT,
    startedAt: TIME,
    endedAt: TIME,
    lastEventAt: TIME,
    cleanupAfter: TIME,
    childSessionKey: said(TEXT, "Shown when the request named it."),
  },
);

const counts = (names: readonly string[]): Json => object(Object.fromEntries(names.map((name) => [name, COUNT])));

const summary = object({
  total: COUNT,
  active: said(COUNT, "Tasks that are queued or running."),
  terminal: said(COUNT, "Tasks that have ended."),
  failures: COUNT,
  byStatus: counts(TASK_STATUSES),
  byRuntime: counts(TASK_RUNTIMES),
});

export const VIEW_SCHEMAS = {
  Flow: said(flow, "A TaskFlow. Optional fields are left out when they are empty."),
  Task: said(task, "A child task of a flow. Optional fields are left out when they are empty."),
  Summary: said(summary, "How many tasks of a flow are in which state."),
};
