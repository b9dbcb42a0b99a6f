// Every state of the events of one route, with the real decisions of core/callback and the real outboxes, under senders that may end
// between any two of their steps. The steps are those of adapters/notify/sender, done one at a time.

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { MemoryEvents } from "../../../adapters/flows/memory/events.ts";
import { type Claimed, LEASE_MS, type OutboxState, type Settlement } from "../../../adapters/flows/outbox.ts";
import { EventRows } from "../../../adapters/flows/sqlite/event-rows.ts";
import { migrate } from "../../../adapters/flows/sqlite/schema.ts";
import { type Answered, EVENT_MS, type Fate, fateOf, MAX_AHEAD_MS } from "../../../core/index.ts";
import { explore, type System } from "./explore.ts";

const ROUTE = "r";
const START = 1_700_000_000_000;

/** An outbox that answers at once. */
type Box = {
  readonly put: (eventId: string, at: number) => void;
  readonly claim: (address: string, limit: number, now: number) => readonly Claimed[];
  readonly settle: (eventId: string, settlement: Settlement) => void;
  readonly look: () => OutboxState;
};

/** Gives `use` an empty outbox. */
type Boxes = <T>(use: (box: Box) => T) => T;

const inMemory: Boxes = (use) => {
  const events = new MemoryEvents();
  return use({
    put: (eventId, at) => events.put({ routeId: ROUTE, eventId, body: "{}", at }),
    claim: (address, limit, now) => events.claim({ routeId: ROUTE, address }, limit, now)._unsafeUnwrap(),
    settle: (eventId, settlement) => void events.settle({ routeId: ROUTE, eventId }, settlement),
    look: () => events.look()._unsafeUnwrap(),
  });
};

/** One database for all; what was done in it is undone. */
const inSqlite = (): Boxes => {
  const database = new DatabaseSync(":memory:");
  migrate(database);
  const known = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const statement = known.get(sql) ?? database.prepare(sql);
    known.set(sql, statement);
    return statement;
  };
  const rows = new EventRows(prepare);
  const box: Box = {
    put: (eventId, at) => rows.put({ routeId: ROUTE, eventId, body: "{}", at }),
    claim: (address, limit, now) => rows.claim({ routeId: ROUTE, address }, limit, now),
    settle: (eventId, settlement) => rows.settle({ routeId: ROUTE, eventId }, settlement),
    look: () => rows.look(),
  };
  return (use) => {
    database.exec("BEGIN");
    try {
      return use(box);
    } finally {
      database.exec("ROLLBACK");
    }
  };
};

type Call =
  | { readonly does: "put"; readonly eventId: string; readonly at: number }
  | { readonly does: "claim"; readonly address: string; readonly now: number }
  | { readonly does: "settle"; readonly eventId: string; readonly settlement: Settlement };

/** Events that a sender takes at once. */
const LIMIT = 2;

const made = (box: Box, call: Call): readonly Claimed[] => {
  if (call.does === "put") box.put(call.eventId, call.at);
  if (call.does === "settle") box.settle(call.eventId, call.settlement);
  return call.does === "claim" ? box.claim(call.address, LIMIT, call.now) : [];
};

/** An event as the outbox has it. */
type Row = { readonly eventId: string; readonly at: number; readonly tries: number; readonly dueAt: number };
type Contents = { readonly rows: readonly Row[]; readonly gone: string | undefined };

/** All that the outbox holds, read through its port; it is empty afterwards. */
const emptied = (box: Box): Contents => {
  const gone = box.look().gone.get(ROUTE);
  const rows: Row[] = [];
  for (let state = box.look().routes.get(ROUTE); state !== undefined; state = box.look().routes.get(ROUTE)) {
    const { nextAt: dueAt } = state;
    const [first] = box.claim("nobody's", 1, dueAt);
    if (first === undefined) throw new Error("what is due is not there");
    rows.push({ eventId: first.eventId, at: first.at, tries: first.tries, dueAt });
    box.settle(first.eventId, { kind: "remove" });
  }
  return { rows, gone };
};

/** An event that a sender has in hand. `answer`: what it has heard of it. */
type Try = {
  readonly event: Claimed;
  readonly address: string;
  readonly claimedAt: number;
  readonly answer: { readonly heard: Answered } | undefined;
};

type Left = {
  readonly crashes: number;
  readonly failures: number;
  readonly gones: number;
  readonly weeks: number;
  readonly moves: number;
  readonly clocks: number;
};

type State = {
  /** What the outbox was asked, and what it holds after that. */
  readonly calls: readonly Call[];
  readonly contents: Contents;
  readonly senders: readonly (readonly Try[])[];
  readonly address: string;
  readonly now: number;
  readonly put: number;
  /** How often the receiver has taken each event. */
  readonly taken: readonly number[];
  /** Addresses whose 410 was written down. */
  readonly refused: readonly string[];
  readonly left: Left;
};

const ANSWERS = ["200", "500", "410", "none", "none, though it was taken"] as const;
type Answer = (typeof ANSWERS)[number];

type Plain = "put" | "time passes" | "a week passes" | "address moves" | "clock goes back";

type Action =
  | { readonly does: Plain }
  | { readonly does: "claim" | "crash"; readonly sender: number }
  | { readonly does: "settle"; readonly sender: number; readonly at: number }
  | { readonly does: "answer"; readonly sender: number; readonly at: number; readonly answer: Answer };

type Setting = {
  readonly boxes: Boxes;
  readonly events: number;
  readonly senders: number;
  /** Whether a sender may take longer for a try than its lease lasts. */
  readonly stalls: boolean;
  readonly left: Left;
};

const idOf = (number: number): string => `e${String(number)}`;
const numberOf = (eventId: string): number => Number(eventId.slice(1));

const called = (state: State, call: Call, boxes: Boxes): { readonly state: State; readonly got: readonly Claimed[] } =>
  boxes((box) => {
    for (const before of state.calls) made(box, before);
    const got = made(box, call);
    return { state: { ...state, calls: [...state.calls, call], contents: emptied(box) }, got };
  });

const hand = (state: State, sender: number, tries: readonly Try[]): State => ({
  ...state,
  senders: state.senders.with(sender, tries),
});

const spent = (state: State, what: keyof Left): State => ({
  ...state,
  left: { ...state.left, [what]: state.left[what] - 1 },
});

const nextAt = ({ contents: { rows }, now }: State): number | undefined => {
  const later = rows.map(({ dueAt }) => dueAt).filter((dueAt) => dueAt > now);
  return later.length === rows.length && later.length > 0 ? Math.min(...later) : undefined;
};

const isHeld = ({ claimedAt }: Try, now: number): boolean => now < claimedAt + LEASE_MS;

/** Whether time may go on to `to`: a try and its settlement do not last as long as the lease. */
const mayPass = ({ senders }: State, to: number | undefined, setting: Setting): boolean =>
  to !== undefined && (setting.stalls || senders.flat().every((one) => isHeld(one, to)));

const answersOf = ({ failures, gones }: Left): readonly Answer[] =>
  ANSWERS.filter((answer) => answer === "200" || (answer === "410" ? gones > 0 : failures > 0));

const ofSender = (state: State, sender: number): readonly Action[] => {
  const tries = state.senders[sender] ?? [];
  if (tries.length === 0) return [{ does: "claim", sender }];
  const crash: readonly Action[] = state.left.crashes > 0 ? [{ does: "crash", sender }] : [];
  const steps = tries.flatMap((one, at): readonly Action[] =>
    one.answer === undefined
      ? answersOf(state.left).map((answer) => ({ does: "answer", sender, at, answer }))
      : [{ does: "settle", sender, at }],
  );
  return [...crash, ...steps];
};

const actionsOf =
  (setting: Setting) =>
  (state: State): readonly Action[] => {
    const { left, now } = state;
    const is = (does: Plain, can: boolean): readonly Action[] => (can ? [{ does }] : []);
    return [
      ...is("put", state.put < setting.events),
      ...state.senders.flatMap((_, sender) => ofSender(state, sender)),
      ...is("time passes", mayPass(state, nextAt(state), setting)),
      ...is("a week passes", left.weeks > 0 && mayPass(state, now + EVENT_MS, setting)),
      ...is("address moves", left.moves > 0),
      ...is("clock goes back", left.clocks > 0),
    ];
  };

const heardOf = (answer: Answer): Answered =>
  answer.startsWith("none") ? undefined : { status: Number(answer), retryAfterMs: undefined };

const answered = (state: State, { sender, at, answer }: Extract<Action, { does: "answer" }>): State => {
  const tries = state.senders[sender] ?? [];
  const one = tries[at];
  if (one === undefined) return state;
  const after = hand(state, sender, tries.with(at, { ...one, answer: { heard: heardOf(answer) } }));
  const number = numberOf(one.event.eventId);
  const isTaken = answer === "200" || answer === "none, though it was taken";
  const taken = isTaken ? after.taken.with(number, Math.min(2, (after.taken[number] ?? 0) + 1)) : after.taken;
  const told = { ...after, taken };
  return answer === "200" ? told : spent(told, answer === "410" ? "gones" : "failures");
};

const fateIn = (state: State, { event, address, answer }: Try): Fate =>
  fateOf(answer?.heard, { tries: event.tries + 1, at: event.at, hasMoved: address !== state.address }, state.now, 0.5);

const settlementOf = (fate: Fate, address: string, now: number): Settlement => {
  if (fate.kind === "gone") return { kind: "gone", address };
  return fate.kind === "later" ? { kind: "later", dueAt: now + fate.waitMs } : { kind: "remove" };
};

const settled = (state: State, sender: number, at: number, boxes: Boxes): State => {
  const tries = state.senders[sender] ?? [];
  const one = tries[at];
  if (one === undefined) return state;
  const settlement = settlementOf(fateIn(state, one), one.address, state.now);
  const after = hand(state, sender, tries.toSpliced(at, 1));
  const refused = settlement.kind === "gone" ? [...new Set([...after.refused, one.address])] : after.refused;
  return called({ ...after, refused }, { does: "settle", eventId: one.event.eventId, settlement }, boxes).state;
};

const claimed = (state: State, sender: number, boxes: Boxes): State => {
  const { address, now } = state;
  const { state: after, got } = called(state, { does: "claim", address, now }, boxes);
  return hand(
    after,
    sender,
    got.map((event) => ({ event, address, claimedAt: now, answer: undefined })),
  );
};

const nextIn =
  ({ boxes }: Setting) =>
  (state: State, action: Action): State => {
    switch (action.does) {
      case "put": {
        const call: Call = { does: "put", eventId: idOf(state.put), at: state.now };
        return called({ ...state, put: state.put + 1 }, call, boxes).state;
      }
      case "claim":
        return claimed(state, action.sender, boxes);
      case "answer":
        return answered(state, action);
      case "settle":
        return settled(state, action.sender, action.at, boxes);
      case "crash":
        return hand(spent(state, "crashes"), action.sender, []);
      case "time passes":
        return { ...state, now: nextAt(state) ?? state.now };
      case "a week passes":
        return { ...spent(state, "weeks"), now: state.now + EVENT_MS };
      case "address moves":
        return { ...spent(state, "moves"), address: "y" };
      case "clock goes back":
        return { ...spent(state, "clocks"), now: state.now - 2 * MAX_AHEAD_MS };
    }
  };

/** Whether a claim changes the outbox. */
const hasDue = ({ contents: { rows, gone }, address, now }: State): boolean =>
  rows.some(({ dueAt }) => dueAt <= now || dueAt > now + MAX_AHEAD_MS) || (gone === address && rows.length > 0);

/** What comes when nothing disturbs any more: senders settle, claim and are answered 200. */
const calm = (state: State, setting: Setting): State => {
  const next = nextIn(setting);
  let now = state;
  for (let steps = 0; steps < 40; steps += 1) {
    const able = actionsOf({ ...setting, stalls: true })(now);
    const first =
      able.find(({ does }) => does === "settle") ??
      able.find((action) => action.does === "answer" && action.answer === "200") ??
      able.find(({ does }) => does === "claim" && hasDue(now)) ??
      able.find(({ does }) => does === "time passes");
    if (first === undefined) return now;
    now = next(now, first);
  }
  return now;
};

const keyOf = ({ calls: _, contents, senders, now, ...rest }: State): string =>
  JSON.stringify([
    contents.gone,
    contents.rows.map(({ eventId, at, tries, dueAt }) => [eventId, at - now, tries, dueAt - now]),
    senders.map((tries) =>
      tries.map(({ event, address, claimedAt, answer }) => [
        event.eventId,
        event.at - now,
        event.tries,
        address,
        claimedAt - now,
        answer === undefined ? 0 : [answer.heard?.status],
      ]),
    ),
    rest,
  ]);

const vanished = (before: State, after: State): readonly Row[] =>
  before.contents.rows.filter(({ eventId }) => after.contents.rows.every((row) => row.eventId !== eventId));

const handled = (state: State, action: Action): Try | undefined =>
  action.does === "settle" ? state.senders[action.sender]?.[action.at] : undefined;

/** Why an event may go. */
const mayGo = (before: State, action: Action, { eventId, at }: Row): boolean => {
  if (action.does === "claim") return before.contents.gone === before.address;
  const one = handled(before, action);
  if (one === undefined) return false;
  const fate = fateIn(before, one);
  if (fate.kind === "gone") return one.address === before.address;
  if (one.event.eventId !== eventId) return false;
  if (fate.kind === "taken") return (before.taken[numberOf(eventId)] ?? 0) > 0;
  return fate.kind === "given_up" && before.now + MAX_AHEAD_MS - at >= EVENT_MS;
};

const systemOf = (setting: Setting): System<State, Action> => ({
  initial: {
    calls: [],
    contents: { rows: [], gone: undefined },
    senders: Array.from({ length: setting.senders }, () => []),
    address: "x",
    now: START,
    put: 0,
    taken: Array.from({ length: setting.events }, () => 0),
    refused: [],
    left: setting.left,
  },
  actions: actionsOf(setting),
  next: nextIn(setting),
  key: keyOf,
  invariants: {
    ...(setting.stalls
      ? {}
      : {
          "NOTIFY-3: one sender at a time has an event": ({ senders }: State) => {
            const ids = senders.flat().map(({ event }) => event.eventId);
            return new Set(ids).size === ids.length;
          },
        }),
    "NOTIFY-3: everything is taken, given up or refused once nothing disturbs any more": (state) => {
      const end = calm(state, setting);
      return end.contents.rows.length === 0 && end.senders.every((tries) => tries.length === 0);
    },
  },
  steps: {
    "NOTIFY-3: an event goes only when it is taken or given up, or when its address wants nothing more": (
      before,
      action,
      after,
    ) => vanished(before, after).every((row) => mayGo(before, action, row)),
    "NOTIFY-3: what has gone does not come back": (before, { does }, after) =>
      does === "put" || after.contents.rows.length <= before.contents.rows.length,
    "NOTIFY-6: an address that wants nothing more gets nothing": (before, action, after) =>
      action.does !== "claim" ||
      !before.refused.includes(before.address) ||
      (after.senders[action.sender] ?? []).length === 0,
    "NOTIFY-6: a try that failed is counted, and the next comes after its wait": (before, action, after) => {
      const one = handled(before, action);
      const fate = one === undefined ? undefined : fateIn(before, one);
      const row = after.contents.rows.find(({ eventId }) => eventId === one?.event.eventId);
      if (fate?.kind !== "later" || row === undefined) return true;
      return row.tries > (one?.event.tries ?? 0) && row.dueAt === before.now + fate.waitMs;
    },
  },
  reachable: {
    "every event is taken": ({ taken }) => taken.every((times) => times > 0),
    ...(setting.left.crashes + setting.left.failures > 0
      ? { "an event is taken twice": ({ taken }: State) => taken.includes(2) }
      : {}),
    ...(setting.left.weeks > 0 && setting.left.failures > 0
      ? {
          "an event is given up": ({ taken, put, contents, senders, refused }: State) =>
            put > 0 &&
            contents.rows.length === 0 &&
            refused.length === 0 &&
            taken[0] === 0 &&
            senders.flat().length === 0,
        }
      : {}),
    ...(setting.left.gones > 0 ? { "an address is refused": ({ refused }: State) => refused.length > 0 } : {}),
    ...(setting.left.gones > 0 && setting.left.moves > 0
      ? {
          "another address gets what comes then": ({ refused, taken, address }: State) =>
            refused.includes("x") && address === "y" && taken.includes(1),
        }
      : {}),
  },
});

const LONG = process.env["SPEC_LONG"] === "1";
const NONE: Left = { crashes: 0, failures: 0, gones: 0, weeks: 0, moves: 0, clocks: 0 };
const more = LONG ? 1 : 0;

const SETTINGS: readonly (readonly [name: string, setting: Omit<Setting, "boxes">])[] = [
  [
    "two events, one sender that ends, failures",
    { events: 2, senders: 1, stalls: false, left: { ...NONE, crashes: 2 + more, failures: 2 + more } },
  ],
  [
    "two events, two senders of which one ends, a failure",
    { events: 2, senders: 2, stalls: false, left: { ...NONE, crashes: 1, failures: 1 + more } },
  ],
  [
    "one event, two senders that take longer than their lease",
    { events: 1, senders: 2, stalls: true, left: { ...NONE, crashes: 1, failures: 1 + more, weeks: 1 } },
  ],
  [
    "two events, one sender, an address that refuses, and another one",
    { events: 2, senders: 1, stalls: false, left: { ...NONE, crashes: 1, failures: more, gones: 1, moves: 1 } },
  ],
  [
    "one event, one sender, a week and a clock that goes back",
    { events: 1, senders: 1, stalls: false, left: { ...NONE, crashes: 1, failures: 2, weeks: 1, clocks: 1 } },
  ],
];

const BOXES: readonly (readonly [name: string, boxes: () => Boxes])[] = [
  ["memory", () => inMemory],
  ["SQLite", inSqlite],
];

describe.each(BOXES)("NOTIFY-3, NOTIFY-6: every state of the events of a route: %s", (_, open) => {
  test.each(SETTINGS)("%s", (name, setting) => {
    const { states, transitions, violation, unreached } = explore(systemOf({ ...setting, boxes: open() }), 1_000_000);
    console.log(`${name}: ${String(states)} states, ${String(transitions)} steps`);
    expect(violation).toBeUndefined();
    expect(unreached).toEqual([]);
  });
});
