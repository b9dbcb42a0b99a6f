// A store is somebody's code: what it answers is an outcome of what was asked, about the flow that was asked for, shown
// by views, or it is nonsense. Types promise that; this looks, and passes on a copy, each part of it read once.

import { err, ok, type Result } from "neverthrow";
import {
  type Action,
  type ActionName,
  CANCEL_REFUSALS,
  FLOW_STATUSES,
  type HostFailure,
  isView,
  MUTATION_REFUSALS,
  type Outcome,
  TASK_REFUSALS,
} from "../../core/index.ts";

type Kind = Outcome["kind"];

const READ: readonly Kind[] = ["flow"];
const CHANGED: readonly Kind[] = ["applied", "not_applied"];

const KINDS: Readonly<Record<ActionName, readonly Kind[]>> = {
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

/** Stands for a part that is not what the port promises. */
const NONSENSE = Symbol("nonsense");

/** Reads one part; `flowId`: the flow that was asked for, if one was. Undefined: it may be left out, and is. */
type Part = (value: unknown, flowId: string | undefined) => unknown;

//= SCOPE-2
const flow: Part = (value, flowId) =>
  isView(value, "flow") && (flowId === undefined || value.json["flowId"] === flowId) ? value : NONSENSE;

const view =
  (kind: "task" | "summary"): Part =>
  (value) =>
    isView(value, kind) ? value : NONSENSE;
const task = view("task");
const summary = view("summary");

const optional =
  (part: Part): Part =>
  (value, flowId) =>
    value === undefined ? undefined : part(value, flowId);

const orNull =
  (part: Part): Part =>
  (value, flowId) =>
    value === null ? null : part(value, flowId);

/** By index, for a list of somebody else's may have methods of its own, and holes. */
const listOf =
  (part: Part): Part =>
  (value, flowId) => {
    if (!Array.isArray(value)) return NONSENSE;
    const parts: unknown[] = [];
    for (let index = 0; index < value.length; index += 1) {
      const read = part(value[index], flowId);
      if (read === NONSENSE) return NONSENSE;
      parts.push(read);
    }
    return parts;
  };

const oneOf =
  (words: readonly string[]): Part =>
  (value) =>
    words.find((word) => word === value) ?? NONSENSE;

const refusalOf = (table: object): Part => oneOf(Object.keys(table));

const tasks = listOf(task);
const ended = optional(oneOf(FLOW_STATUSES));

/** What an outcome is made of; what is not named here is nobody's business. */
const PARTS: Readonly<Record<Kind, readonly (readonly [name: string, part: Part])[]>> = {
  flow: [["flow", orNull(flow)]],
  flows: [["flows", listOf(flow)]],
  summary: [["summary", orNull(summary)]],
  created: [["flow", flow]],
  not_created: [["refusal", oneOf(["persist_failed", "create_rejected"])]],
  applied: [["flow", flow]],
  not_applied: [
    ["refusal", refusalOf(MUTATION_REFUSALS)],
    ["current", optional(flow)],
  ],
  cancelled: [
    ["flow", optional(flow)],
    ["tasks", optional(tasks)],
  ],
  not_cancelled: [
    ["refusal", refusalOf(CANCEL_REFUSALS)],
    ["ended", ended],
    ["flow", optional(flow)],
    ["tasks", optional(tasks)],
  ],
  task_created: [
    ["flow", flow],
    ["task", task],
  ],
  task_not_created: [
    ["refusal", refusalOf(TASK_REFUSALS)],
    ["ended", ended],
    ["flow", optional(flow)],
  ],
};

type Read = { readonly [part: string]: unknown };

//= VIEW-4, REPLY-3
const outcomeOf = (action: Action, outcome: Read): Outcome | undefined => {
  const kind = KINDS[action.action].find((one) => one === outcome["kind"]);
  if (kind === undefined) return undefined;
  const flowId = "flowId" in action ? action.flowId : undefined;
  const sound: { [part: string]: unknown } = { kind };
  for (const [name, part] of PARTS[kind]) {
    const read = part(outcome[name], flowId);
    if (read === NONSENSE) return undefined;
    if (read !== undefined) sound[name] = read;
  }
  // boundary: each part is what its row says.
  return sound as Outcome;
};

const FAILURES: readonly HostFailure[] = ["persist_failed", "bad_host_answer", "outcome_unknown"];

const failureOf = (error: unknown): HostFailure | undefined => FAILURES.find((one) => one === error);

/** A copy of a store's answer to `action`, or undefined when it cannot be passed on. Total, whatever `answered` is. */
export const soundAnswer = (
  action: Action,
  answered: Result<Outcome, HostFailure>,
): Result<Outcome, HostFailure> | undefined => {
  try {
    if (answered.isOk()) {
      const outcome = outcomeOf(action, answered.value);
      return outcome === undefined ? undefined : ok(outcome);
    }
    const failure = failureOf(answered.error);
    return failure === undefined ? undefined : err(failure);
  } catch {
    return undefined;
  }
};
