// A store is somebody's code: what it answers is an outcome of what was asked, about the flow that was asked for, shown
// by views, or it is nonsense. Types promise that; this looks.

import type { Result } from "neverthrow";
import {
  type Action,
  type ActionName,
  CANCEL_REFUSALS,
  type HostFailure,
  isView,
  MUTATION_REFUSALS,
  type Outcome,
  TASK_REFUSALS,
} from "../../core/index.ts";

type Kinds = readonly Outcome["kind"][];

const READ: Kinds = ["flow"];
const CHANGED: Kinds = ["applied", "not_applied"];

const KINDS: Readonly<Record<ActionName, Kinds>> = {
  create_flow: ["created", "not_created"],
  get_flow: READ,
  list_flows: ["flows"],
  find_latest_flow: READ,
  resolve_flow: READ,
  get_task_summary: ["summary"],
  set_waiting: CHANGED,
  resume_flow: CHANGED,
  finish_flow: CHANGED,
  fail_flow: CHANGED,
  request_cancel: CHANGED,
  cancel_flow: ["cancelled", "not_cancelled"],
  run_task: ["task_created", "task_not_created"],
};

const REFUSALS: Readonly<Partial<Record<Outcome["kind"], object>>> = {
  not_created: { persist_failed: true, create_rejected: true },
  not_applied: MUTATION_REFUSALS,
  not_cancelled: CANCEL_REFUSALS,
  task_not_created: TASK_REFUSALS,
};

const FAILURES: readonly HostFailure[] = ["persist_failed", "bad_host_answer", "outcome_unknown"];

type Shown = { readonly [part: string]: unknown };

/** What each kind must show; what is not named here it may leave out. */
const NEEDED: Readonly<Partial<Record<Outcome["kind"], readonly string[]>>> = {
  created: ["flow"],
  applied: ["flow"],
  task_created: ["flow", "task"],
};

const isFlow =
  (flowId: string | undefined) =>
  (value: unknown): boolean =>
    isView(value, "flow") && (flowId === undefined || value.json["flowId"] === flowId);

const areAll = (values: unknown, isOne: (value: unknown) => boolean): boolean =>
  Array.isArray(values) && values.every(isOne);

//= VIEW-4, SCOPE-2
const isSoundOutcome = (action: Action, outcome: Outcome): boolean => {
  const { kind, refusal, flow, current, flows, task, tasks, summary }: Outcome & Shown = outcome;
  const isAsked = isFlow("flowId" in action ? action.flowId : undefined);
  const isOptional = (value: unknown, isOne: (value: unknown) => boolean): boolean =>
    value === undefined || (value === null && (kind === "flow" || kind === "summary")) || isOne(value);
  const refusals = REFUSALS[kind];
  return (
    KINDS[action.action].includes(kind) &&
    (refusals === undefined || (typeof refusal === "string" && Object.hasOwn(refusals, refusal))) &&
    (NEEDED[kind] ?? []).every((part) => part in outcome) &&
    isOptional(flow, isAsked) &&
    isOptional(current, isAsked) &&
    (kind === "flows" ? areAll(flows, (one) => isView(one, "flow")) : flows === undefined) &&
    isOptional(task, (one) => isView(one, "task")) &&
    (tasks === undefined || areAll(tasks, (one) => isView(one, "task"))) &&
    isOptional(summary, (one) => isView(one, "summary"))
  );
};

/** Whether a store's answer to `action` can be passed on. Total: nonsense of any kind is no answer. */
export const isSound = (action: Action, answered: Result<Outcome, HostFailure>): boolean => {
  try {
    return answered.isOk() ? isSoundOutcome(action, answered.value) : FAILURES.includes(answered.error);
  } catch {
    return false;
  }
};
