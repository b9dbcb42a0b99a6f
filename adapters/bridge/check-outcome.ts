// A store may be other code, whatever its types say: what it answers is an outcome of the action, about the flow that the
// action names, built from views, or it is refused. What is passed on is a copy, each part of it read once.

import { err, ok, type Result } from "neverthrow";
import {
  CANCEL_REFUSALS,
  CREATE_REFUSALS,
  type Delivery,
  FLOW_STATUSES,
  type FlowAction,
  isView,
  type ListFault,
  listViews,
  MUTATION_REFUSALS,
  NO_DELIVERY,
  type Outcome,
  OUTCOME_KINDS,
  STORE_FAILURES,
  type StoreFailure,
  TASK_REFUSALS,
} from "../../core/index.ts";

type Kind = Outcome["kind"];

/** Stands for a part that is not what the port promises. */
const BAD = Symbol("bad");

/** Reads one part; undefined leaves it out. `flowId`: the flow that the action names, if it names one. */
type Part = (value: unknown, flowId: string | undefined) => unknown;

//= SCOPE-2
const flow: Part = (value, flowId) =>
  isView(value, "flow") && (flowId === undefined || value.json["flowId"] === flowId) ? value : BAD;

const view =
  (kind: "task" | "summary"): Part =>
  (value) =>
    isView(value, kind) ? value : BAD;
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

/** By index, because a list of other code may have methods of its own, and holes. */
const listOf =
  (part: Part): Part =>
  (value, flowId) => {
    if (!Array.isArray(value)) return BAD;
    const parts: unknown[] = [];
    for (let index = 0; index < value.length; index += 1) {
      const read = part(value[index], flowId);
      if (read === BAD) return BAD;
      parts.push(read);
    }
    return parts;
  };

const text: Part = (value) => (typeof value === "string" ? value : BAD);

const count: Part = (value) => (typeof value === "number" && Number.isSafeInteger(value) ? value : BAD);

const oneOf =
  (words: readonly string[]): Part =>
  (value) =>
    words.find((word) => word === value) ?? BAD;

const refusalOf = (table: object): Part => oneOf(Object.keys(table));

const tasks = listOf(task);
const ended = optional(oneOf(FLOW_STATUSES));

/** What an outcome is made of; nothing else of it is read. */
const PARTS: Readonly<Record<Kind, readonly (readonly [name: string, part: Part])[]>> = {
  flow: [["flow", orNull(flow)]],
  flows: [
    ["flows", listOf(flow)],
    ["next", optional(orNull(text))],
  ],
  summary: [["summary", orNull(summary)]],
  created: [["flow", flow]],
  not_created: [["refusal", refusalOf(CREATE_REFUSALS)]],
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
  over_quota: [
    ["of", oneOf(["flows", "tasks"])],
    ["most", count],
    ["reopens", optional((value) => (value === true ? true : BAD))],
  ],
  existing: [["flow", flow]],
  ignored: [],
};

/** Outcomes of a request that a key leads to its flow, and failures of one that may be repeated. */
const ONLY_BOUND: ReadonlySet<Kind> = new Set<Kind>(["existing", "ignored"]);
const ONLY_LISTED: ReadonlySet<StoreFailure> = new Set<StoreFailure>(["list_too_large"]);
const ONLY_KEYED: ReadonlySet<StoreFailure> = new Set<StoreFailure>(["idempotency_key_reused"]);

type Read = { readonly [part: string]: unknown };

const kindsOf = ({ action }: FlowAction): readonly Kind[] => OUTCOME_KINDS[action];

//= VIEW-4, REPLY-3
const outcomeOf = (action: FlowAction, outcome: Read, { once, bind, quota }: Delivery): Outcome | undefined => {
  const said = outcome["kind"];
  const kind = kindsOf(action).find((one) => one === said);
  if (kind === undefined || (bind === undefined && ONLY_BOUND.has(kind))) return undefined;
  if (kind === "over_quota" && quota === undefined) return undefined;
  const flowId = bind === undefined && "flowId" in action ? action.flowId : undefined;
  const copy: { [part: string]: unknown } = { kind };
  for (const [name, part] of PARTS[kind]) {
    const read = part(outcome[name], flowId);
    if (read === BAD) return undefined;
    if (read !== undefined) copy[name] = read;
  }
  if (outcome["replayed"] === true) {
    if (once === undefined) return undefined;
    copy["replayed"] = true;
  }
  // boundary: each part is what its row says.
  return copy as Outcome;
};

//= LIST-5
/** A list has what the action asks for, whether the store knows filters and pages or not. */
const asAsked = (action: FlowAction, outcome: Outcome): Result<Outcome, ListFault> =>
  action.action === "list_flows" && outcome.kind === "flows" ? listViews(outcome, action) : ok(outcome);

const failureOf = (error: unknown): StoreFailure | undefined => STORE_FAILURES.find((one) => one === error);

/**
 * A copy of a store's answer to `action`, or undefined when it cannot be passed on. Total, whatever `answer` is. Where
 * a key leads to the flow, the store alone can follow it.
 */
export const checkOutcome = (
  action: FlowAction,
  answer: Result<Outcome, StoreFailure>,
  delivery: Delivery = NO_DELIVERY,
): Result<Outcome, StoreFailure> | undefined => {
  try {
    if (answer.isOk()) {
      const outcome = outcomeOf(action, answer.value, delivery);
      const checked = outcome === undefined ? undefined : asAsked(action, outcome);
      return checked?.isErr() === true && checked.error === "bad_host_answer" ? undefined : checked;
    }
    const failure = failureOf(answer.error);
    if (failure === undefined || (delivery.once === undefined && ONLY_KEYED.has(failure))) return undefined;
    if (action.action !== "list_flows" && ONLY_LISTED.has(failure)) return undefined;
    return err(failure);
  } catch {
    return undefined;
  }
};
