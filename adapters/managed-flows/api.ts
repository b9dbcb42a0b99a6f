// The slice of the Gateway's task API that the bridge uses, typed by ourselves: every answer is `unknown` until it is
// decoded. test/systems/gateway/real-host.ts proves that the real types fit.

import type { JsonValue } from "../../core/index.ts";

type Text = string | null | undefined;
type Json = JsonValue | undefined;

export type CreateParams = {
  readonly controllerId: string;
  readonly goal: string;
  readonly status?: "queued" | "running" | "waiting" | "blocked" | undefined;
  readonly notifyPolicy?: "done_only" | "state_changes" | "silent" | undefined;
  readonly currentStep?: Text;
  readonly stateJson?: Json;
  readonly waitJson?: Json;
};

type Revised = { readonly flowId: string; readonly expectedRevision: number };

export type SetWaitingParams = Revised & {
  readonly currentStep?: Text;
  readonly stateJson?: Json;
  readonly waitJson?: Json;
  readonly blockedTaskId?: Text;
  readonly blockedSummary?: Text;
};

export type ResumeParams = Revised & {
  readonly status?: "queued" | "running" | undefined;
  readonly currentStep?: Text;
  readonly stateJson?: Json;
};

export type FailParams = Revised & {
  readonly stateJson?: Json;
  readonly blockedTaskId?: Text;
  readonly blockedSummary?: Text;
};

export type RunTaskParams = {
  readonly flowId: string;
  readonly runtime: "subagent" | "acp";
  readonly sourceId?: string | undefined;
  readonly childSessionKey?: string | undefined;
  readonly parentTaskId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly runId?: string | undefined;
  readonly label?: string | undefined;
  readonly task: string;
  readonly preferMetadata?: boolean | undefined;
  readonly notifyPolicy?: "done_only" | "state_changes" | "silent" | undefined;
  readonly status?: "queued" | "running" | undefined;
  readonly startedAt?: number | undefined;
  readonly lastEventAt?: number | undefined;
  readonly progressSummary?: Text;
};

/** One session's flows; the answers may be values or promises. */
export interface BoundFlows {
  tryCreateManaged(params: CreateParams): unknown;
  get(flowId: string): unknown;
  list(): unknown;
  findLatest(): unknown;
  resolve(token: string): unknown;
  getTaskSummary(flowId: string): unknown;
  setWaiting(params: SetWaitingParams): unknown;
  resume(params: ResumeParams): unknown;
  finish(params: Revised & { readonly stateJson?: Json }): unknown;
  fail(params: FailParams): unknown;
  requestCancel(params: Revised): unknown;
  runTask(params: RunTaskParams): unknown;
}

/** `cancel` is on the synchronous binding only, and takes the Gateway's configuration. */
export interface Canceller {
  cancel(params: { readonly flowId: string; readonly cfg: unknown }): unknown;
}

/** What a session's owner is bound to (M-16); the canceller only when a flow is to be cancelled. */
export type Binding = { readonly flows: BoundFlows; readonly canceller: () => Canceller };
