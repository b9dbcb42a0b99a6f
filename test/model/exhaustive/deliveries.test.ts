// All states that repeated, crossed and crashed requests can reach with the real decisions: two keys, two routes, several bodies,
// records that end, flows that end and are removed.

import { expect, test } from "vitest";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import {
  type Delivery,
  type FlowAction,
  isEnded,
  MAX_RECORDS,
  RECORD_MS,
  replyToOutcome,
} from "../../../core/index.ts";
import { ask, type Asked, EMPTY, type Kept, nameOf, remove, routeOf } from "../small-deliveries.ts";
import { explore, type System } from "./explore.ts";

const CREATE = (goal: string): FlowAction => ({ action: "create_flow", goal, controllerId: "c" });
const ABOUT = { flowId: "by key", expectedRevision: 77 };
const KEY = "pr 1";

type Body = { readonly action: FlowAction; readonly bind: string | undefined };
const BODIES = {
  open: { action: CREATE("bound"), bind: KEY },
  close: { action: { action: "finish_flow", ...ABOUT }, bind: KEY },
  wait: { action: { action: "set_waiting", ...ABOUT }, bind: KEY },
  make: { action: CREATE("loose"), bind: undefined },
  end: { action: { action: "finish_flow", flowId: "flow 1", expectedRevision: 0 }, bind: undefined },
} as const satisfies Readonly<Record<string, Body>>;
type BodyName = keyof typeof BODIES;

type Scale = {
  /** The owner of each route. */
  readonly routes: Readonly<Record<string, string>>;
  readonly keys: readonly (string | undefined)[];
  readonly bodies: readonly BodyName[];
  /** Flows that are made. */
  readonly flows: number;
  readonly reached: readonly string[];
};

type State = {
  readonly now: number;
  readonly kept: Kept;
  readonly made: number;
  /** An observer's record: the name and life of the record under which each flow was made, and its route and key. */
  readonly by: ReadonlyMap<string, string>;
  readonly boundTo: ReadonlyMap<string, string>;
  readonly lives: ReadonlyMap<string, number>;
  /** The first answer under each live name. */
  readonly first: ReadonlyMap<string, { readonly body: BodyName; readonly answer: string }>;
  /** The answer to the last step; it does not influence the next ones. */
  readonly said: string;
  readonly answer: string;
  readonly isReplay: boolean;
};

type Asking = {
  readonly does: "ask";
  readonly route: string;
  readonly key: string | undefined;
  readonly body: BodyName;
  /** Killed before the commit, or after it and before the answer. */
  readonly crash: "" | "before" | "after";
};
type Action =
  Asking | { readonly does: "wait"; readonly ms: number } | { readonly does: "remove"; readonly flowId: string };

const MAX_REVISION = 2;

const deliveryOf = ({ route, key, body }: Asking): Delivery => ({
  routeId: route,
  once: key === undefined ? undefined : { key, fingerprint: body },
  bind: BODIES[body].bind,
  starts: false,
});

const isOver = ({ kept, now }: State, name: string): boolean => {
  const record = kept.records.get(name);
  return record === undefined || now - record.at >= RECORD_MS;
};

const systemOf = ({ routes, keys, bodies, flows: most, reached }: Scale): System<State, Action> => {
  const nameIn = ({ route, key }: Asking): string =>
    key === undefined ? "" : nameOf({ routeId: route, owner: routes[route] ?? "", key });

  const carryOut = (state: State, asking: Asking): Asked => {
    const owner = routes[asking.route] ?? "";
    const ids = { owner, fresh: `flow ${String(state.made + 1)}` };
    return ask(state.kept, ids, BODIES[asking.body].action, deliveryOf(asking), state.now);
  };

  const next = (before: State, action: Action): State => {
    const state = { ...before, said: "", answer: "", isReplay: false };
    if (action.does === "wait") return { ...state, now: state.now + action.ms };
    if (action.does === "remove") return { ...state, kept: remove(state.kept, action.flowId) };
    const { kept, said, reply, writes } = carryOut(state, action);
    if (action.crash === "before") return { ...state, said: "killed" };
    const name = nameIn(action);
    const isRenewed = name !== "" && kept.records.get(name) !== state.kept.records.get(name);
    const life = (state.lives.get(name) ?? 0) + (isRenewed && state.kept.records.has(name) ? 1 : 0);
    const fresh = writes.find((write) => write.kind === "insert_flow")?.flow.flowId;
    const { bind } = BODIES[action.body];
    return {
      ...state,
      kept,
      made: state.made + (fresh === undefined ? 0 : 1),
      by: fresh === undefined || name === "" ? state.by : new Map(state.by).set(fresh, `${name} ${String(life)}`),
      boundTo:
        fresh === undefined || bind === undefined ? state.boundTo : new Map(state.boundTo).set(fresh, action.route),
      lives: isRenewed ? new Map(state.lives).set(name, life) : state.lives,
      first: isRenewed ? new Map(state.first).set(name, { body: action.body, answer: reply.body }) : state.first,
      said: action.crash === "" ? said : "killed",
      answer: reply.body,
      isReplay: reply.headers["Idempotent-Replayed"] === "true",
    };
  };

  const actions = ({ kept, made }: State): readonly Action[] => {
    const flows = [...kept.flows.values()].map(({ flow }) => flow);
    const isFull = made >= most;
    const isWritten = flows.some(({ revision }) => revision >= MAX_REVISION);
    const usable = bodies.filter(
      (name) => !(isFull && ["open", "make"].includes(name)) && !(isWritten && name === "wait"),
    );
    const asks = Object.keys(routes).flatMap((route) =>
      keys.flatMap((key) =>
        usable.flatMap((body) =>
          (["", "before", "after"] as const).map((crash): Action => ({ does: "ask", route, key, body, crash })),
        ),
      ),
    );
    const ended = flows.filter((flow) => isEnded(flow)).map(({ flowId }): Action => ({ does: "remove", flowId }));
    return [...asks, ...ended, { does: "wait", ms: RECORD_MS / 2 }];
  };

  const openOf = ({ kept, boundTo }: State, route: string): readonly string[] =>
    [...kept.flows]
      .filter(([id, { flow, owner }]) => boundTo.get(id) === route && owner === routes[route] && !isEnded(flow))
      .map(([id]) => id);

  /** What matters from here on: times only as the rest of a record's life. */
  const key = ({ kept, now, made, by, boundTo, lives }: State): string =>
    JSON.stringify([
      made,
      [...kept.flows].map(([id, { owner, flow }]) => [id, owner, flow.revision, flow.status, boundTo.get(id)]),
      [...kept.records]
        .map(([name, { at, fingerprint, outcome }]) => {
          if (now - at >= RECORD_MS) return [name];
          const { kind, flow } = JSON.parse(outcome) as { kind: string; flow?: { flowId: string; revision: number } };
          const mine = [...by.values()].filter((one) => one === `${name} ${String(lives.get(name) ?? 0)}`).length;
          return [name, now - at, fingerprint, kind, flow?.flowId, flow?.revision, mine];
        })
        .toSorted(),
      [...kept.bindings].toSorted(),
    ]);

  type Step = (before: State, action: Action, after: State) => boolean;
  const onAsk =
    (holds: (before: State, asking: Asking, after: State, name: string) => boolean): Step =>
    (before, action, after) =>
      action.does !== "ask" || action.crash === "before" || holds(before, action, after, nameIn(action));

  /** The same request in a store where nothing was ever asked of another route. */
  const alone = (state: State, asking: Asking): Asked => {
    const isMine = (name: string): boolean => routeOf(name) === asking.route;
    const only = <T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
      new Map([...map].filter(([name]) => isMine(name)));
    const flows = [...state.kept.flows].filter(([, { owner }]) => owner === routes[asking.route]);
    const kept = { flows: new Map(flows), records: only(state.kept.records), bindings: only(state.kept.bindings) };
    return carryOut({ ...state, kept }, asking);
  };

  const REACHABLE: Readonly<Record<string, (state: State) => boolean>> = {
    "a replay": ({ isReplay }) => isReplay,
    "another body under a key": ({ said }) => said === "idempotency_key_reused",
    "a flow that is bound already": ({ said }) => said === "existing",
    "an end before its beginning": ({ said }) => said === "ignored",
    "a second life of a key": ({ lives }) => [...lives.values()].some((life) => life > 0),
    "a replay of what has ended": ({ isReplay, kept }) =>
      isReplay && [...kept.flows.values()].every(({ flow }) => isEnded(flow)),
    "a replay of what is gone": ({ isReplay, kept }) => isReplay && kept.flows.size === 0,
    "a refusal that is kept": ({ isReplay, answer }) => isReplay && answer.includes('"ok":false'),
    "a key that is free again": ({ boundTo, kept }) => boundTo.size > 1 && kept.bindings.size === 1,
    "one key on two routes": ({ kept }) => kept.bindings.size > 1,
    "a killed process": ({ said }) => said === "killed",
  };

  return {
    initial: {
      now: 1,
      kept: EMPTY,
      made: 0,
      by: new Map(),
      boundTo: new Map(),
      lives: new Map(),
      first: new Map(),
      said: "",
      answer: "",
      isReplay: false,
    },
    actions,
    next,
    key,
    invariants: {
      "ONCE-1: a key makes at most one flow while its record is kept": ({ by }) =>
        new Set(by.values()).size === by.size,
      "ONCE-1: every flow that was made under a key has its record": ({ by, kept }) =>
        [...by.values()].every((name) => kept.records.has(name.slice(0, name.lastIndexOf(" ")))),
      "BIND-1: a route's key has at most one open flow": (state) =>
        Object.keys(routes).every((route) => openOf(state, route).length <= 1),
      "BIND-2: nothing is bound to a flow that is gone": ({ kept }) =>
        [...kept.bindings.values()].every((id) => kept.flows.has(id)),
    },
    steps: {
      "ONCE-1: a name with a record changes nothing": onAsk(
        (before, _asking, after, name) => isOver(before, name) || before.kept === after.kept,
      ),
      "ONCE-1: what is carried out under a name is kept with its effect": onAsk(
        (before, { key: named }, after, name) =>
          named === undefined || before.kept === after.kept || after.kept.records.get(name)?.at === after.now,
      ),
      "ONCE-2: a repeat gets the first answer, another body none": onAsk((before, { body }, after, name) => {
        const first = before.first.get(name);
        if (isOver(before, name) || first === undefined) return !after.isReplay;
        return first.body === body
          ? after.isReplay && after.answer === first.answer
          : after.answer.includes('"code":"idempotency_key_reused"');
      }),
      "ONCE-3: what is ignored is not kept": onAsk(
        (before, _asking, after) => after.said !== "ignored" || before.kept === after.kept,
      ),
      "ONCE-8: what a route answers does not depend on another one": onAsk((before, asking, after) => {
        const { reply, writes, kept } = alone(before, asking);
        const isUnchanged = before.kept === after.kept;
        return (
          reply.body === after.answer &&
          isUnchanged === (writes.length === 0) &&
          kept.flows.size <= after.kept.flows.size
        );
      }),
      "BIND-1: a delivery acts on its key's open flow at its revision, and on nothing else": onAsk(
        (before, { route, body }, after, name) => {
          if (BODIES[body].bind === undefined || !isOver(before, name)) return true;
          const [open] = openOf(before, route);
          const others = [...before.kept.flows].filter(([id]) => id !== open);
          if (others.some(([id, row]) => after.kept.flows.get(id) !== row)) return false;
          if (body === "open") return (open === undefined) === after.made > before.made;
          const was = before.kept.flows.get(open ?? "")?.flow;
          const is = after.kept.flows.get(open ?? "")?.flow;
          return was === undefined ? before.kept === after.kept : is?.revision === was.revision + 1;
        },
      ),
      "BIND-2: a flow that has ended stays as it is": (before, action, after) =>
        [...before.kept.flows].every(
          ([id, row]) => !isEnded(row.flow) || action.does === "remove" || after.kept.flows.get(id) === row,
        ),
    },
    reachable: Object.fromEntries(reached.map((name) => [name, REACHABLE[name] ?? (() => false)])),
  };
};

const ALWAYS = ["a replay", "another body under a key", "a second life of a key", "a killed process"];

const SCALES: Readonly<Record<string, Scale>> = {
  "two keys on one route": {
    routes: { a: "ann" },
    keys: ["k1", "k2"],
    bodies: ["open", "close", "make"],
    flows: 3,
    reached: [...ALWAYS, "a flow that is bound already", "an end before its beginning", "a replay of what is gone"],
  },
  "a key on two routes of one owner": {
    routes: { a: "ann", b: "ann" },
    keys: ["k1"],
    bodies: ["open", "close", "wait"],
    flows: 3,
    reached: [...ALWAYS, "one key on two routes", "a key that is free again", "a replay of what has ended"],
  },
  "two keys on two routes": {
    routes: { a: "ann", b: "ann" },
    keys: ["k1", "k2"],
    bodies: ["open", "close"],
    flows: 2,
    reached: [...ALWAYS, "one key on two routes"],
  },
  "a key on two routes of two owners, and requests without one": {
    routes: { a: "ann", b: "bob" },
    keys: ["k1", undefined],
    bodies: ["open", "close", "end"],
    flows: 2,
    reached: [...ALWAYS, "one key on two routes", "a refusal that is kept"],
  },
};

test.each(Object.entries(SCALES))(
  "ONCE-1, ONCE-2, ONCE-3, ONCE-8, BIND-1, BIND-2: in every state of %s",
  (name, scale) => {
    const { states, transitions, violation, unreached } = explore(systemOf(scale), 40_000);
    console.log(`deliveries, ${name}: ${String(states)} states, ${String(transitions)} transitions`);
    expect(violation).toBe(undefined);
    expect(unreached).toEqual([]);
  },
);

type Ask = {
  readonly owner: string;
  readonly route: string;
  readonly key: string | undefined;
  readonly body: BodyName;
};

/** One route id for two owners stands for a route that was given to another session. */
const ASKS: readonly Ask[] = [
  { owner: "ann", route: "a", key: undefined, body: "open" },
  { owner: "ann", route: "a", key: undefined, body: "close" },
  { owner: "bob", route: "a", key: undefined, body: "open" },
  { owner: "bob", route: "a", key: undefined, body: "close" },
  { owner: "ann", route: "b", key: "k1", body: "open" },
  { owner: "ann", route: "a", key: "k1", body: "close" },
  { owner: "bob", route: "a", key: "k1", body: "make" },
];

const sequences = (length: number): readonly (readonly Ask[])[] =>
  length === 0 ? [[]] : sequences(length - 1).flatMap((start) => ASKS.map((one) => [...start, one]));

test("ONCE-1, ONCE-8, BIND-1: a store in memory answers every sequence of four requests as the small store of this search", async () => {
  for (const sequence of sequences(4)) {
    let ids = 0;
    const store = memoryFlows({ now: () => 1, newId: () => `flow ${String((ids += 1))}` });
    let kept = EMPTY;
    let made = 0;
    for (const one of sequence) {
      const { action } = BODIES[one.body];
      const delivery = deliveryOf({ ...one, does: "ask", crash: "" });
      // an id is taken with each create, also when none is made
      if (one.body === "open" || one.body === "make") made += 1;
      const asked = ask(kept, { owner: one.owner, fresh: `flow ${String(made)}` }, action, delivery, 1);
      const real = await store.execute(one.owner, action, () => undefined, delivery);
      kept = asked.kept;
      expect(
        real.isOk() ? replyToOutcome(real.value, "r") : real.error,
        sequence.map(({ owner, route, key, body }) => `${owner} ${route} ${key ?? "-"} ${body}`).join(", "),
      ).toEqual(real.isOk() ? asked.reply : asked.said);
    }
  }
});

test("ONCE-5: a store in memory keeps 10,000 records of a route for 24 hours; the oldest gives way, and that of another route not", async () => {
  let ids = 0;
  let now = 1;
  const store = memoryFlows({ now: () => now, newId: () => `flow ${String((ids += 1))}` });
  const isReplay = async (route: string, key: number): Promise<boolean> => {
    const delivery: Delivery = {
      routeId: route,
      once: { key: String(key), fingerprint: "f" },
      bind: undefined,
      starts: false,
    };
    const made = await store.execute("ann", BODIES.make.action, () => undefined, delivery);
    return made._unsafeUnwrap().replayed === true;
  };
  expect(await isReplay("b", 0)).toBe(false);
  for (let key = 0; key < MAX_RECORDS; key += 1) expect(await isReplay("a", key)).toBe(false);
  expect(await isReplay("a", 0)).toBe(true);
  expect(await isReplay("a", MAX_RECORDS)).toBe(false);
  expect([await isReplay("a", 1), await isReplay("b", 0)]).toEqual([true, true]);
  expect(await isReplay("a", 0)).toBe(false);
  now += RECORD_MS - 1;
  expect([await isReplay("a", 2), await isReplay("b", 0)]).toEqual([true, true]);
  now += 1;
  expect([await isReplay("a", 2), await isReplay("b", 0)]).toEqual([false, false]);
});
