// The JSON Schemas of flows, tasks and counts in replies. core/view.ts does not export its tables, so the fields are
// listed again here; a test compares these schemas with real views, both ways.

import {
  DELIVERY_STATUSES,
  FLOW_STATUSES,
  NOTIFY_POLICIES,
  SYNC_MODES,
  TASK_RUNTIMES,
  TASK_STATUSES,
} from "../../core/index.ts";
import { ANY_JSON, COUNT, type Json, object, oneOf, describe, TEXT, TIME } from "./schema.ts";

const flow = object(
  {
    flowId: TEXT,
    syncMode: describe(oneOf(SYNC_MODES), "`task_mirrored`: the flow of a detached run, which cannot be changed."),
    revision: describe(COUNT, "Grows with every change. Send it back as `expectedRevision`."),
    status: oneOf(FLOW_STATUSES),
    notifyPolicy: oneOf(NOTIFY_POLICIES),
    goal: TEXT,
    createdAt: TIME,
    updatedAt: TIME,
  },
  {
    controllerId: describe(TEXT, "The controller that drives the flow."),
    currentStep: TEXT,
    blockedTaskId: TEXT,
    blockedSummary: describe(TEXT, "Why the flow is blocked."),
    stateJson: describe(ANY_JSON, "The caller's own state: any JSON value."),
    waitJson: describe(ANY_JSON, "What the flow waits for: any JSON value."),
    cancelRequestedAt: describe(TIME, "When cancellation was requested, in milliseconds since the epoch."),
    endedAt: TIME,
  },
);

const task = object(
  {
    taskId: TEXT,
    runtime: oneOf(TASK_RUNTIMES),
    scopeKind: oneOf(["session", "system"]),
    task: describe(TEXT, "The work to do."),
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
    childSessionKey: describe(TEXT, "Shown only if the request named it."),
  },
);

const counts = (names: readonly string[]): Json => object(Object.fromEntries(names.map((name) => [name, COUNT])));

const summary = object({
  total: COUNT,
  active: describe(COUNT, "Tasks that are queued or running."),
  terminal: describe(COUNT, "Tasks that have ended."),
  failures: COUNT,
  byStatus: counts(TASK_STATUSES),
  byRuntime: counts(TASK_RUNTIMES),
});

export const VIEW_SCHEMAS = {
  Flow: describe(flow, "A TaskFlow. Optional fields are absent if they are empty."),
  Task: describe(task, "A child task of a flow. Optional fields are absent if they are empty."),
  Summary: describe(summary, "The tasks of a flow, counted by status and runtime."),
};
