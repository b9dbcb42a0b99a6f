// Replays the traces of spec/flow.qnt over whole commands of the core: at each step the code must answer and store what the
// model answers and stores.

import { match } from "ts-pattern";
import { expect, test } from "vitest";
import {
  createFlow,
  type FlowAction,
  type FlowRecord,
  type FlowStatus,
  type Outcome,
  parseAction,
  runTask,
  type TaskRecord,
} from "../../../core/index.ts";
import { carryOut, type Row, type Rows, sweep } from "../../support/small-store.ts";
import { tracesOf } from "./traces.ts";

type Tag<Name extends string, Value = unknown> = { readonly tag: Name; readonly value: Value };
type Field = Tag<"Absent" | "Null" | "Given">;
type Status = Tag<Capitalize<FlowStatus>>;
type Asked =
  | Tag<"SetWaiting", { readonly blocked: Field; readonly waitJson: Field }>
  | Tag<"ResumeFlow", Status>
  | Tag<"FinishFlow" | "RequestCancel">
  | Tag<"FailFlow", { readonly blocked: Field }>;
type Event =
  | Tag<"Checked", { readonly asked: Asked; readonly expectedRevision: number }>
  | Tag<"CancelFlow" | "RunTask">
  | Tag<"Sweep">;
type Step =
  | Tag<"Create", { readonly status: Status; readonly waitJson: Field }>
  | Tag<"Ask", Event>
  | Tag<"Start" | "Read" | "TaskEnds">;
type ModelFlow = {
  readonly owner: string;
  readonly managed: boolean;
  readonly revision: number;
  readonly status: Status;
  readonly blocked: boolean;
  readonly waitJson: Field;
  readonly cancelRequestedAt: number;
  readonly updatedAt: number;
  readonly endedAt: number;
};
type ModelOutcome = Tag<"Done", { readonly flow: ModelFlow; readonly pending: boolean }> | Tag<"Refused", string>;
type State = {
  readonly now: number;
  readonly flows: ReadonlyMap<number, ModelFlow>;
  readonly tasks: ReadonlyMap<number, number>;
  readonly call: { readonly by: string; readonly flowId: number; readonly step: Step };
  readonly outcome: ModelOutcome;
};

/** Who the model's callers act for; the host may touch every flow. */
const OWNERS: Readonly<Record<string, string>> = { ann: "a", amy: "a", bob: "b" };

const statusOf = ({ tag }: Status): FlowStatus => tag.toLowerCase() as FlowStatus;
/** The name of a model's field in a body or a record. */
const fieldOf = ({ tag }: Field): string | null | undefined => ({ Absent: undefined, Null: null, Given: "given" })[tag];
const timeOf = (time: number): number | undefined => (time === 0 ? undefined : time);

const recordOf = (id: number, model: ModelFlow): FlowRecord => ({
  flowId: `flow-${String(id)}`,
  syncMode: model.managed ? "managed" : "task_mirrored",
  revision: model.revision,
  status: statusOf(model.status),
  notifyPolicy: "done_only",
  goal: "goal",
  blockedTaskId: model.blocked ? "given" : undefined,
  blockedSummary: model.blocked ? "given" : undefined,
  waitJson: fieldOf(model.waitJson),
  cancelRequestedAt: timeOf(model.cancelRequestedAt),
  createdAt: 1,
  updatedAt: model.updatedAt,
  endedAt: timeOf(model.endedAt),
});

/** A record in the model's terms. The model has one field for the two blocked ones, which therefore must agree. */
const shownAs = (owner: string, flow: Readonly<Record<string, unknown>>): object => ({
  owner,
  managed: flow["syncMode"] === "managed",
  revision: flow["revision"],
  status: flow["status"],
  blocked: [flow["blockedTaskId"] !== undefined, flow["blockedSummary"] !== undefined],
  waitJson: flow["waitJson"],
  cancelRequestedAt: flow["cancelRequestedAt"],
  updatedAt: flow["updatedAt"],
  endedAt: flow["endedAt"],
});

const expectedOf = (model: ModelFlow): object => shownAs(model.owner, recordOf(0, model));

const bodyOf = (asked: Asked): object =>
  match(asked)
    .with({ tag: "SetWaiting" }, ({ value: { blocked, waitJson } }) => ({
      action: "set_waiting",
      blockedTaskId: fieldOf(blocked),
      blockedSummary: fieldOf(blocked),
      waitJson: fieldOf(waitJson),
    }))
    .with({ tag: "ResumeFlow" }, ({ value }) => ({ action: "resume_flow", status: statusOf(value) }))
    .with({ tag: "FinishFlow" }, () => ({ action: "finish_flow" }))
    .with({ tag: "FailFlow" }, ({ value: { blocked } }) => ({
      action: "fail_flow",
      blockedTaskId: fieldOf(blocked),
      blockedSummary: fieldOf(blocked),
    }))
    .with({ tag: "RequestCancel" }, () => ({ action: "request_cancel" }))
    .exhaustive();

/** The action as the parser gives it, because only a parsed action can be carried out. */
const parsed = (body: object): FlowAction => {
  const action = parseAction(body)._unsafeUnwrap();
  return action.action === "create_flow" ? { ...action, controllerId: "webhooks/r" } : action;
};

const askOf = (event: Exclude<Event, { tag: "Sweep" }>): object =>
  match(event)
    .with({ tag: "CancelFlow" }, () => ({ action: "cancel_flow" }))
    .with({ tag: "RunTask" }, () => ({ action: "run_task", runtime: "acp", task: "task" }))
    .with({ tag: "Checked" }, ({ value: { asked, expectedRevision } }) => ({ ...bodyOf(asked), expectedRevision }))
    .exhaustive();

const actionOf = (step: Step, flowId: string): FlowAction | undefined => {
  if (step.tag === "Create") {
    const { status, waitJson } = step.value;
    return parsed({ action: "create_flow", goal: "goal", status: statusOf(status), waitJson: fieldOf(waitJson) });
  }
  if (step.tag === "Ask" && step.value.tag !== "Sweep") return parsed({ ...askOf(step.value), flowId });
  return undefined;
};

const idOf = (flowId: number): string => `flow-${String(flowId)}`;

/** What a step was told: the refusal, or the flow as it shows, and whether its cancellation waits for tasks. */
type Answer =
  { readonly code: string } | { readonly pending: boolean; readonly flow: Readonly<Record<string, unknown>> };

const flowIn = (outcome: Outcome): Readonly<Record<string, unknown>> =>
  "flow" in outcome && outcome.flow !== null && outcome.flow !== undefined ? outcome.flow.json : {};

/** What the host does to one flow: it ends a task, or sweeps. */
const byHost = (row: Row, step: Step, now: number): Row => {
  if (step.tag === "TaskEnds") return { ...row, tasks: row.tasks.slice(1) };
  const swept = step.tag === "Ask" ? sweep(new Map([[row.flow.flowId, row]]), now).get(row.flow.flowId) : row;
  return swept ?? row;
};

type World = { rows: Rows; steps: number };

/** Takes one step of the model with whole commands of the code: changes `world` and returns the answer. */
const take = (world: World, { call: { by, flowId, step }, now }: State): Answer => {
  world.steps += 1;
  const action = actionOf(step, idOf(flowId));
  const row = world.rows.get(idOf(flowId));
  const owner = OWNERS[by] ?? row?.owner ?? "";
  if (action !== undefined) {
    const fresh = step.tag === "Create" ? idOf(flowId) : `task-${String(world.steps)}`;
    const { rows, answer, outcome } = carryOut(world.rows, owner, action, now, fresh);
    world.rows = rows;
    const isDone = ["written", "unchanged", "pending"].includes(answer);
    return isDone ? { pending: answer === "pending", flow: flowIn(outcome) } : { code: answer };
  }
  if (row === undefined || row.owner !== owner) return { code: "not_found" };
  const after = byHost(row, step, now);
  world.rows = new Map(world.rows).set(idOf(flowId), after);
  return { pending: false, flow: after.flow };
};

/** Tasks that are there when a trace begins. */
const tasksOf = (flow: FlowRecord, count: number): readonly TaskRecord[] =>
  Array.from({ length: count }, (_, index) =>
    runTask(
      createFlow(flow.flowId, { action: "create_flow", goal: "goal", controllerId: "webhooks/r" }, 1),
      { action: "run_task", flowId: flow.flowId, runtime: "acp", task: "task" },
      [],
      { taskId: `${flow.flowId} task ${String(index)}`, sessionKey: "a", now: 1 },
    )._unsafeUnwrap(),
  );

const start = ({ flows, tasks }: State): World => ({
  steps: 0,
  rows: new Map(
    [...flows].map(([id, one]) => {
      const flow = recordOf(id, one);
      return [flow.flowId, { owner: one.owner, flow, tasks: tasksOf(flow, tasks.get(id) ?? 0) }];
    }),
  ),
});

const actual = ({ rows }: World, owner: string, answer: Answer): object => ({
  answer: "code" in answer ? answer : { pending: answer.pending, flow: shownAs(owner, answer.flow) },
  flows: [...rows.values()].map((row) => [row.flow.flowId, row.tasks.length, shownAs(row.owner, row.flow)]),
});

const expected = ({ flows, tasks, outcome }: State): object => ({
  answer: match(outcome)
    .with({ tag: "Done" }, ({ value: { flow, pending } }) => ({ pending, flow: expectedOf(flow) }))
    .with({ tag: "Refused" }, ({ value }) => ({ code: value }))
    .exhaustive(),
  flows: [...flows].map(([id, one]) => [idOf(id), tasks.get(id), expectedOf(one)]),
});

const nameOf = (step: Step): string => {
  if (step.tag !== "Ask") return step.tag;
  return step.value.tag === "Checked" ? step.value.value.asked.tag : step.value.tag;
};

const STEPS = ["Create", "Read", "TaskEnds", "SetWaiting", "ResumeFlow", "FinishFlow", "FailFlow", "RequestCancel"];

test("FLOW-1, FLOW-2, FLOW-3, FLOW-4, FLOW-5, FLOW-6, FLOW-7: at every step a command answers and stores the same as in the model", () => {
  const traces = tracesOf<State>("flow");
  const replayed: string[] = [];
  for (const { name, states } of traces) {
    const [first, ...rest] = states;
    const world = start(first as State);
    for (const [index, state] of rest.entries()) {
      const { step, flowId } = state.call;
      const answer = take(world, state);
      const where = `${name}, step ${String(index + 1)}: ${nameOf(step)} on flow ${String(flowId)}`;
      expect(actual(world, state.flows.get(flowId)?.owner ?? "", answer), where).toEqual(expected(state));
      replayed.push(nameOf(step));
    }
  }
  console.log(`flow: ${String(traces.length)} traces, ${String(replayed.length)} steps replayed`);
  expect(new Set(replayed)).toEqual(new Set([...STEPS, "CancelFlow", "RunTask", "Sweep"]));
});
