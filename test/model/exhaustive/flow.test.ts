// All states that three flows, two callers, a caller of another owner and the host can reach with the real commands, up to a
// few writes for each flow, and every step from them.

import { expect, test } from "vitest";
import {
  createFlow,
  FLOW_STATUSES,
  type FlowAction,
  type FlowRecord,
  type FlowStatus,
  type RevisionChecked,
  runTask,
  type TaskRecord,
} from "../../../core/index.ts";
import { carryOut, type Rows, sweep } from "../../support/small-store.ts";
import { explore, type System } from "./explore.ts";

/** `mine` is managed and `mirrored` mirrors a task, both of owner a; `theirs` is managed and of owner b. */
const OWNERS = { mine: "a", mirrored: "a", theirs: "b" } as const;
type Name = keyof typeof OWNERS;
const NAMES = Object.keys(OWNERS) as readonly Name[];
/** A flow with this revision gets no more commands. */
const LAST_REVISION: Readonly<Record<Name, number>> = { mine: 3, mirrored: 3, theirs: 1 };
const MAX_TASKS = 2;

/** Two callers share an owner; the third acts for another. */
const CALLERS = { ann: "a", amy: "a", bob: "b" } as const;
type Caller = keyof typeof CALLERS;

type State = {
  /** Rises in each step, so that no two steps have the same time. */
  readonly now: number;
  /** Each flow's id is its name. */
  readonly rows: Rows;
  /** The revision of `mine` that each of its callers has read last. */
  readonly known: Readonly<Record<"ann" | "amy", number>>;
  /** The answer to the last step. It does not influence the next steps. */
  readonly answer: string;
};

type Action =
  | { readonly does: "begin"; readonly flow: FlowRecord }
  | { readonly does: "read"; readonly by: "ann" | "amy" }
  | { readonly does: "end a task"; readonly name: Name }
  | { readonly does: "ask"; readonly by: Caller; readonly name: Name; readonly event: FlowAction }
  | { readonly does: "sweep" };

/** Frozen, as is every record here: an event that writes to the record it is given ends the search. */
const createdAs = (name: Name, status: "queued" | "running" | "waiting" | "blocked"): FlowRecord =>
  Object.freeze(createFlow(name, { action: "create_flow", goal: "goal", status, controllerId: "webhooks/r" }, 1));
const found = (name: Name, status: FlowStatus, endedAt: number | undefined): FlowRecord => {
  const syncMode = name === "mirrored" ? "task_mirrored" : "managed";
  return Object.freeze({ ...createdAs(name, "queued"), syncMode, status, endedAt });
};

/** A task that is there from the start. */
const task = (flowId: Name): TaskRecord =>
  runTask(createdAs(flowId, "queued"), { action: "run_task", flowId, runtime: "acp", task: "task" }, [], {
    taskId: `task of ${flowId}`,
    sessionKey: "a",
    now: 1,
  })._unsafeUnwrap();

/** How `mine` begins: made by a command, or in a state that no command leaves. */
const BEGINNINGS: readonly FlowRecord[] = [
  ...(["queued", "running", "waiting", "blocked"] as const).map((status) => createdAs("mine", status)),
  found("mine", "lost", 1),
  found("mine", "blocked", 1),
];

const flowIn = ({ rows }: State, name: Name): FlowRecord | undefined => rows.get(name)?.flow;
const tasksIn = ({ rows }: State, name: Name): number => rows.get(name)?.tasks.length ?? 0;

const checkedAt = (flowId: Name, expectedRevision: number): readonly RevisionChecked[] =>
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
  ].map((asked) => ({ ...asked, flowId, expectedRevision }) as RevisionChecked);
const cancel = (flowId: Name): FlowAction => ({ action: "cancel_flow", flowId });
const newTask = (flowId: Name): FlowAction => ({ action: "run_task", flowId, runtime: "acp", task: "task" });
const finish = (flowId: Name, expectedRevision: number): FlowAction => ({
  action: "finish_flow",
  flowId,
  expectedRevision,
});

const asks = (by: Caller, name: Name, events: readonly FlowAction[]): readonly Action[] =>
  events.map((event) => ({ does: "ask", by, name, event }));

/** The commands to each flow. A caller names the revision that it has read; a stranger guesses it correctly. */
const asked = (state: State, name: Name): readonly Action[] => {
  const flow = flowIn(state, name);
  if (flow === undefined || flow.revision >= LAST_REVISION[name]) return [];
  const { known } = state;
  const others = [cancel(name), ...(tasksIn(state, name) < MAX_TASKS ? [newTask(name)] : [])];
  if (name === "mirrored") return asks("ann", name, [finish(name, 0), ...others]);
  if (name === "theirs") return asks("ann", name, [finish(name, 0), cancel(name)]);
  return [
    ...asks("ann", name, [...checkedAt(name, known.ann), ...others]),
    ...asks("amy", name, [...checkedAt(name, known.amy), finish(name, flow.revision + 1)]),
    ...asks("bob", name, [finish(name, flow.revision), cancel(name), newTask(name)]),
  ];
};

const actions = (state: State): readonly Action[] => {
  const mine = flowIn(state, "mine");
  return [
    ...(mine === undefined ? BEGINNINGS.map((flow): Action => ({ does: "begin", flow })) : []),
    ...(["ann", "amy"] as const)
      .filter((by) => mine !== undefined && state.known[by] !== mine.revision)
      .map((by): Action => ({ does: "read", by })),
    ...NAMES.filter((name) => tasksIn(state, name) > 0).map((name): Action => ({ does: "end a task", name })),
    ...NAMES.flatMap((name) => asked(state, name)),
    { does: "sweep" },
  ];
};

const endTask = (state: State, name: Name): State => {
  const row = state.rows.get(name);
  return row === undefined
    ? state
    : { ...state, rows: new Map(state.rows).set(name, { ...row, tasks: row.tasks.slice(1) }) };
};

const begin = (state: State, flow: FlowRecord): State => ({
  ...state,
  rows: new Map(state.rows).set("mine", { owner: OWNERS.mine, flow, tasks: [] }),
});

const next = (before: State, action: Action): State => {
  const state = { ...before, now: before.now + 1, answer: "" };
  if (action.does === "ask") {
    const { by, event } = action;
    const { rows, answer } = carryOut(state.rows, CALLERS[by], event, state.now, `task ${String(state.now)}`);
    return { ...state, rows, answer };
  }
  if (action.does === "sweep") return { ...state, rows: sweep(state.rows, state.now) };
  if (action.does === "end a task") return endTask(state, action.name);
  if (action.does === "begin") return begin(state, action.flow);
  return { ...state, known: { ...state.known, [action.by]: flowIn(state, "mine")?.revision ?? 0 } };
};

/** Times matter only to the times of later writes, so here it matters only which ones are set. */
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

/** The two callers of one owner are interchangeable. */
const key = (state: State): string =>
  JSON.stringify([
    NAMES.map((name) => [tasksIn(state, name), ...flowKey(flowIn(state, name))]),
    [state.known.ann, state.known.amy].toSorted(),
  ]);

type Step = (before: State, action: Action, after: State) => boolean;
type Asking = Extract<Action, { does: "ask" }>;

/** A sentence about commands to a stored flow by a caller of its owner. */
const onAsk =
  (holds: (was: FlowRecord, is: FlowRecord, asking: Asking, after: State) => boolean): Step =>
  (before, action, after) => {
    if (action.does !== "ask" || after.answer === "not_found") return true;
    const [was, is] = [flowIn(before, action.name), flowIn(after, action.name)];
    return was !== undefined && is !== undefined && holds(was, is, action, after);
  };

const isChecked = (event: FlowAction): event is RevisionChecked => "expectedRevision" in event;
const isCancelled = ({ status, endedAt }: FlowRecord, now: number): boolean =>
  status === "cancelled" && endedAt === now;

/** A cancel_flow that marks the intent and ends the flow in one go is two writes. */
const writes = (was: FlowRecord, { event }: Asking, { answer }: State): number =>
  event.action === "cancel_flow" && was.cancelRequestedAt === undefined && answer !== "pending" ? 2 : 1;

const onlyNamedChanges: Step = (before, action, after) =>
  action.does === "begin" ||
  action.does === "sweep" ||
  NAMES.every((name) => before.rows.get(name) === after.rows.get(name) || ("name" in action && action.name === name));

const REFUSALS = ["not_found", "not_managed", "revision_conflict", "terminal", "cancel_requested"];

const refusalChangesNothing: Step = (before, _action, after) =>
  !REFUSALS.includes(after.answer) || before.rows === after.rows;

const writeAddsOne = onAsk(
  (was, is, asking, after) =>
    is === was || (is.revision - was.revision === writes(was, asking, after) && is.updatedAt === after.now),
);

const namedRevision = onAsk((was, _is, { event }, { answer }) => {
  if (!isChecked(event) || was.syncMode !== "managed") return true;
  return answer === (event.expectedRevision === was.revision ? "written" : "revision_conflict");
});

/** Repeated at once, every command for the revision that is no longer the newest is refused. */
const oneWinner = onAsk((_was, is, { event }, { answer, now }) => {
  if (!isChecked(event) || answer !== "written") return true;
  const rows: Rows = new Map([["mine", { owner: OWNERS.mine, flow: is, tasks: [] }]]);
  return checkedAt("mine", event.expectedRevision).every(
    (late) => carryOut(rows, OWNERS.mine, late, now).answer === "revision_conflict",
  );
});

const intentSurvives = onAsk((was, is, { event }, { now, answer }) => {
  if (event.action === "request_cancel" && answer === "written") return is.cancelRequestedAt === now;
  return was.cancelRequestedAt === undefined || is.cancelRequestedAt === was.cancelRequestedAt;
});

/** The same command under a clock that was set back does the same, at the time of the flow's last write. */
const timesNeverGoBack: Step = (before, action, after) => {
  if (action.does !== "ask" && action.does !== "sweep") return true;
  const late = next({ ...before, now: -1 }, action);
  return NAMES.every((name) => {
    const [was, is, back] = [flowIn(before, name), flowIn(after, name), flowIn(late, name)];
    if (was === undefined || is === undefined || back === undefined) return was === is && is === back;
    if (is === was) return back === was;
    const { updatedAt, endedAt = was.updatedAt, cancelRequestedAt = was.updatedAt } = back;
    const isKept = (time: number, old: number | undefined): boolean => time === was.updatedAt || time === old;
    return (
      back.revision === is.revision &&
      back.status === is.status &&
      updatedAt === was.updatedAt &&
      isKept(endedAt, was.endedAt) &&
      isKept(cancelRequestedAt, was.cancelRequestedAt)
    );
  });
};

const taskAnswer = (flow: FlowRecord): string => {
  if (flow.syncMode !== "managed") return "not_managed";
  if (flow.cancelRequestedAt !== undefined) return "cancel_requested";
  return flow.endedAt === undefined ? "written" : "terminal";
};

const taskOnlyForLiveFlow = onAsk(
  (was, is, { event }, { answer }) => event.action !== "run_task" || (is === was && answer === taskAnswer(was)),
);

const cancelMarksOrEnds = onAsk((was, is, { name, event }, after) => {
  const { answer, now } = after;
  if (event.action !== "cancel_flow") return true;
  if (was.endedAt !== undefined) return answer === "terminal";
  if (is.cancelRequestedAt !== (was.cancelRequestedAt ?? now)) return false;
  return tasksIn(after, name) > 0 ? answer === "pending" && is.status === was.status : isCancelled(is, now);
});

const mirroredIsNotManaged = onAsk(
  (was, is, { event }, { answer }) =>
    was.syncMode === "managed" || event.action === "cancel_flow" || (is === was && answer === "not_managed"),
);

const sweepEndsIntents: Step = (before, action, after) =>
  action.does !== "sweep" ||
  NAMES.every((name) => {
    const [was, is] = [flowIn(before, name), flowIn(after, name)];
    if (was === undefined || is === undefined) return was === is;
    const isDue = was.cancelRequestedAt !== undefined && was.endedAt === undefined && tasksIn(before, name) === 0;
    return isDue && was.syncMode === "managed" ? isCancelled(is, after.now) : is === was;
  });

const ENDED: readonly FlowStatus[] = ["succeeded", "failed", "cancelled", "lost"];
const everyFlow =
  (holds: (flow: FlowRecord) => boolean) =>
  ({ rows }: State): boolean =>
    [...rows.values()].every(({ flow }) => holds(flow));
const mine =
  (holds: (flow: FlowRecord, state: State) => boolean) =>
  (state: State): boolean => {
    const flow = flowIn(state, "mine");
    return flow !== undefined && holds(flow, state);
  };

const system: System<State, Action> = {
  initial: {
    now: 1,
    rows: new Map([
      [
        "mirrored",
        { owner: OWNERS.mirrored, flow: found("mirrored", "running", undefined), tasks: [task("mirrored")] },
      ],
      ["theirs", { owner: OWNERS.theirs, flow: createdAs("theirs", "queued"), tasks: [] }],
    ]),
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
    "FLOW-7: a clock set back changes no time of a flow to an earlier one": timesNeverGoBack,
    "FLOW-1: nothing but cancel_flow changes a mirrored flow": mirroredIsNotManaged,
    "FLOW-6: the sweep ends a managed flow with an intent and without tasks, and no other": sweepEndsIntents,
  },
  reachable: {
    ...Object.fromEntries(FLOW_STATUSES.map((status) => [`${status}`, mine((flow) => flow.status === status)])),
    "blocked with an end": mine(({ status, endedAt }) => status === "blocked" && endedAt !== undefined),
    "waiting with the old block": mine(({ status, blockedTaskId }) => status === "waiting" && blockedTaskId === "task"),
    "a pending cancel": mine((flow, state) => flow.cancelRequestedAt !== undefined && tasksIn(state, "mine") > 0),
    "ended with a task": mine(({ endedAt }, state) => endedAt !== undefined && tasksIn(state, "mine") > 0),
    "finished with an intent": mine((flow) => flow.status === "succeeded" && flow.cancelRequestedAt !== undefined),
    "both callers stale": mine(({ revision }, { known }) => revision > known.ann && revision > known.amy),
    "a mirrored flow goes on with an intent": (state) =>
      flowIn(state, "mirrored")?.status === "running" && flowIn(state, "mirrored")?.cancelRequestedAt !== undefined,
    "a mirrored flow is cancelled": (state) => flowIn(state, "mirrored")?.status === "cancelled",
    "a sweep ends a flow": mine(
      ({ status, endedAt }, { now, answer }) => status === "cancelled" && endedAt === now && answer === "",
    ),
  },
};

/** The answers that each event gets somewhere, because an answer that never occurs would hide a broken sentence. */
const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  set_waiting: ["revision_conflict", "written"],
  resume_flow: ["revision_conflict", "written"],
  finish_flow: ["not_found", "not_managed", "revision_conflict", "written"],
  fail_flow: ["revision_conflict", "written"],
  request_cancel: ["revision_conflict", "written"],
  cancel_flow: ["not_found", "pending", "terminal", "written"],
  run_task: ["cancel_requested", "not_found", "not_managed", "terminal", "written"],
};

test("FLOW-1, FLOW-2, FLOW-3, FLOW-4, FLOW-5, FLOW-6, FLOW-7: hold in every state and every step of three flows and their callers", () => {
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
