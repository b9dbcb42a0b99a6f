// All states that two keys can reach in a Gateway: requests are sent, sent again and cut off by crashes between any two steps; the
// host fails before and after it has done its work, or is late; the disk is full; another writer comes between; a day passes.
// The steps are the real core's; host, file and process are small models.

import { err, ok, type Result } from "neverthrow";
import { describe, expect, test } from "vitest";
import {
  beginClaim,
  type Binding,
  type ClaimRecord,
  type ClaimRequest,
  createFlow,
  type Delivery,
  type FlowAction,
  type FlowRecord,
  type Holder,
  isEnded,
  type Marks,
  type Outcome,
  type Plan,
  RECORD_MS,
  type Repeatable,
  resolveRun,
  saveOutcome,
  type Settlement,
  type Step,
  type StoreFailure,
  transition,
  viewFlow,
  viewTask,
} from "../../../core/index.ts";
import { canonical } from "../../../adapters/conformance/check.ts";
import { explore, type System } from "./explore.ts";

type Key = "one" | "two";
const KEYS: readonly Key[] = ["one", "two"];

/** `isKeyed`: whether the request has its key as a name, too. */
type Sent = {
  readonly action: Repeatable;
  readonly bind: string | undefined;
  readonly starts: boolean;
  readonly isKeyed: boolean;
};

/** A run in the file, without what becomes of it later. */
type Queued = { readonly stamp: number; readonly plan: Plan; readonly flowId: string | undefined };

/** What each key's requests are, and how often what may happen. */
type Setting = {
  readonly sent: Readonly<Record<Key, Sent>>;
  /** Whether there is a flow from the start. */
  readonly hasFlow: boolean;
  readonly sends: Readonly<Record<Key, number>>;
  readonly days: number;
  readonly crashes: number;
  readonly faults: number;
  readonly writers: number;
};

type Answer = Result<Outcome, StoreFailure>;

/** A request that this process is at. `answered`: what the host has said and nobody has heard yet. */
type Flight = {
  readonly key: Key;
  readonly holds: boolean;
  readonly makes: boolean;
  readonly isLate: boolean;
  readonly step: Step;
  readonly answered: Answer | undefined;
  /** The run that it has claimed. */
  readonly run: number | undefined;
  /** All that led to the step. */
  readonly past: string;
};

type State = {
  readonly tick: number;
  readonly flows: readonly FlowRecord[];
  readonly runs: readonly string[];
  readonly records: ReadonlyMap<Key, ClaimRecord>;
  readonly bindings: ReadonlyMap<string, Binding>;
  readonly queue: readonly Queued[];
  readonly flights: readonly Flight[];
  readonly left: {
    readonly sends: Readonly<Record<Key, number>>;
    readonly crashes: number;
    readonly faults: number;
    readonly writers: number;
    readonly days: number;
  };
  /** Of the present day: what each key's requests have done, and the definite answers that they got. */
  readonly effects: Readonly<Record<Key, number>>;
  readonly answers: Readonly<Record<Key, readonly string[]>>;
  /** The flows that were made by requests that start a run. */
  readonly started: readonly string[];
  /** The answer to the last step, if one was given. It does not influence the next steps. */
  readonly said: { readonly key: Key; readonly answer: Answer } | undefined;
};

type Action =
  | { readonly does: "send"; readonly key: Key }
  | { readonly does: "step" | "fail" | "fail after" | "grow late"; readonly flight: number }
  | { readonly does: "resolve"; readonly stamp: number }
  | { readonly does: "crash" | "write" | "let a day pass" };

const deliveryOf = (key: Key, { bind, starts, isKeyed }: Sent): Delivery => ({
  routeId: "r",
  once: isKeyed ? { key, fingerprint: "f" } : undefined,
  bind,
  starts,
});

const flowId = (n: number): string => `flow ${String(n)}`;
const show = (flow: FlowRecord) => viewFlow(flow)._unsafeUnwrap();

/** What the host makes of an action: its answer, its flows and runs, and whether something was done. */
const ask = (state: State, action: FlowAction, marks: Marks): { state: State; answer: Outcome; isDone: boolean } => {
  const { flows, tick } = state;
  const later = { ...state, tick: tick + 1 };
  const same = (answer: Outcome) => ({ state: later, answer, isDone: false });
  if (action.action === "list_flows") return same({ kind: "flows", flows: flows.map(show) });
  if (action.action === "create_flow") {
    const flow = createFlow(flowId(flows.length), action, marks.createdAt ?? tick);
    return {
      state: { ...later, flows: [...flows, flow] },
      answer: { kind: "created", flow: show(flow) },
      isDone: true,
    };
  }
  if (!("flowId" in action)) throw new Error(`${action.action} is not asked for`);
  const at = flows.findIndex((flow) => flow.flowId === action.flowId);
  const flow = flows[at];
  if (action.action === "get_flow") return same({ kind: "flow", flow: flow === undefined ? null : show(flow) });
  if (flow === undefined || action.action === "get_task_summary") throw new Error("every flow that is named is there");
  const changed = transition(flow, action, 0, tick);
  if (action.action === "run_task") {
    if (changed.isErr()) return same({ kind: "task_not_created", refusal: "terminal", flow: show(flow) });
    const run = `${action.flowId} ${String(action.runId)}`;
    const task = viewTask({
      taskId: run,
      runtime: action.runtime,
      scopeKind: "session",
      task: action.task,
      status: "queued",
      deliveryStatus: "pending",
      notifyPolicy: "silent",
      createdAt: 1,
    })._unsafeUnwrap();
    const isNew = !state.runs.includes(run);
    const runs = isNew ? [...state.runs, run] : state.runs;
    return { state: { ...later, runs }, answer: { kind: "task_created", flow: show(flow), task }, isDone: isNew };
  }
  if (changed.isErr()) {
    return same(
      action.action === "cancel_flow"
        ? { kind: "not_cancelled", refusal: "terminal", flow: show(flow) }
        : { kind: "not_applied", refusal: "revision_conflict", current: show(flow) },
    );
  }
  const after: FlowRecord = { ...changed.value.flow, ...marks };
  const kind = action.action === "cancel_flow" ? "cancelled" : "applied";
  return { state: { ...later, flows: flows.with(at, after) }, answer: { kind, flow: show(after) }, isDone: true };
};

const countEffect = (state: State, key: Key, isDone: boolean, { sent }: Setting): State => {
  if (!isDone) return state;
  const effects = { ...state.effects, [key]: state.effects[key] + 1 };
  const made = state.flows.at(-1);
  if (!sent[key].starts || made === undefined) return { ...state, effects };
  return { ...state, effects, started: [...state.started, made.flowId] };
};

const textOf = (outcome: Outcome): string => {
  const { replayed: _, ...plain } = outcome;
  return canonical(saveOutcome(plain));
};

const without = (state: State, at: number): State => ({ ...state, flights: state.flights.toSpliced(at, 1) });

/** The caller hears it. */
const tell = (state: State, key: Key, answer: Answer): State => {
  const said = { ...state, said: { key, answer } };
  if (answer.isErr() || answer.value.kind === "ignored") return said;
  const text = textOf(answer.value);
  const heard = state.answers[key];
  return heard.includes(text) ? said : { ...said, answers: { ...state.answers, [key]: [...heard, text] } };
};

const advance = (state: State, at: number, step: Step, why: string): State => {
  const flight = state.flights[at];
  if (flight === undefined) return state;
  if (step.kind === "answer") return tell(without(state, at), flight.key, step.answer);
  const past = `${flight.past}|${why}`;
  return { ...state, flights: state.flights.with(at, { ...flight, step, answered: undefined, past }) };
};

const claim = (state: State, { key }: Flight, step: Extract<Step, { kind: "claim" }>, { sent }: Setting): State => {
  const stamp = state.tick;
  const record = { fingerprint: "f", at: state.tick, stamp, plan: step.plan, outcome: undefined };
  const { bind, isKeyed } = sent[key];
  const bindings =
    step.claiming.binds && bind !== undefined
      ? new Map(state.bindings).set(bind, { stamp, plan: step.plan, flowId: undefined })
      : state.bindings;
  const records = isKeyed ? new Map(state.records).set(key, record) : state.records;
  const queue = step.claiming.starts ? [...state.queue, { stamp, plan: step.plan, flowId: undefined }] : state.queue;
  return { ...state, tick: state.tick + 1, records, bindings, queue };
};

/** The intended run with this stamp waits with its flow, or is forgotten. */
const settleRun = (queue: State["queue"], run: Settlement["run"]): State["queue"] =>
  queue.flatMap((row): State["queue"] => {
    if (run === undefined || row.stamp !== run.stamp || row.flowId !== undefined) return [row];
    return run.flowId === undefined ? [] : [{ ...row, flowId: run.flowId }];
  });

const settle = (
  state: State,
  { key }: Flight,
  step: Extract<Step, { kind: "settle" }>,
  { sent }: Setting,
): { state: State; earlier: string | undefined } => {
  const { record, binding, run } = step.settlement;
  const records = new Map(state.records);
  const old = records.get(key);
  let earlier: string | undefined;
  if (record === "forget") {
    if (old?.outcome === undefined) records.delete(key);
  } else if (record !== undefined && (old?.outcome === undefined || old.at + RECORD_MS <= state.tick)) {
    const base = old?.outcome === undefined && old !== undefined ? old : { fingerprint: "f", at: state.tick, stamp: 0 };
    records.set(key, { ...base, plan: undefined, outcome: record.outcome });
  } else if (record !== undefined) earlier = old?.outcome;
  const bindings = new Map(state.bindings);
  const bind = sent[key].bind;
  const bound = bind === undefined ? undefined : bindings.get(bind);
  if (bind !== undefined && bound !== undefined && binding !== undefined && bound.stamp === binding.stamp) {
    if (binding.flowId === undefined) bindings.delete(bind);
    else bindings.set(bind, { ...bound, flowId: binding.flowId });
  }
  return { state: { ...state, records, bindings, queue: settleRun(state.queue, run) }, earlier };
};

/** One step of a request: its question is answered; what the host has answered is heard in a step of its own. */
const step = (state: State, at: number, setting: Setting): State => {
  const flight = state.flights[at];
  if (flight === undefined) return state;
  const now = flight.step;
  if (now.kind === "claim") {
    const run = now.claiming.starts ? state.tick : flight.run;
    const claimed = claim(state, flight, now, setting);
    const flights = claimed.flights.with(at, { ...flight, run });
    return advance({ ...claimed, flights }, at, now.next(state.tick), String(state.tick));
  }
  if (now.kind === "settle") {
    const { state: kept, earlier } = settle(state, flight, now, setting);
    return advance(kept, at, now.next(earlier), `kept ${String(earlier)}`);
  }
  if (now.kind === "answer") return state;
  if (flight.answered !== undefined) {
    const heard = flight.answered.isOk() ? textOf(flight.answered.value) : flight.answered.error;
    return advance(state, at, now.next(flight.answered), heard);
  }
  const { state: after, answer, isDone } = ask(state, now.action, now.marks);
  const counted = countEffect(after, flight.key, isDone, setting);
  return { ...counted, flights: counted.flights.with(at, { ...flight, answered: ok(answer) }) };
};

/** The disk is full, or the host fails: before it has done anything, unless it has answered already. */
const fail = (state: State, at: number): State => {
  const flight = state.flights[at];
  if (flight === undefined) return state;
  const { step: now } = flight;
  if (now.kind === "claim") return tell(without(state, at), flight.key, err("idempotency_unavailable"));
  if (now.kind === "settle") {
    return now.orElse === undefined
      ? advance(state, at, now.next(undefined), "not kept")
      : tell(without(state, at), flight.key, err(now.orElse));
  }
  return tell(without(state, at), flight.key, err("bad_host_answer"));
};

const isHeld = (state: State, stamp: number): boolean => state.flights.some(({ run }) => run === stamp);

const intendedIn = (state: State): readonly Queued[] =>
  state.queue.filter(({ stamp, flowId: made }) => made === undefined && !isHeld(state, stamp));

/** The host is asked what became of an intended run that no request is at. */
const resolve = (state: State, { plan, stamp }: Queued): State => {
  let after = state;
  for (let now = resolveRun(plan, stamp); now.kind !== "answer";) {
    if (now.kind === "ask") now = now.next(ok(ask(state, now.action, now.marks).answer));
    else if (now.kind === "settle") {
      after = { ...after, queue: settleRun(after.queue, now.settlement.run) };
      now = now.next(undefined);
    } else throw new Error("nothing is claimed");
  }
  return after;
};

/** The process ends, and the next one looks after what it has left. */
const restarted = (state: State): State => {
  const after = crash(state);
  return intendedIn(after).reduce(resolve, after);
};

const holderIn = (state: State, isIt: (flight: Flight) => boolean): Holder => {
  const held = state.flights.find(isIt);
  return held === undefined ? "nobody" : held.isLate ? "late" : "running";
};

const send = (state: State, key: Key, { sent }: Setting): State => {
  const { action, bind, isKeyed } = sent[key];
  const holder = isKeyed ? holderIn(state, (flight) => flight.key === key && flight.holds) : "nobody";
  const maker = bind === undefined || holder !== "nobody" ? "nobody" : holderIn(state, (flight) => flight.makes);
  const request: ClaimRequest = {
    action,
    delivery: deliveryOf(key, sent[key]),
    runId: `run ${key}`,
    now: state.tick,
    holder,
    maker,
  };
  const record = state.records.get(key);
  const binding = bind === undefined ? undefined : state.bindings.get(bind);
  const first = beginClaim(request, { record, binding });
  if (first.kind === "answer") return tell(state, key, first.answer);
  const flight: Flight = {
    key,
    holds: holder === "nobody",
    makes: bind !== undefined && action.action === "create_flow" && maker === "nobody" && holder === "nobody",
    isLate: false,
    step: first,
    answered: undefined,
    run: undefined,
    past: JSON.stringify([holder, maker, record, binding, state.tick]),
  };
  return { ...state, flights: [...state.flights, flight] };
};

/** Others with the same text wait for the one that makes its flow. */
const mayStart = (state: State, key: Key, { sent }: Setting): boolean => {
  if (sent[key].bind === undefined) return true;
  if (holderIn(state, (flight) => flight.key === key && flight.holds) !== "nobody") return true;
  return holderIn(state, (flight) => flight.makes) !== "running";
};

const overtake = (flow: FlowRecord, tick: number): FlowRecord =>
  isEnded(flow)
    ? flow
    : transition(
        flow,
        { action: "resume_flow", flowId: flow.flowId, expectedRevision: flow.revision },
        0,
        tick,
      )._unsafeUnwrap().flow;

const crash = (state: State): State => ({ ...state, flights: [], tick: state.tick + 1 });

const CLEAN = { one: 0, two: 0 };
const SILENT = { one: [], two: [] };

const nextOf =
  (setting: Setting) =>
  (before: State, action: Action): State => {
    const state: State = { ...before, said: undefined };
    const { left } = state;
    switch (action.does) {
      case "send": {
        const sends = { ...left.sends, [action.key]: left.sends[action.key] - 1 };
        return send({ ...state, left: { ...left, sends } }, action.key, setting);
      }
      case "step":
        return step(state, action.flight, setting);
      case "fail":
        return fail({ ...state, left: { ...left, faults: left.faults - 1 } }, action.flight);
      case "fail after":
        return fail(
          step({ ...state, left: { ...left, faults: left.faults - 1 } }, action.flight, setting),
          action.flight,
        );
      case "grow late": {
        const { flight: at } = action;
        const flights = state.flights.map((one, place) => (place === at ? { ...one, isLate: true } : one));
        return { ...state, flights, left: { ...left, faults: left.faults - 1 } };
      }
      case "resolve":
        return state.queue.filter(({ stamp }) => stamp === action.stamp).reduce(resolve, state);
      case "crash":
        return crash({ ...state, left: { ...left, crashes: left.crashes - 1 } });
      case "write":
        return {
          ...state,
          tick: state.tick + 1,
          flows: state.flows.map((flow) => overtake(flow, state.tick)),
          left: { ...left, writers: left.writers - 1 },
        };
      case "let a day pass":
        return {
          ...state,
          tick: state.tick + RECORD_MS,
          effects: CLEAN,
          answers: SILENT,
          left: { ...left, days: left.days - 1 },
        };
    }
  };

const isAsking = ({ step: now, answered }: Flight): boolean => now.kind === "ask" && answered === undefined;

const actionsOf =
  (setting: Setting) =>
  (state: State): readonly Action[] => {
    const { left, flights } = state;
    const inFlight = flights.flatMap((flight, at): readonly Action[] => [
      { does: "step", flight: at },
      ...(left.faults > 0
        ? [
            { does: "fail", flight: at } as const,
            ...(isAsking(flight) ? [{ does: "fail after", flight: at } as const] : []),
            ...(flight.step.kind === "ask" && !flight.isLate ? [{ does: "grow late", flight: at } as const] : []),
          ]
        : []),
    ]);
    return [
      ...KEYS.filter((key) => left.sends[key] > 0 && mayStart(state, key, setting)).map((key): Action => ({
        does: "send",
        key,
      })),
      ...inFlight,
      ...intendedIn(state).map(({ stamp }): Action => ({ does: "resolve", stamp })),
      ...(left.crashes > 0 && flights.length > 0 ? [{ does: "crash" } as const] : []),
      ...(left.writers > 0 && state.flows.length > 0 ? [{ does: "write" } as const] : []),
      ...(left.days > 0 && flights.length === 0 && state.records.size > 0 ? [{ does: "let a day pass" } as const] : []),
    ];
  };

const keyOf = (state: State): string =>
  JSON.stringify([
    state.tick,
    state.flows,
    state.runs,
    [...state.records],
    [...state.bindings],
    state.queue,
    state.started,
    state.flights.map(({ key, isLate, past, answered }) => [key, isLate, past, answered === undefined]),
    state.left,
    state.effects,
    state.answers,
  ]);

/** What a request is answered when nothing else happens any more. */
const alone = (state: State, key: Key, setting: Setting): Answer | undefined => {
  let now = send(crash(state), key, setting);
  for (let steps = 0; now.flights.length > 0; steps += 1) {
    if (steps > 60) return undefined;
    now = step(now, 0, setting);
  }
  return now.said?.answer;
};

const DONE: ReadonlySet<string> = new Set(["created", "applied", "cancelled", "task_created"]);

const saysWhatIs = ({ said, effects }: State): boolean => {
  if (said === undefined || said.answer.isErr()) return true;
  return effects[said.key] === (DONE.has(said.answer.value.kind) ? 1 : 0);
};

const START = 1000;

const systemOf = (setting: Setting): System<State, Action> => ({
  initial: {
    tick: START,
    flows: setting.hasFlow
      ? [createFlow(flowId(0), { action: "create_flow", goal: "there", controllerId: "c" }, 1)]
      : [],
    runs: [],
    records: new Map(),
    bindings: new Map(),
    queue: [],
    started: [],
    flights: [],
    left: {
      sends: setting.sends,
      crashes: setting.crashes,
      faults: setting.faults,
      writers: setting.writers,
      days: setting.days,
    },
    effects: CLEAN,
    answers: SILENT,
    said: undefined,
  },
  actions: actionsOf(setting),
  next: nextOf(setting),
  key: keyOf,
  invariants: {
    "ONCE-6: a key has at most one effect": ({ effects }) => KEYS.every((key) => effects[key] <= 1),
    "ONCE-2: a key has one answer": ({ answers }) => KEYS.every((key) => answers[key].length <= 1),
    "ONCE-6: what is answered is what happened": saysWhatIs,
    "BIND-1: a text has at most one open flow": ({ flows }) =>
      KEYS.every((key) => setting.sent[key].bind === undefined) || flows.filter((flow) => !isEnded(flow)).length <= 1,
    "RUN-1: each flow that was to start a run has one, and nothing else has": (state) => {
      const { queue, started } = restarted(state);
      const queued = queue.map((row) => row.flowId);
      return queued.toSorted().join() === started.toSorted().join();
    },
    "RUN-1: no flow has two runs, also before": ({ queue }) => {
      const queued = queue.map((row) => row.flowId).filter((made) => made !== undefined);
      return new Set(queued).size === queued.length;
    },
    "ONCE-6: nothing is blocked for ever": (state) =>
      KEYS.every((key) => {
        const answer = alone(state, key, setting);
        if (answer === undefined) return false;
        return answer.isOk() || (answer.error === "outcome_unknown" && mayBeUnknown(state, key, setting));
      }),
  },
  steps: {
    "ONCE-7: what is refused for want of a record has done nothing": (before, action, after) =>
      after.said?.answer.isErr() !== true ||
      after.said.answer.error !== "idempotency_unavailable" ||
      ("flight" in action && before.effects[after.said.key] === after.effects[after.said.key]),
  },
  reachable: {
    "a claim is reconciled": ({ said }) => said?.answer.isOk() === true && said.answer.value.replayed === true,
    "a request is in progress": ({ said }) =>
      said?.answer.isErr() === true && said.answer.error === "idempotency_in_progress",
    "no record can be kept": ({ said }) =>
      said?.answer.isErr() === true && said.answer.error === "idempotency_unavailable",
  },
});

/** A flow was written by others after the claim, or a task's flow has ended. */
const mayBeUnknown = (state: State, key: Key, { sent }: Setting): boolean => {
  const { action } = sent[key].action;
  const touched = state.flows.some(({ revision }) => revision > 1) || state.flows.some((flow) => isEnded(flow));
  return action !== "create_flow" && touched;
};

const CREATE: Repeatable = { action: "create_flow", goal: "g", controllerId: "c" };
const finish: Repeatable = { action: "finish_flow", flowId: flowId(0), expectedRevision: 0 };
const wait: Repeatable = { action: "set_waiting", flowId: flowId(0), expectedRevision: 0 };
const cancel: Repeatable = { action: "cancel_flow", flowId: flowId(0) };
const run: Repeatable = { action: "run_task", flowId: flowId(0), runtime: "acp", task: "t" };

const keyed = { starts: false, isKeyed: true };
const plain = (one: Repeatable, two: Repeatable): Setting["sent"] => ({
  one: { ...keyed, action: one, bind: undefined },
  two: { ...keyed, action: two, bind: undefined },
});
const bound = (one: Repeatable, two: Repeatable): Setting["sent"] => ({
  one: { ...keyed, action: one, bind: "b" },
  two: { ...keyed, action: two, bind: "b" },
});
/** Creates that start runs; the second one has no key of its own. */
const starting = (bind: string | undefined): Setting["sent"] => ({
  one: { action: CREATE, bind, starts: true, isKeyed: true },
  two: { action: CREATE, bind, starts: true, isKeyed: false },
});

const LONG = process.env["SPEC_LONG"] === "1";
const twice = { one: 2, two: 2 };
const most = {
  sends: LONG ? { one: 3, two: 2 } : twice,
  crashes: LONG ? 2 : 1,
  faults: LONG ? 2 : 1,
  writers: 1,
  days: 1,
};
const some = LONG ? most : { ...most, sends: { one: 2, two: 1 }, days: 0 };

const SETTINGS: readonly (readonly [name: string, setting: Setting])[] = [
  ["two creates", { sent: plain(CREATE, CREATE), hasFlow: false, ...most, writers: 0 }],
  ["two creates for one text", { sent: bound(CREATE, CREATE), hasFlow: false, ...most }],
  ["a create and a finish for one text", { sent: bound(CREATE, finish), hasFlow: false, ...some, sends: most.sends }],
  ["a wait and a finish at one revision", { sent: plain(wait, finish), hasFlow: true, ...some }],
  [
    "two creates that start runs",
    { sent: starting(undefined), hasFlow: false, ...most, sends: { one: 2, two: 1 }, writers: 0 },
  ],
  ["two creates that start runs, for one text", { sent: starting("b"), hasFlow: false, ...some }],
  // a host knows a run for longer than a day
  ["a cancel and a task", { sent: plain(cancel, run), hasFlow: true, ...most, writers: 0, days: 0 }],
];

describe("ONCE-2, ONCE-6, ONCE-7, BIND-1, RUN-1: every state of the claims of two keys", () => {
  test.each(SETTINGS)("%s", (name, setting) => {
    const { states, transitions, violation, unreached } = explore(systemOf(setting), 3_000_000);
    console.log(`${name}: ${String(states)} states, ${String(transitions)} steps`);
    expect(violation).toBeUndefined();
    expect(unreached).toEqual([]);
  });
});
