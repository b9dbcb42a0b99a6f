// Replays the traces of spec/flow.qnt over the real lifecycle: what the model answers and stores at each step, the code
// must answer and store.

import { err, ok, type Result } from "neverthrow";
import { match } from "ts-pattern";
import { expect, test } from "vitest";
import {
  type Action,
  type ActionOf,
  createFlow,
  type FlowEvent,
  type FlowRecord,
  type FlowStatus,
  parseAction,
  transition,
  type Transition,
} from "../../../core/index.ts";
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
type Outcome = Tag<"Done", { readonly flow: ModelFlow; readonly pending: boolean }> | Tag<"Refused", string>;
type State = {
  readonly now: number;
  readonly flows: ReadonlyMap<number, ModelFlow>;
  readonly tasks: ReadonlyMap<number, number>;
  readonly call: { readonly by: string; readonly flowId: number; readonly step: Step };
  readonly outcome: Outcome;
};

type Stored = { readonly owner: string; readonly flow: FlowRecord; readonly tasks: number };
type Store = Map<number, Stored>;
type Answer = Result<Transition, string>;

/** Who the model's callers act for; the host may touch every flow. */
const OWNERS: Readonly<Record<string, string>> = { ann: "a", amy: "a", bob: "b" };

const statusOf = ({ tag }: Status): FlowStatus => tag.toLowerCase() as FlowStatus;
/** What a field of the model is in a body or a record. */
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
const shownAs = ({ owner, flow }: Pick<Stored, "owner" | "flow">): object => ({
  owner,
  managed: flow.syncMode === "managed",
  revision: flow.revision,
  status: flow.status,
  blocked: [flow.blockedTaskId !== undefined, flow.blockedSummary !== undefined],
  waitJson: flow.waitJson,
  cancelRequestedAt: flow.cancelRequestedAt,
  updatedAt: flow.updatedAt,
  endedAt: flow.endedAt,
});

const expectedOf = (model: ModelFlow): object => shownAs({ owner: model.owner, flow: recordOf(0, model) });

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

/** The action as it comes in: only what the parser accepts can be asked for. */
const parsed = (body: object): Action => parseAction(body)._unsafeUnwrap();

const askOf = (event: Exclude<Event, { tag: "Sweep" }>): object =>
  match(event)
    .with({ tag: "CancelFlow" }, () => ({ action: "cancel_flow" }))
    .with({ tag: "RunTask" }, () => ({ action: "run_task", runtime: "acp", task: "task" }))
    .with({ tag: "Checked" }, ({ value: { asked, expectedRevision } }) => ({ ...bodyOf(asked), expectedRevision }))
    .exhaustive();

const eventOf = (event: Event, flowId: string): FlowEvent =>
  event.tag === "Sweep" ? { action: "sweep" } : (parsed({ ...askOf(event), flowId }) as FlowEvent);

const settled = (flow: FlowRecord): Answer => ok({ flow, pending: false });

const create = (id: number, step: { readonly status: Status; readonly waitJson: Field }, now: number): FlowRecord => {
  const body = { action: "create_flow", goal: "goal", status: statusOf(step.status), waitJson: fieldOf(step.waitJson) };
  return createFlow(`flow-${String(id)}`, parsed(body) as ActionOf<"create_flow">, "webhooks/r", now);
};

const answerOf = ({ flow, tasks }: Stored, step: Step, now: number): Answer =>
  step.tag === "Ask" ? transition(flow, eventOf(step.value, flow.flowId), tasks, now) : settled(flow);

const addedBy = (step: Step, answer: Answer): number => {
  if (step.tag === "TaskEnds") return -1;
  return step.tag === "Ask" && step.value.tag === "RunTask" && answer.isOk() ? 1 : 0;
};

/** Takes one step of the model with the real functions: changes `store` and gives the answer. */
const take = (store: Store, { call: { by, flowId, step }, now }: State): Answer => {
  const owner = OWNERS[by];
  if (step.tag === "Create") {
    const flow = create(flowId, step.value, now);
    store.set(flowId, { owner: String(owner), flow, tasks: 0 });
    return settled(flow);
  }
  const stored = store.get(flowId);
  if (stored === undefined || (owner !== undefined && owner !== stored.owner)) return err("not_found");
  const answer = answerOf(stored, step, now);
  const flow = answer.isOk() ? answer.value.flow : stored.flow;
  store.set(flowId, { ...stored, flow, tasks: stored.tasks + addedBy(step, answer) });
  return answer;
};

const start = ({ flows, tasks }: State): Store =>
  new Map(
    [...flows].map(([id, one]) => [id, { owner: one.owner, flow: recordOf(id, one), tasks: tasks.get(id) ?? 0 }]),
  );

const actual = (store: Store, owner: string, answer: Answer): object => ({
  answer: answer.match<object>(
    ({ flow, pending }) => ({ pending, flow: shownAs({ owner, flow }) }),
    (code) => ({ code }),
  ),
  flows: [...store].map(([id, one]) => [id, one.tasks, shownAs(one)]),
});

const expected = ({ flows, tasks, outcome }: State): object => ({
  answer: match(outcome)
    .with({ tag: "Done" }, ({ value: { flow, pending } }) => ({ pending, flow: expectedOf(flow) }))
    .with({ tag: "Refused" }, ({ value }) => ({ code: value }))
    .exhaustive(),
  flows: [...flows].map(([id, one]) => [id, tasks.get(id), expectedOf(one)]),
});

const nameOf = (step: Step): string => {
  if (step.tag !== "Ask") return step.tag;
  return step.value.tag === "Checked" ? step.value.value.asked.tag : step.value.tag;
};

const STEPS = ["Create", "Read", "TaskEnds", "SetWaiting", "ResumeFlow", "FinishFlow", "FailFlow", "RequestCancel"];

test("FLOW-1, FLOW-2, FLOW-3, FLOW-4, FLOW-5, FLOW-6: the lifecycle answers and stores at every step what the model does", () => {
  const traces = tracesOf<State>("flow");
  const replayed: string[] = [];
  for (const { name, states } of traces) {
    const [first, ...rest] = states;
    const store = start(first as State);
    for (const [index, state] of rest.entries()) {
      const { step, flowId } = state.call;
      const answer = take(store, state);
      const where = `${name}, step ${String(index + 1)}: ${nameOf(step)} on flow ${String(flowId)}`;
      expect(actual(store, state.flows.get(flowId)?.owner ?? "", answer), where).toEqual(expected(state));
      replayed.push(nameOf(step));
    }
  }
  console.log(`flow: ${String(traces.length)} traces, ${String(replayed.length)} steps replayed`);
  expect(new Set(replayed)).toEqual(new Set([...STEPS, "CancelFlow", "RunTask", "Sweep"]));
});
