// All states that two flows and their agents can reach: the runner's process ends, or stumbles, between any two of its steps;
// others cancel or end a flow; an agent leaves its flow waiting. The decisions are the real core's; host, file and flows are small.

import { describe, expect, test } from "vitest";
import {
  afterCrash,
  beginningOf,
  begun,
  createFlow,
  ended,
  endingOf,
  failedRun,
  type FlowAction,
  type FlowRecord,
  type FlowView,
  isEnded,
  isKnown,
  isOrphan,
  type KnownRun,
  nextTurn,
  readyRuns,
  resumptionOf,
  RUN_FAULTS,
  runIdOf,
  type RunResult,
  type RunRow,
  succeeded,
  type Trace,
  transition,
  viewFlow,
  waiting,
  watchingOf,
} from "../../../core/index.ts";
import { explore, type System } from "./explore.ts";

const FLOWS = [0, 1] as const;
type At = (typeof FLOWS)[number];

/** How often what may happen. */
type Left = {
  readonly crashes: number;
  readonly stumbles: number;
  readonly cancels: number;
  readonly finishes: number;
  readonly waits: number;
  readonly late: number;
};

/** `stage`: "taken" until the host begins the turn: then its message is in its session, and the model is asked. */
type Hosted = {
  readonly stage: "taken" | "begun" | "ended" | "dead";
  readonly boot: number;
  readonly result?: RunResult;
};

/** How far this process is with a start. */
type Place = "idle" | "saved" | "linked" | "started";

type State = {
  readonly rows: readonly KnownRun[];
  readonly flows: readonly FlowRecord[];
  readonly host: Readonly<Record<string, Hosted>>;
  readonly links: readonly string[];
  readonly boot: number;
  readonly places: readonly Place[];
  /** How often the first, second … turn of each flow has begun. */
  readonly begun: readonly (readonly number[])[];
  /** How often each flow was resumed. */
  readonly resumed: readonly number[];
  readonly left: Left;
};

type Action = {
  readonly does:
    | "begin"
    | "link"
    | "start"
    | "confirm"
    | "recover"
    | "hear"
    | "watch"
    | "time out"
    | "tell"
    | "look"
    | "host begins"
    | "host answers"
    | "host fails"
    | "agent waits"
    | "stumble"
    | "crash"
    | "cancel"
    | "finish"
    | "resume";
  readonly at: At;
};

const flowId = (at: number): string => `flow-${String(at)}`;
const view = (flow: FlowRecord | undefined): FlowView | null =>
  flow === undefined ? null : viewFlow(flow)._unsafeUnwrap();

const rowOf = (state: State, at: number): KnownRun | undefined => state.rows.find(({ seq }) => seq === at);
const placeOf = (state: State, at: number): Place => state.places[at] ?? "idle";
const bootName = (boot: number): string => String(boot);

const withRow = (state: State, row: KnownRun): State => ({
  ...state,
  rows: state.rows.map((one) => (one.seq === row.seq ? row : one)),
});
const gone = (state: State, at: number): State => ({ ...state, rows: state.rows.filter(({ seq }) => seq !== at) });
const withPlace = (state: State, at: number, place: Place): State => ({
  ...state,
  places: state.places.with(at, place),
});

const write = (state: State, at: number, action: FlowAction): State => {
  const flow = state.flows[at];
  if (
    flow === undefined ||
    !("flowId" in action) ||
    action.action === "get_flow" ||
    action.action === "get_task_summary"
  ) {
    return state;
  }
  const tasks = 0;
  const changed = transition(flow, action, tasks, 1)._unsafeUnwrap().flow;
  return { ...state, flows: state.flows.with(at, changed) };
};

const about = (state: State, at: number) => ({ flowId: flowId(at), expectedRevision: state.flows[at]?.revision ?? 0 });

const isLive = ({ host, boot }: State, key: string): boolean => {
  const turn = host[key];
  return turn !== undefined && turn.boot === boot && (turn.stage === "taken" || turn.stage === "begun");
};

const traceOf = (state: State, key: string): Trace => {
  const turn = state.host[key];
  if (turn === undefined) return { kind: "not_begun" };
  if (turn.result !== undefined) return { kind: "ended", result: turn.result };
  return isLive(state, key) ? { kind: "running" } : { kind: "lost" };
};

const withHost = (state: State, key: string, turn: Hosted): State => ({
  ...state,
  host: { ...state.host, [key]: turn },
});

const concurrencyIn = (setting: Setting) => (): number => setting.concurrency;

type Setting = { readonly concurrency: number; readonly left: Left; readonly isWaiting?: boolean };

const RUNNER: readonly Action["does"][] = [
  "begin",
  "link",
  "start",
  "confirm",
  "recover",
  "hear",
  "watch",
  "tell",
  "look",
];
const HOST: readonly Action["does"][] = ["host begins", "host answers"];

/** Whether an action can be done. */
const can = (state: State, { does, at }: Action, setting: Setting): boolean => {
  const { left } = state;
  const row = rowOf(state, at);
  const flow = state.flows[at];
  const isOpen = flow !== undefined && !isEnded(flow);
  if (does === "crash") return at === 0 && left.crashes > 0;
  if (does === "cancel") return left.cancels > 0 && isOpen;
  if (does === "finish") return left.finishes > 0 && isOpen;
  if (does === "resume") return flow?.status === "waiting" && flow.cancelRequestedAt === undefined;
  if (row === undefined) return false;
  const key = runIdOf(row);
  const turn = state.host[key];
  const place = placeOf(state, at);
  const isMine = row.boot === bootName(state.boot);
  switch (does) {
    case "begin":
      return readyRuns(state.rows, concurrencyIn(setting)).includes(row);
    case "link":
      return place === "saved";
    case "start":
      return place === "linked";
    case "confirm":
      return place === "started";
    case "recover":
      return place === "idle" && (isOrphan(row, bootName(state.boot)) || row.state === "starting");
    case "hear":
      return row.state === "running" && isMine && turn?.result !== undefined;
    case "watch":
      return row.state === "running" && isMine && watchingOf(row, view(flow), 10, row.at) === "stop";
    case "time out":
      return (
        left.late > 0 &&
        row.state === "running" &&
        isMine &&
        watchingOf(row, view(flow), 10, row.at + 10) === "time_out"
      );
    case "tell":
      return row.state === "ending";
    case "look":
      return row.state === "waiting" && resumptionOf(view(flow)) !== "wait";
    case "host begins":
      return isLive(state, key) && turn?.stage === "taken";
    case "host answers":
      return isLive(state, key) && turn?.stage === "begun";
    case "host fails":
      return left.late > 0 && isLive(state, key) && turn?.stage === "begun";
    case "agent waits":
      return left.waits > 0 && isLive(state, key) && turn?.stage === "begun" && isOpen && flow.status === "running";
    case "stumble":
      return left.stumbles > 0 && place !== "idle";
  }
};

const spent = (state: State, what: keyof Left): State => ({
  ...state,
  left: { ...state.left, [what]: state.left[what] - 1 },
});

const crash = (state: State): State => ({
  ...state,
  boot: state.boot + 1,
  places: FLOWS.map(() => "idle"),
  host: Object.fromEntries(
    Object.entries(state.host).flatMap(([key, turn]): [string, Hosted][] => {
      if (!isLive(state, key)) return [[key, turn]];
      return turn.stage === "taken" ? [] : [[key, { ...turn, stage: "dead" }]];
    }),
  ),
});

const begin = (state: State, row: KnownRun): State => {
  const what = beginningOf(view(state.flows[row.seq]));
  if (what === "drop") return gone(state, row.seq);
  if (what === "wait") return withRow(state, waiting(row));
  return withPlace(withRow(state, begun(row, bootName(state.boot), 0)), row.seq, "saved");
};

/** The flow says that it is worked on; the turn is linked to it. */
const link = (state: State, row: KnownRun): State => {
  const isQueued = state.flows[row.seq]?.status === "queued";
  const marked = isQueued
    ? write(state, row.seq, { action: "resume_flow", ...about(state, row.seq), status: "running" })
    : state;
  return withPlace({ ...marked, links: [...state.links, runIdOf(row)] }, row.seq, "linked");
};

const cut = (state: State, row: KnownRun): State => {
  const key = runIdOf(row);
  const turn = state.host[key];
  return turn === undefined || !isLive(state, key) ? state : withHost(state, key, { ...turn, stage: "dead" });
};

const tell = (state: State, row: KnownRun): State => {
  const ending = endingOf(row, view(state.flows[row.seq]));
  if (ending.kind === "wait") return withRow(state, waiting(row));
  return gone(ending.kind === "tell" ? write(state, row.seq, ending.action) : state, row.seq);
};

const hostBegins = (state: State, row: KnownRun): State => {
  const counts = state.begun[row.seq] ?? [];
  const next = Array.from(
    { length: Math.max(counts.length, row.turn) },
    (_, at) => (counts[at] ?? 0) + (at === row.turn - 1 ? 1 : 0),
  );
  const key = runIdOf(row);
  return withHost({ ...state, begun: state.begun.with(row.seq, next) }, key, { stage: "begun", boot: state.boot });
};

const next = (state: State, { does, at }: Action): State => {
  if (does === "crash") return crash(spent(state, "crashes"));
  if (does === "cancel") return write(spent(state, "cancels"), at, { action: "request_cancel", ...about(state, at) });
  if (does === "finish") return write(spent(state, "finishes"), at, { action: "finish_flow", ...about(state, at) });
  if (does === "resume") {
    const resumed = state.resumed.with(at, (state.resumed[at] ?? 0) + 1);
    return write({ ...state, resumed }, at, { action: "resume_flow", ...about(state, at) });
  }
  const row = rowOf(state, at);
  if (row === undefined) return state;
  const key = runIdOf(row);
  const turn = state.host[key];
  switch (does) {
    case "begin":
      return begin(state, row);
    case "link":
      return link(state, row);
    case "start":
      return withPlace(
        isLive(state, key) ? state : withHost(state, key, { stage: "taken", boot: state.boot }),
        at,
        "started",
      );
    case "confirm":
      return withPlace(withRow(state, { ...row, state: "running" }), at, "idle");
    case "recover": {
      const after = afterCrash(row, traceOf(state, key));
      return withRow(state, after.state === "running" ? { ...after, boot: bootName(state.boot) } : after);
    }
    case "hear":
      return turn?.result === undefined ? state : withRow(state, ended(row, turn.result));
    case "watch":
      return gone(cut(state, row), at);
    case "time out":
      return withRow(cut(spent(state, "late"), row), failedRun(row, "run_timed_out"));
    case "tell":
      return tell(state, row);
    case "look":
      return resumptionOf(view(state.flows[at])) === "drop" ? gone(state, at) : withRow(state, nextTurn(row));
    case "host begins":
      return hostBegins(state, row);
    case "host answers":
      return withHost(state, key, { stage: "ended", boot: state.boot, result: succeeded("Done.") });
    case "host fails":
      return withHost(spent(state, "late"), key, {
        stage: "ended",
        boot: state.boot,
        result: { status: "failed", code: "run_failed" },
      });
    case "agent waits":
      return write(spent(state, "waits"), at, { action: "set_waiting", ...about(state, at) });
    case "stumble":
      return withPlace(spent(state, "stumbles"), at, "idle");
  }
};

const DISTURBANCES: readonly Action["does"][] = [
  "time out",
  "host fails",
  "agent waits",
  "stumble",
  "crash",
  "cancel",
  "finish",
  "resume",
];
const ALL = [...RUNNER, ...HOST, ...DISTURBANCES];

const actionsOf =
  (setting: Setting, does: readonly Action["does"][]) =>
  (state: State): readonly Action[] =>
    FLOWS.flatMap((at) => does.map((one): Action => ({ does: one, at }))).filter((action) =>
      can(state, action, setting),
    );

/** What comes when nothing disturbs any more, and flows that wait are resumed. */
const settled = (state: State, setting: Setting): State | undefined => {
  const enabled = actionsOf(setting, [...RUNNER, ...HOST, "resume"]);
  let now = state;
  for (let steps = 0; steps < 60; steps += 1) {
    const [first] = enabled(now);
    if (first === undefined) return now;
    now = next(now, first);
  }
  return undefined;
};

const toldOf = (flow: FlowRecord): unknown => (flow.stateJson as { run?: unknown; kept?: unknown } | undefined)?.run;
const isOver = (flow: FlowRecord): boolean => isEnded(flow) || flow.cancelRequestedAt !== undefined;
const OCCUPIED: readonly RunRow["state"][] = ["starting", "running", "ending"];

const systemOf = (setting: Setting): System<State, Action> => ({
  initial: {
    rows: FLOWS.map((seq): KnownRun => ({
      seq,
      routeId: "r",
      owner: "agent:main:hook",
      stamp: seq,
      plan: undefined,
      flowId: flowId(seq),
      state: "queued",
      turn: 1,
      tries: 0,
      boot: undefined,
      at: 0,
      result: undefined,
    })),
    flows: FLOWS.map((at) =>
      createFlow(
        flowId(at),
        {
          action: "create_flow",
          goal: "g",
          controllerId: "c",
          stateJson: { kept: at },
          ...(setting.isWaiting === true && at === 0 ? { status: "waiting" as const } : {}),
        },
        1,
      ),
    ),
    host: {},
    links: [],
    boot: 1,
    places: FLOWS.map(() => "idle"),
    begun: FLOWS.map(() => []),
    resumed: FLOWS.map(() => 0),
    left: setting.left,
  },
  actions: actionsOf(setting, ALL),
  next,
  key: (state) => JSON.stringify(state),
  invariants: {
    "RUN-2: no turn is begun twice": ({ begun: counts }) => counts.every((turns) => turns.every((count) => count <= 1)),
    "RUN-2: an entry goes when its flow is over": (state) =>
      state.flows.every((flow, at) => rowOf(state, at) !== undefined || isOver(flow)),
    "RUN-2, RUN-8: everything ends once nothing disturbs any more": (state) => {
      const end = settled(state, setting);
      return (
        end !== undefined &&
        end.rows.length === 0 &&
        end.flows.every(isOver) &&
        end.begun.every((turns) => turns.every((count) => count <= 1))
      );
    },
    "RUN-3: a turn is linked before the host has it": ({ host, links }) =>
      Object.keys(host).every((key) => links.includes(key)),
    "RUN-3: what the state held is kept, and the run is told as it ended": ({ flows }) =>
      flows.every((flow, at) => {
        const told = toldOf(flow) as { status: string; code?: keyof typeof RUN_FAULTS } | undefined;
        const isKept = (flow.stateJson as { kept?: unknown }).kept === at;
        if (told === undefined) return isKept;
        return isKept && told.status === flow.status && (told.status === "succeeded") === (told.code === undefined);
      }),
    "RUN-4: places are not exceeded, in the file and in the host": (state) =>
      state.rows.filter((row) => OCCUPIED.includes(row.state)).length <= setting.concurrency &&
      Object.keys(state.host).filter((key) => isLive(state, key)).length <= setting.concurrency,
    "RUN-5: what goes on in the host has its entry": (state) =>
      Object.keys(state.host)
        .filter((key) => isLive(state, key))
        .every((key) =>
          state.rows.some((row) => isKnown(row) && runIdOf(row) === key && ["starting", "running"].includes(row.state)),
        ),
    "RUN-9: each further turn has a resume of its own": ({ rows, resumed }) =>
      rows.every(({ seq, turn }) => turn <= 1 + (resumed[seq] ?? 0)),
  },
  steps: {
    "RUN-4: nobody is begun before an older one that is queued": (before, { does, at }) => {
      if (does !== "begin") return true;
      const older = before.rows.filter(({ seq, state }) => seq < at && state === "queued").length;
      return older + before.rows.filter((row) => OCCUPIED.includes(row.state)).length < setting.concurrency;
    },
    "RUN-5: a flow that is over or waits is not worked on": (before, { does, at }, after) => {
      const flow = before.flows[at];
      if (does !== "begin" || rowOf(after, at)?.state !== "starting" || flow === undefined) return true;
      return !isOver(flow) && flow.status !== "waiting";
    },
    "RUN-2: what is over is not told": (before, { does, at }, after) =>
      does !== "tell" ||
      before.flows[at] === undefined ||
      !isOver(before.flows[at]) ||
      after.flows[at] === before.flows[at],
    "RUN-9: a flow that waits is not told a reply": (before, { does, at }, after) =>
      does !== "tell" || before.flows[at]?.status !== "waiting" || after.flows[at]?.status !== "succeeded",
  },
  reachable: {
    "a reply is told": ({ flows }) =>
      flows.some(({ status, stateJson }) => status === "succeeded" && JSON.stringify(stateJson).includes("Done.")),
    ...(setting.left.crashes > 0
      ? {
          "a turn is begun after a crash that left no sign of it": ({ host }: State) =>
            Object.entries(host).some(([key, { stage }]) => key.endsWith(".1.2") && stage === "begun"),
          "a turn is lost": ({ flows }: State) =>
            flows.some((flow) => JSON.stringify(flow.stateJson).includes("run_lost")),
        }
      : {}),
    ...(setting.left.waits > 0
      ? { "a second turn is begun": ({ begun: counts }: State) => counts.some((turns) => turns[1] === 1) }
      : {}),
    ...(setting.left.cancels > 0
      ? {
          "a turn is cut off": ({ host }: State) =>
            Object.values(host).some(({ stage, boot }) => stage === "dead" && boot > 0),
        }
      : {}),
  },
});

const LONG = process.env["SPEC_LONG"] === "1";
const NONE: Left = { crashes: 0, stumbles: 0, cancels: 0, finishes: 0, waits: 0, late: 0 };
const crashes = LONG ? 3 : 2;

const SETTINGS: readonly (readonly [name: string, setting: Setting])[] = [
  ["one place, crashes and a stumble", { concurrency: 1, left: { ...NONE, crashes, stumbles: 1 } }],
  ["two places, crashes", { concurrency: 2, left: { ...NONE, crashes: LONG ? 3 : 1 } }],
  [
    "one place, others cancel and end flows, a crash",
    { concurrency: 1, left: { ...NONE, crashes: 1, cancels: 1, finishes: 1 } },
  ],
  [
    "one place, an agent waits, a crash",
    { concurrency: 1, left: { ...NONE, crashes: 1, waits: 1, late: LONG ? 1 : 0 } },
  ],
  [
    "two places, a flow that was made waiting, a late turn",
    { concurrency: 2, left: { ...NONE, late: 1, cancels: LONG ? 1 : 0 }, isWaiting: true },
  ],
];

describe("RUN-2, RUN-3, RUN-4, RUN-5, RUN-8, RUN-9: every state of the runs of two flows", () => {
  test.each(SETTINGS)("%s", (name, setting) => {
    const { states, transitions, violation, unreached } = explore(systemOf(setting), 1_000_000);
    console.log(`${name}: ${String(states)} states, ${String(transitions)} steps`);
    expect(violation).toBeUndefined();
    expect(unreached).toEqual([]);
  });
});
