// Draws the lifecycle and the pipeline from the code that runs: nothing here says what an action does.

import { match } from "ts-pattern";
import {
  ACTIONS,
  createFlow,
  FLOW_STATUSES,
  type FlowEvent,
  type FlowRecord,
  type FlowStatus,
  parseAction,
  REJECTIONS,
  transition,
} from "../../core/index.ts";

const NOW = 2;
const FLOW: FlowRecord = createFlow("f", { action: "create_flow", goal: "g", controllerId: "c" }, 1);
const CHECKED = { flowId: "f", expectedRevision: 0 };

/** Each event of the lifecycle, once for each outcome that its own fields decide. */
const EVENTS: Readonly<Record<string, FlowEvent>> = {
  set_waiting: { ...CHECKED, action: "set_waiting" },
  "set_waiting with a block": { ...CHECKED, action: "set_waiting", blockedSummary: "b" },
  resume_flow: { ...CHECKED, action: "resume_flow" },
  "resume_flow as running": { ...CHECKED, action: "resume_flow", status: "running" },
  finish_flow: { ...CHECKED, action: "finish_flow" },
  fail_flow: { ...CHECKED, action: "fail_flow" },
  request_cancel: { ...CHECKED, action: "request_cancel" },
  cancel_flow: { action: "cancel_flow", flowId: "f" },
  run_task: { action: "run_task", flowId: "f", runtime: "acp", task: "t" },
  sweep: { action: "sweep" },
};

type Place = { readonly name: string; readonly flow: FlowRecord };

const ENDED: readonly FlowStatus[] = ["succeeded", "failed", "cancelled", "lost"];

const PLACES: readonly Place[] = FLOW_STATUSES.map((status) => ({
  name: status,
  flow: { ...FLOW, status, endedAt: ENDED.includes(status) ? 1 : undefined },
}));

type Circumstance = { readonly intent: boolean; readonly tasks: number };

const outcomeOf = ({ flow }: Place, event: FlowEvent, { intent, tasks }: Circumstance): string => {
  const before = intent ? { ...flow, cancelRequestedAt: 1 } : flow;
  return transition(before, event, tasks, NOW).match(
    ({ flow: after, pending }) => {
      const writes = after.revision - before.revision;
      const status = after.status === before.status ? "=" : after.status;
      const marked = after.cancelRequestedAt !== before.cancelRequestedAt ? ", intent" : "";
      return `${status} +${String(writes)}${marked}${pending ? ", pending" : ""}`;
    },
    (refusal) => `*${refusal}*`,
  );
};

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const tableFor = (circumstance: Circumstance): string => {
  const names = PLACES.map(({ name }) => name);
  return [
    row(["action", ...names]),
    row(["---", ...names.map(() => "---")]),
    ...Object.entries(EVENTS).map(([name, event]) =>
      row([name, ...PLACES.map((place) => outcomeOf(place, event, circumstance))]),
    ),
  ].join("\n");
};

/** What each action does to a managed flow in each status, in the three circumstances that make a difference. */
export const lifecycleTables = (): string =>
  [
    `Without a cancel intent, no active task:\n\n${tableFor({ intent: false, tasks: 0 })}`,
    `Without a cancel intent, one active task:\n\n${tableFor({ intent: false, tasks: 1 })}`,
    `With a cancel intent, no active task:\n\n${tableFor({ intent: true, tasks: 0 })}`,
  ].join("\n\n");

type Edge = { readonly from: string; readonly to: string; readonly by: string };

const edgesOf = (name: string, event: FlowEvent, circumstance: Circumstance): readonly Edge[] =>
  PLACES.flatMap((place) => {
    const before = circumstance.intent ? { ...place.flow, cancelRequestedAt: 1 } : place.flow;
    const result = transition(before, event, circumstance.tasks, NOW);
    return result.isOk() && result.value.flow !== before
      ? [{ from: place.name, to: result.value.flow.status, by: name }]
      : [];
  });

/** An action that leads from every status to one and the same is drawn once, from "any". */
const drawn = (edges: readonly Edge[]): readonly Edge[] => {
  const [first] = edges;
  if (first === undefined) return [];
  const isFromAll = PLACES.every(({ name }) => edges.some(({ from, to }) => from === name && to === first.to));
  return isFromAll ? [{ ...first, from: "any" }] : edges.filter(({ from, to }) => from !== to);
};

const CREATED = ACTIONS.create_flow.shape.status.unwrap().options;

/** The lifecycle of a managed flow as a mermaid state diagram. */
export const lifecycleDiagram = (): string => {
  const plain = Object.entries(EVENTS).flatMap(([name, event]) =>
    drawn(edgesOf(name, event, { intent: false, tasks: 0 })),
  );
  const swept = drawn(edgesOf("sweep", { action: "sweep" }, { intent: true, tasks: 0 })).map((edge) => ({
    ...edge,
    by: "sweep of an intent, no task being active",
  }));
  const grouped = Map.groupBy(plain, ({ from, to }) => `${from} --> ${to}`);
  return [
    "stateDiagram-v2",
    '  state "any status" as any',
    ...CREATED.map((status) => `  [*] --> ${status}: create_flow`),
    ...[...grouped].map(([arrow, edges]) => `  ${arrow}: ${edges.map(({ by }) => by).join(" / ")}`),
    ...swept.map(({ from, to, by }) => `  ${from} --> ${to}: ${by}`),
  ].join("\n");
};

type Code = keyof typeof REJECTIONS;

/** The step of the pipeline that a refusal leaves at. */
const stepOf = (code: Code): string =>
  match(code)
    .with("route_not_found", "method_not_allowed", () => "locate")
    .with(
      "admission_unavailable",
      "rate_limited",
      "unsupported_media_type",
      "too_many_in_flight",
      "unauthorized",
      () => "admit",
    )
    .with("payload_too_large", "request_timeout", "overloaded", () => "body")
    .with("invalid_json", "invalid_request", "mapping_failed", "action_not_allowed", () => "accept")
    .with("idempotency_key_reused", "idempotency_in_progress", "idempotency_unavailable", () => "execute")
    .with("list_too_large", "persist_failed", "bad_host_answer", "outcome_unknown", () => "execute")
    .with("too_many_waiting", () => "execute")
    .with("internal", () => "defect")
    .exhaustive();

const NODES = {
  locate: "locate: path, method",
  limits: "limits.admit: counts the request",
  admit: "admit: window, media type, slot, credential",
  body: "read the body",
  accept: "accept: UTF-8, JSON, schema",
  execute: "store.execute: the flows of one session",
  answer: "answer: views and codes only",
} as const;

/** The pipeline as a mermaid flow chart: the order of the checks is that of the table of refusals. */
export const pipelineDiagram = (): string => {
  const names = Object.keys(NODES);
  const codes = Object.keys(REJECTIONS) as Code[];
  return [
    "flowchart LR",
    ...Object.entries(NODES).map(([name, label]) => `  ${name}["${label}"]`),
    `  ${names.join(" --> ")} --> reply(["one reply, one audit line"])`,
    ...codes
      .map((code) => [stepOf(code), `${String(REJECTIONS[code].status)} ${code}`] as const)
      .filter(([step]) => step !== "defect")
      .map(([step, label]) => `  ${step} -.->|${label}| reply`),
  ].join("\n");
};

/** Proof that the actions of the tables are actions: each is what its parser accepts. */
export const areEventsValid = (): boolean =>
  Object.values(EVENTS).every((event) => event.action === "sweep" || parseAction(event).isOk());
