// A TaskFlow's states and what each action does to them: the Gateway's contract as measured (gateway-semantics §3), total.
// It runs the embedded stores and is the oracle that the real Gateway is compared with.

import { err, ok, type Result } from "neverthrow";
import { match } from "ts-pattern";
import type { Action, ActionOf } from "./action.ts";
import type { JsonValue } from "./json.ts";
import { type FlowRecord, isEnded } from "./flow.ts";

export type RevisionChecked = ActionOf<"set_waiting" | "resume_flow" | "finish_flow" | "fail_flow" | "request_cancel">;

/** What can happen to a stored flow. `sweep` is the host's own clean-up of flows with a cancel intent. */
export type FlowEvent = RevisionChecked | ActionOf<"cancel_flow" | "run_task"> | { readonly action: "sweep" };

/** The flow after the event; the very same value when nothing was written. `pending`: cancelled once its tasks end. */
export type Transition = { readonly flow: FlowRecord; readonly pending: boolean };

export type LifecycleRefusal = "not_managed" | "revision_conflict" | "terminal" | "cancel_requested";

/** A new flow: revision 0, status `queued` and policy `done_only` unless asked otherwise (gateway-semantics §2). */
export const createFlow = (flowId: string, action: ActionOf<"create_flow">, now: number): FlowRecord => ({
  flowId,
  syncMode: "managed",
  controllerId: action.controllerId,
  revision: 0,
  status: action.status ?? "queued",
  notifyPolicy: action.notifyPolicy ?? "done_only",
  goal: action.goal,
  currentStep: action.currentStep ?? undefined,
  stateJson: action.stateJson,
  waitJson: action.waitJson,
  createdAt: now,
  updatedAt: now,
});

type Patch = Partial<Omit<FlowRecord, "flowId" | "revision" | "updatedAt" | "createdAt">>;

/** Absent keeps, null removes, a text replaces. */
const given = (asked: string | null | undefined, kept: string | undefined): string | undefined =>
  asked === undefined ? kept : (asked ?? undefined);

/** Absent keeps; null is a value. */
const givenJson = (asked: JsonValue | undefined, kept: JsonValue | undefined): JsonValue | undefined =>
  asked === undefined ? kept : asked;

const UNBLOCKED = { blockedTaskId: undefined, blockedSummary: undefined } as const;

type Blocking = Pick<ActionOf<"set_waiting">, "blockedTaskId" | "blockedSummary">;

const blocking = (flow: FlowRecord, asked: Blocking): Pick<FlowRecord, "blockedTaskId" | "blockedSummary"> => ({
  blockedTaskId: given(asked.blockedTaskId, flow.blockedTaskId),
  blockedSummary: given(asked.blockedSummary, flow.blockedSummary),
});

const wait = (flow: FlowRecord, asked: ActionOf<"set_waiting">): Patch => ({
  status: (asked.blockedTaskId ?? asked.blockedSummary ?? undefined) === undefined ? "waiting" : "blocked",
  currentStep: given(asked.currentStep, flow.currentStep),
  stateJson: givenJson(asked.stateJson, flow.stateJson),
  waitJson: givenJson(asked.waitJson, flow.waitJson),
  ...blocking(flow, asked),
  endedAt: undefined,
});

const resume = (flow: FlowRecord, asked: ActionOf<"resume_flow">): Patch => ({
  status: asked.status ?? "queued",
  currentStep: given(asked.currentStep, flow.currentStep),
  stateJson: givenJson(asked.stateJson, flow.stateJson),
  waitJson: null,
  ...UNBLOCKED,
  endedAt: undefined,
});

const finish = (flow: FlowRecord, asked: ActionOf<"finish_flow">, now: number): Patch => ({
  status: "succeeded",
  stateJson: givenJson(asked.stateJson, flow.stateJson),
  waitJson: null,
  ...UNBLOCKED,
  endedAt: now,
});

const fail = (flow: FlowRecord, asked: ActionOf<"fail_flow">, now: number): Patch => ({
  status: "failed",
  stateJson: givenJson(asked.stateJson, flow.stateJson),
  waitJson: null,
  ...blocking(flow, asked),
  endedAt: now,
});

const patchOf = (flow: FlowRecord, asked: RevisionChecked, now: number): Patch =>
  match(asked)
    .with({ action: "set_waiting" }, (action) => wait(flow, action))
    .with({ action: "resume_flow" }, (action) => resume(flow, action))
    .with({ action: "finish_flow" }, (action) => finish(flow, action, now))
    .with({ action: "fail_flow" }, (action) => fail(flow, action, now))
    .with({ action: "request_cancel" }, () => ({ cancelRequestedAt: now }))
    .exhaustive();

//= FLOW-2
const write = (flow: FlowRecord, patch: Patch, now: number): FlowRecord => ({
  ...flow,
  ...patch,
  revision: flow.revision + 1,
  updatedAt: now,
});

const settled = (flow: FlowRecord): Transition => ({ flow, pending: false });

//= FLOW-1, FLOW-3
const checked = (flow: FlowRecord, asked: RevisionChecked, now: number): Result<Transition, LifecycleRefusal> => {
  if (flow.syncMode !== "managed") return err("not_managed");
  if (flow.revision !== asked.expectedRevision) return err("revision_conflict");
  return ok(settled(write(flow, patchOf(flow, asked, now), now)));
};

const cancelled = (flow: FlowRecord, now: number): FlowRecord =>
  write(flow, { status: "cancelled", waitJson: null, ...UNBLOCKED, endedAt: now }, now);

//= FLOW-4, FLOW-6
/** The intent is written first and survives; the flow ends only once no task is active (gateway-semantics §6). */
const cancel = (flow: FlowRecord, activeTasks: number, now: number): Result<Transition, LifecycleRefusal> => {
  if (isEnded(flow)) return err("terminal");
  const intended = flow.cancelRequestedAt === undefined ? write(flow, { cancelRequestedAt: now }, now) : flow;
  return ok(activeTasks > 0 ? { flow: intended, pending: true } : settled(cancelled(intended, now)));
};

export type TaskRefused = Exclude<LifecycleRefusal, "revision_conflict">;

//= FLOW-5
/** Whether the flow may get a task; it is not changed by one. */
export const acceptsTask = (flow: FlowRecord): Result<Transition, TaskRefused> => {
  if (flow.syncMode !== "managed") return err("not_managed");
  if (flow.cancelRequestedAt !== undefined) return err("cancel_requested");
  return isEnded(flow) ? err("terminal") : ok(settled(flow));
};

//= FLOW-6
const isSwept = (flow: FlowRecord, activeTasks: number): boolean =>
  flow.syncMode === "managed" && flow.cancelRequestedAt !== undefined && !isEnded(flow) && activeTasks === 0;

//= FLOW-7
/** The time of a write: the clock's, or the flow's last time when the clock was set back. */
const timeOf = (flow: FlowRecord, now: number): number => Math.max(now, flow.updatedAt, flow.createdAt);

/**
 * What `event` does to `flow`. `activeTasks`: linked tasks that are queued or running; `now`: milliseconds since the
 * epoch. A refusal changes nothing; every write adds 1 to the revision.
 */
export const transition = (
  flow: FlowRecord,
  event: FlowEvent,
  activeTasks: number,
  now: number,
): Result<Transition, LifecycleRefusal> => {
  const at = timeOf(flow, now);
  return match(event)
    .with({ action: "cancel_flow" }, () => cancel(flow, activeTasks, at))
    .with({ action: "run_task" }, () => acceptsTask(flow))
    .with({ action: "sweep" }, () => ok(settled(isSwept(flow, activeTasks) ? cancelled(flow, at) : flow)))
    .otherwise((asked) => checked(flow, asked, at));
};

/** Milliseconds for which an ended flow is kept: 7 days, as the Gateway does. */
export const RETENTION_MS = 604_800_000;

//= STORE-3
/** Whether an embedded store's sweep removes the flow. `activeTasks` as for `transition`; `now`: milliseconds since the epoch. */
export const isExpired = (flow: FlowRecord, activeTasks: number, now: number): boolean =>
  isEnded(flow) && activeTasks === 0 && now - (flow.endedAt ?? flow.updatedAt) >= RETENTION_MS;

/** Whether an action names the revision that it applies to. */
export const isRevisionChecked = (action: Action): action is RevisionChecked => "expectedRevision" in action;
