// The words of TaskFlows and their tasks, as the Gateway has them, and a flow's record as a store keeps it.

import { match } from "ts-pattern";
import type { JsonValue } from "./json.ts";

/** What create_flow may start with; a flow in one of these has not ended. */
export const OPEN_STATUSES = ["queued", "running", "waiting", "blocked"] as const;
export const FLOW_STATUSES = [...OPEN_STATUSES, "succeeded", "failed", "cancelled", "lost"] as const;

/** What resume_flow and run_task may ask for; a task in one of these is active. */
export const ACTIVE_STATUSES = ["queued", "running"] as const;
export const TASK_STATUSES = [...ACTIVE_STATUSES, "succeeded", "failed", "timed_out", "cancelled", "lost"] as const;

/** What run_task may ask for. The Gateway's own work also makes `cli` and `cron` tasks. */
export const CHILD_RUNTIMES = ["subagent", "acp"] as const;
export const TASK_RUNTIMES = [...CHILD_RUNTIMES, "cli", "cron"] as const;

export const NOTIFY_POLICIES = ["done_only", "state_changes", "silent"] as const;
export const SYNC_MODES = ["managed", "task_mirrored"] as const;
export const DELIVERY_STATUSES = [
  "pending",
  "delivered",
  "session_queued",
  "failed",
  "dismissed",
  "parent_missing",
  "not_applicable",
] as const;

export type FlowStatus = (typeof FLOW_STATUSES)[number];
export type NotifyPolicy = (typeof NOTIFY_POLICIES)[number];

/** A flow as a store keeps it, less its owner. Times are milliseconds since the epoch. */
export type FlowRecord = {
  readonly flowId: string;
  readonly syncMode: (typeof SYNC_MODES)[number];
  readonly controllerId?: string | undefined;
  readonly revision: number;
  readonly status: FlowStatus;
  readonly notifyPolicy: NotifyPolicy;
  readonly goal: string;
  readonly currentStep?: string | undefined;
  readonly blockedTaskId?: string | undefined;
  readonly blockedSummary?: string | undefined;
  readonly stateJson?: JsonValue | undefined;
  readonly waitJson?: JsonValue | undefined;
  readonly cancelRequestedAt?: number | undefined;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly endedAt?: number | undefined;
};

/** Succeeded, failed, cancelled, lost, or blocked with an end. */
export const isEnded = ({ status, endedAt }: Pick<FlowRecord, "status" | "endedAt">): boolean =>
  match(status)
    .with("succeeded", "failed", "cancelled", "lost", () => true)
    .with("blocked", () => endedAt !== undefined)
    .with("queued", "running", "waiting", () => false)
    .exhaustive();
