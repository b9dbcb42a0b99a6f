// Every state that three flows, two callers, a caller of another owner and the host can reach with the real lifecycle,
// up to a few writes for each flow, and every step from it.

import { expect, test } from "vitest";
import {
  createFlow,
  FLOW_STATUSES,
  type FlowEvent,
  type FlowRecord,
  type FlowStatus,
  type RevisionChecked,
  transition,
} from "../../../core/index.ts";
import { explore, type System } from "./explore.ts";

/** `mine` is managed and `mirrored` mirrors a task, both of owner a; `theirs` is managed and of owner b. */
const OWNERS = { mine: "a", mirrored: "a", theirs: "b" } as const;
type Name = keyof typeof OWNERS;
const NAMES = Object.keys(OWNERS) as readonly Name[];
/** No more is asked of a flow that has this revision. */
const LAST_REVISION: Readonly<Record<Name, number>> = { mine: 3, mirrored: 3, theirs: 1 };
const MAX_TASKS = 2;

/** Two callers share an owner; the third acts for another. */
const CALLERS = { ann: "a", amy: "a", bob: "b" } as const;
type Caller = keyof typeof CALLERS;

type State = {
  /** Higher in each step: no two steps are at one time. */
  readonly now: number;
  readonly flows: Readonly<Partial<Record<Name, FlowRecord>>>;
  readonly tasks: Readonly<Record<Name, number>>;
  /** The revision of `mine` that each of its callers has read last. */
  readonly known: Readonly<Record<"ann" | "amy", number>>;
  /** What the last step was told; no part of what follows from here. */
  readonly answer: string;
};

type Action =
  | { readonly does: "begin"; readonly flow: FlowRecord }
  | { readonly does: "read"; readonly by: "ann" | "amy" }
  | { readonly does: "end a task"; readonly name: Name }
  | { readonly does: "ask"; readonly by: Caller | "host"; readonly name: Name; readonly event: FlowEvent };

/** Frozen, as is every record here: an event that writes to the record it is given ends the search. */
const createdAs = (status: "queued" | "running" | "waiting" | "blocked"): FlowRecord =>
  Object.freeze(createFlow("flow", { action: "create_flow", goal: "goal", status }, "webhooks/r", 1));
const found = (syncMode: FlowRecord["syncMode"], status: FlowStatus, endedAt: number | undefined): FlowRecord =>
  Object.freeze({ ...createdAs("queued"), syncMode, status, endedAt });

/** How `mine` begins: made by a command, or found in the store as no command leaves it. */
const BEGINNINGS: readonly FlowRecord[] = [
  ...(["queued", "running", "waiting", "blocked"] as const).map(createdAs),
  found("managed", "lost", 1),
  found("managed", "blocked", 1),
];

const FLOW = { flowId: "flow" } as const;
const checkedAt = (expectedRevision: number): readonly RevisionChecked[] =>
  [
    { action: "set_waiting" },
    { action: "set_waiting", blockedTaskId: "task", waitJson: 1 },
    { action: "set_waiting", blockedTaskId: null },
    { action: "resume_flow" },
    { action: "resume_flow", status: "running" },
    { action: "finish_flow" },
    { action: "fail_flow" },
    { action: "fail_flow", blockedSummary: "why" },
    { action: "request_cancel" },
  ].map((asked) => ({ ...asked, ...FLOW, expectedRevision }) as RevisionChecked);
const CANCEL: FlowEvent = { action: "cancel_flow", ...FLOW };
const RUN_TASK: FlowEvent = { action: "run_task", ...FLOW, runtime: "acp", task: "task" };
const FINISH_FIRST: RevisionChecked = { action: "finish_flow", ...FLOW, expectedRevision: 0 };

const asks = (by: Caller | "host", name: Name, events: readonly FlowEvent[]): readonly Action[] =>
  events.map((event) => ({ does: "ask", by, name, event }));

/** What is asked of each flow. Who has read a flow names what it read; a stranger guesses, and guesses right. */
const asked = ({ flows, tasks, known }: State, name: Name): readonly Action[] => {
  const flow = flows[name];
  if (flow === undefined || flow.revision >= LAST_REVISION[name]) return [];
  const others = [CANCEL, ...(tasks[name] < MAX_TASKS ? [RUN_TASK] : [])];
  const host = asks("host", name, [{ action: "sweep" }]);
  if (name === "mirrored") return [...asks("ann", name, [FINISH_FIRST, ...others]), ...host];
  if (name === "theirs") return asks("ann", name, [FINISH_FIRST, CANCEL]);
  return [
    ...asks("ann", name, [...checkedAt(known.ann), ...others]),
    ...asks("amy", name, [...checkedAt(known.amy), { ...FINISH_FIRST, expectedRevision: flow.revision + 1 }]),
    ...asks("bob", name, [{ ...FINISH_FIRST, expectedRevision: flow.revision }, CANCEL, RUN_TASK]),
    ...host,
  ];
};

const actions = (state: State): readonly Action[] => [
  ...(state.flows.mine === undefined ? BEGINNINGS.map((flow): Action => ({ does: "begin", flow })) : []),
  ...(["ann", "amy"] as const)
    .filter((by) => state.flows.mine !== undefined && state.known[by] !== state.flows.mine.revision)
    .map((by): Action => ({ does: "read", by })),
  ...NAMES.filter((name) => state.tasks[name] > 0).map((name): Action => ({ does: "end a task", name })),
  ...NAMES.flatMap((name) => asked(state, name)),
];

const addTask = (state: State, name: Name, more: number): State => ({
  ...state,
  tasks: { ...state.tasks, [name]: state.tasks[name] + more },
});

const ask = (state: State, { by, name, event }: Extract<Action, { does: "ask" }>): State => {
  const flow = state.flows[name];
  if (flow === undefined || (by !== "host" && CALLERS[by] !== OWNERS[name])) return { ...state, answer: "not_found" };
  const result = transition(flow, event, state.tasks[name], state.now);
  if (result.isErr()) return { ...state, answer: result.error };
  const { flow: after, pending } = result.value;
  const answered: State = {
    ...state,
    flows: { ...state.flows, [name]: Object.freeze(after) },
    answer: pending ? "pending" : after === flow ? "unchanged" : "written",
  };
  return event.action === "run_task" ? addTask(answered, name, 1) : answered;
};

const next = (before: State, action: Action): State => {
  const state = { ...before, now: before.now + 1, answer: "" };
  if (action.does === "ask") return ask(state, action);
  if (action.does === "end a task") return addTask(state, action.name, -1);
  if (action.does === "begin") return { ...state, flows: { ...state.flows, mine: action.flow } };
  return { ...state, known: { ...state.known, [action.by]: state.flows.mine?.revision ?? 0 } };
};

/** The lifecycle never compares times: it matters only which are set. */
const flowKey = (flow: FlowRecord | undefined): readonly unknown[] =>
  flow === undefined
    ? []
    : [
        flow.revision,
        flow.status,
        flow.blockedTaskId,
        flow.blockedSummary,
        flow.waitJson === undefined ? "none" : flow.waitJson,
        flow.cancelRequestedAt !== undefined,
        flow.endedAt !== undefined,
      ];

/** The two callers of one owner may change places. */
const key = ({ flows, tasks, known }: State): string =>
  JSON.stringify([NAMES.map((name) => [tasks[name], ...flowKey(flows[name])]), [known.ann, known.amy].toSorted()]);

type Step = (before: State, action: Action, after: State) => boolean;
type Asking = Extract<Action, { does: "ask" }>;

/** A sentence about what is asked of a stored flow by somebody who may ask. */
const onAsk =
  (holds: (was: FlowRecord, is: FlowRecord, asking: Asking, after: State) => boolean): Step =>
  (before, action, after) => {
    if (action.does !== "ask" || after.answer === "not_found") return true;
    const [was, is] = [before.flows[action.name], after.flows[action.name]];
    return was !== undefined && is !== undefined && holds(was, is, action, after);
  };

const isChecked = (event: FlowEvent): event is RevisionChecked => "expectedRevision" in event;
const isCancelled = ({ status, endedAt }: FlowRecord, now: number): boolean =>
  status === "cancelled" && endedAt === now;

/** A cancel_flow that marks the intent and ends the flow in one go is two writes. */
const writes = (was: FlowRecord, { event }: Asking, { answer }: State): number =>
  event.action === "cancel_flow" && was.cancelRequestedAt === undefined && answer !== "pending" ? 2 : 1;

const onlyNamedChanges: Step = (before, action, after) =>
  action.does === "begin" ||
  NAMES.every((name) => before.flows[name] === after.flows[name] || ("name" in action && action.name === name));

const REFUSALS = ["not_found", "not_managed", "revision_conflict", "terminal", "cancel_requested"];

const refusalChangesNothing: Step = (before, _action, after) =>
  !REFUSALS.includes(after.answer) || (before.flows === after.flows && before.tasks === after.tasks);

const writeAddsOne = onAsk(
  (was, is, asking, after) =>
    is === was || (is.revision - was.revision === writes(was, asking, after) && is.updatedAt === after.now),
);

const namedRevision = onAsk((was, _is, { event }, { answer }) => {
  if (!isChecked(event) || was.syncMode !== "managed") return true;
  return answer === (event.expectedRevision === was.revision ? "written" : "revision_conflict");
});

/** Asked at once again, every command for the revision that has been taken is refused. */
const oneWinner = onAsk((_was, is, { event }, { answer, now }) => {
  if (!isChecked(event) || answer !== "written") return true;
  return checkedAt(event.expectedRevision).every((late) => transition(is, late, 0, now).isErr());
});

const intentSurvives = onAsk((was, is, { event }, { now, answer }) => {
  if (event.action === "request_cancel" && answer === "written") return is.cancelRequestedAt === now;
  return was.cancelRequestedAt === undefined || is.cancelRequestedAt === was.cancelRequestedAt;
});

const taskAnswer = (flow: FlowRecord): string => {
  if (flow.syncMode !== "managed") return "not_managed";
  if (flow.cancelRequestedAt !== undefined) return "cancel_requested";
  return flow.endedAt === undefined ? "unchanged" : "terminal";
};

const taskOnlyForLiveFlow = onAsk(
  (was, is, { event }, { answer }) => event.action !== "run_task" || (is === was && answer === taskAnswer(was)),
);

const cancelMarksOrEnds = onAsk((was, is, { name, event }, { answer, now, tasks }) => {
  if (event.action !== "cancel_flow") return true;
  if (was.endedAt !== undefined) return answer === "terminal";
  if (is.cancelRequestedAt !== (was.cancelRequestedAt ?? now)) return false;
  return tasks[name] > 0 ? answer === "pending" && is.status === was.status : isCancelled(is, now);
});

const mirroredIsNotManaged = onAsk((was, is, { event }, { answer }) => {
  if (was.syncMode === "managed" || event.action === "cancel_flow") return true;
  return is === was && answer === (event.action === "sweep" ? "unchanged" : "not_managed");
});

const sweepEndsIntents = onAsk((was, is, { name, event }, { now, tasks }) => {
  if (event.action !== "sweep") return true;
  const isDue = was.cancelRequestedAt !== undefined && was.endedAt === undefined && tasks[name] === 0;
  return isDue && was.syncMode === "managed" ? isCancelled(is, now) : is === was;
});

const ENDED: readonly FlowStatus[] = ["succeeded", "failed", "cancelled", "lost"];
const everyFlow =
  (holds: (flow: FlowRecord) => boolean) =>
  ({ flows }: State): boolean =>
    Object.values(flows).every(holds);
const mine =
  (holds: (flow: FlowRecord, state: State) => boolean) =>
  (state: State): boolean =>
    state.flows.mine !== undefined && holds(state.flows.mine, state);

const system: System<State, Action> = {
  initial: {
    now: 1,
    flows: { mirrored: found("task_mirrored", "running", undefined), theirs: createdAs("queued") },
    tasks: { mine: 0, mirrored: 1, theirs: 0 },
    known: { ann: 0, amy: 0 },
    answer: "",
  },
  actions,
  next,
  key,
  invariants: {
    "FLOW-1: an ended status has an end, queued, running and waiting have none": everyFlow(
      ({ status, endedAt }) => status === "blocked" || (endedAt !== undefined) === ENDED.includes(status),
    ),
  },
  steps: {
    "FLOW-1: a refused command changes nothing": refusalChangesNothing,
    "FLOW-1: a command changes no flow but the one it names": onlyNamedChanges,
    "FLOW-2: every write adds 1 to the revision and has its time": writeAddsOne,
    "FLOW-3: a command is applied if it names the revision, and refused if not, in every status": namedRevision,
    "FLOW-3: of several commands for one revision at most one is applied": oneWinner,
    "FLOW-4: an intent is never removed, and only request_cancel moves it": intentSurvives,
    "FLOW-5: a task is refused for a mirrored flow, else for an intent, else for an end": taskOnlyForLiveFlow,
    "FLOW-6: cancel_flow refuses an ended flow, and marks and ends any other, or waits for its tasks":
      cancelMarksOrEnds,
    "FLOW-1: nothing but cancel_flow changes a mirrored flow": mirroredIsNotManaged,
    "FLOW-6: the sweep ends a managed flow with an intent and without tasks, and no other": sweepEndsIntents,
  },
  reachable: {
    ...Object.fromEntries(FLOW_STATUSES.map((status) => [`${status}`, mine((flow) => flow.status === status)])),
    "blocked with an end": mine(({ status, endedAt }) => status === "blocked" && endedAt !== undefined),
    "waiting with the old block": mine(({ status, blockedTaskId }) => status === "waiting" && blockedTaskId === "task"),
    "a pending cancel": mine((flow, { tasks }) => flow.cancelRequestedAt !== undefined && tasks.mine > 0),
    "ended with a task": mine(({ endedAt }, { tasks }) => endedAt !== undefined && tasks.mine > 0),
    "finished with an intent": mine((flow) => flow.status === "succeeded" && flow.cancelRequestedAt !== undefined),
    "both callers stale": mine(({ revision }, { known }) => revision > known.ann && revision > known.amy),
    "a mirrored flow goes on with an intent": ({ flows: { mirrored } }) =>
      mirrored?.status === "running" && mirrored.cancelRequestedAt !== undefined,
    "a mirrored flow is cancelled": ({ flows: { mirrored } }) => mirrored?.status === "cancelled",
  },
};

/** What each event is answered somewhere: an answer that never comes would hide a broken sentence. */
const ANSWERS: Readonly<Record<FlowEvent["action"], readonly string[]>> = {
  set_waiting: ["revision_conflict", "written"],
  resume_flow: ["revision_conflict", "written"],
  finish_flow: ["not_found", "not_managed", "revision_conflict", "written"],
  fail_flow: ["revision_conflict", "written"],
  request_cancel: ["revision_conflict", "written"],
  cancel_flow: ["not_found", "pending", "terminal", "written"],
  run_task: ["cancel_requested", "not_found", "not_managed", "terminal", "unchanged"],
  sweep: ["unchanged", "written"],
};

test("FLOW-1, FLOW-2, FLOW-3, FLOW-4, FLOW-5, FLOW-6: hold in every state and every step of three flows and their callers", () => {
  const told = new Set<string>();
  const noting = (state: State, action: Action): State => {
    const after = next(state, action);
    if (action.does === "ask") told.add(`${action.event.action}: ${after.answer}`);
    return after;
  };
  const { states, transitions, violation, unreached } = explore({ ...system, next: noting }, 50_000);
  console.log(`flow: ${String(states)} states, ${String(transitions)} transitions`);
  expect(violation).toBeUndefined();
  expect(unreached).toEqual([]);
  const expected = Object.entries(ANSWERS).flatMap(([event, answers]) =>
    answers.map((answer) => `${event}: ${answer}`),
  );
  expect([...told].toSorted()).toEqual(expected.toSorted());
});
