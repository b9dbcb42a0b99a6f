// Every state of the real limits at a small scale: strangers, known clients, overflow buckets, slots and time.

import { expect, test } from "vitest";
import type { LimitsState } from "../../../adapters/limits/memory.ts";
import type { Bucket, Rules } from "../../../core/index.ts";
import { locatedOf, type Request, SmallLimits } from "../../support/small-limits.ts";
import { explore, type System } from "./explore.ts";

type State = {
  readonly limits: LimitsState;
  readonly now: number;
  /** The unfinished requests. */
  readonly open: readonly Request[];
  /** What an onlooker notes: until when a client was told to wait, and its passes in the window it was counted in. */
  readonly told: ReadonlyMap<string, number>;
  readonly counted: ReadonlyMap<string, { readonly openedAt: number; readonly passes: number }>;
  readonly verdict: string;
};
type Action =
  | { readonly kind: "ask"; readonly request: Request }
  | { readonly kind: "end"; readonly request: Request }
  | { readonly kind: "wait"; readonly ticks: number };

type Scale = {
  readonly rules: Rules;
  readonly capacity: number;
  readonly requests: readonly Request[];
  readonly waits: readonly number[];
  /** Whether requests stay unfinished: the slots do not touch the windows, so they are explored apart. */
  readonly holds: boolean;
  readonly reached: readonly string[];
};

const keyOf = (request: Request): string => locatedOf(request).windowKey;
const slotOf = (request: Request): string => locatedOf(request).slotKey;

const REACHABLE: Readonly<Record<string, (state: State) => boolean>> = {
  "a client is limited": ({ verdict }) => verdict === "rate_limited",
  "a slot is refused": ({ verdict }) => verdict === "too_many_in_flight",
  "newcomers share a bucket": ({ limits }) => limits.overflow.size > 0,
  "a client is known": ({ limits }) => limits.known.size > 0,
  "strangers are forgotten": ({ limits, counted }) => counted.size > 1 && limits.strangers.size === 0,
  "every slot is given back": ({ limits, verdict }) => verdict === "ended" && limits.slots.size === 0,
};

/** Times as what is left of a window, so that states that differ in the hour alone are one. */
const systemOf = ({ rules, capacity, requests, waits, holds, reached }: Scale): System<State, Action> => {
  const small = new SmallLimits(rules, capacity);
  const { ms, limit } = rules.window;
  const left = (openedAt: number, now: number): number => Math.max(0, openedAt + ms - now);
  const buckets = (kept: ReadonlyMap<string, Bucket>, now: number): string =>
    [...kept].map(([key, { openedAt, count }]) => `${key} ${String(left(openedAt, now))} ${String(count)}`).join(",");
  const sorted = (values: Iterable<string>): string => [...values].toSorted().join(",");

  const ask = (state: State, request: Request): State => {
    const located = locatedOf(request);
    const { after, admission } = small.ask(state.limits, located, state.now);
    const { bucket } = admission.window;
    const passes = admission.window.verdict.isOk();
    const before = state.counted.get(located.windowKey);
    const isSame = before?.openedAt === bucket.openedAt && left(before.openedAt, state.now) > 0;
    const already = isSame ? before.passes : 0;
    const isOpen = admission.verdict.isOk() && holds;
    return {
      ...state,
      limits: admission.verdict.isOk() && !holds ? small.release(after, located) : after,
      open: isOpen ? [...state.open, request] : state.open,
      told: passes ? state.told : new Map(state.told).set(located.windowKey, bucket.openedAt + ms),
      counted: new Map(state.counted).set(located.windowKey, {
        openedAt: bucket.openedAt,
        passes: already + (passes ? 1 : 0),
      }),
      verdict: admission.verdict.match(
        () => "admitted",
        ({ code }) => code,
      ),
    };
  };
  const end = (state: State, request: Request): State => ({
    ...state,
    limits: small.release(state.limits, locatedOf(request)),
    open: state.open.toSpliced(state.open.indexOf(request), 1),
    verdict: "ended",
  });
  const held = ({ open }: State, slot: string): number => open.filter((request) => slotOf(request) === slot).length;

  return {
    initial: { limits: small.empty, now: 0, open: [], told: new Map(), counted: new Map(), verdict: "none" },
    actions: ({ open }) => [
      ...requests.map((request) => ({ kind: "ask" as const, request })),
      ...[...new Set(open)].map((request) => ({ kind: "end" as const, request })),
      ...waits.map((ticks) => ({ kind: "wait" as const, ticks })),
    ],
    next: (state, action) => {
      if (action.kind === "ask") return ask(state, action.request);
      if (action.kind === "end") return end(state, action.request);
      return { ...state, now: state.now + action.ticks, verdict: "waited" };
    },
    key: ({ limits, now, open, told, counted }) =>
      [
        buckets(limits.strangers, now),
        buckets(limits.known, now),
        sorted([buckets(limits.overflow, now)]),
        sorted(open.map((request) => String(requests.indexOf(request)))),
        sorted([...told].filter(([, until]) => until > now).map(([key, until]) => `${key} ${String(until - now)}`)),
        sorted(
          [...counted]
            .filter(([, { openedAt }]) => left(openedAt, now) > 0)
            .map(([key, { openedAt, passes }]) => `${key} ${String(left(openedAt, now))} ${String(passes)}`),
        ),
      ].join(";"),
    invariants: {
      "LIMIT-1: in no window pass more requests of a client than the limit": ({ counted }) =>
        [...counted.values()].every(({ passes }) => passes <= limit),
      "LIMIT-5: the table is bounded": ({ limits }) =>
        limits.strangers.size <= capacity && limits.known.size <= capacity && limits.overflow.size <= 2,
      "SLOT-1: no peer has more unfinished requests on a route than the limit": ({ limits }) =>
        [...limits.slots.values()].every((count) => count <= rules.slots),
      "SLOT-3: the table knows exactly the held slots": (state) =>
        state.open.every((request) => state.limits.slots.has(slotOf(request))) &&
        [...state.limits.slots].every(([slot, count]) => count > 0 && count === held(state, slot)),
    },
    steps: {
      "LIMIT-3: nobody passes before the time it was told to wait for": (before, action, after) =>
        action.kind !== "ask" ||
        after.verdict === "rate_limited" ||
        before.now >= (before.told.get(keyOf(action.request)) ?? 0),
      "LIMIT-4: a client stays in the window it is counted in until that has ended": (before, action, after) => {
        if (action.kind !== "ask") return true;
        const was = before.counted.get(keyOf(action.request));
        const is = after.counted.get(keyOf(action.request));
        return was === undefined || left(was.openedAt, before.now) === 0 || was.openedAt === is?.openedAt;
      },
      "LIMIT-5: a known client gives way to a known one alone, and only after its window": (before, _action, after) =>
        [...before.limits.known].every(
          ([key, { openedAt }]) =>
            after.limits.known.has(key) || (after.verdict === "admitted" && left(openedAt, before.now) === 0),
        ),
    },
    reachable: Object.fromEntries(reached.map((name) => [name, REACHABLE[name] ?? (() => false)])),
  };
};

const requestsOf = (clients: readonly number[], routes: readonly string[], peers: readonly number[]) =>
  clients.flatMap((client) =>
    routes.flatMap((route) =>
      peers.flatMap((peer) => [true, false].map((isGood) => ({ client, route, peer, isJson: true, isGood }))),
    ),
  );

const LIMITER = ["a client is limited", "newcomers share a bucket", "a client is known", "strangers are forgotten"];
const WINDOW = { limit: 2, ms: 2 };

const MANY: Scale = {
  rules: { window: WINDOW, slots: 1 },
  capacity: 1,
  requests: requestsOf([1, 2], ["a", "b"], [1]),
  waits: [1, 2],
  holds: false,
  reached: LIMITER,
};

/** The last is for long campaigns. */
const SCALES: Readonly<Record<string, Scale>> = {
  "3 clients on 1 route": {
    rules: { window: WINDOW, slots: 1 },
    capacity: 1,
    requests: requestsOf([1, 2, 3], ["a"], [1]),
    waits: [1, 2],
    holds: false,
    reached: LIMITER,
  },
  "2 clients on 2 routes": { ...MANY, rules: { window: { limit: 2, ms: 1 }, slots: 1 }, waits: [1] },
  "slots of 2 peers on 2 routes": {
    rules: { window: { limit: 1, ms: 0 }, slots: 2 },
    capacity: 1,
    requests: requestsOf([1], ["a", "b"], [1, 2]),
    waits: [],
    holds: true,
    reached: ["a slot is refused", "every slot is given back"],
  },
  ...(process.env["SPEC_LONG"] === undefined
    ? {}
    : { "2 clients on 2 routes, with time passing within a window": MANY }),
};

test.each(Object.entries(SCALES))(
  "LIMIT-1, LIMIT-3, LIMIT-4, LIMIT-5, SLOT-1, SLOT-3: in every state of %s",
  (name, scale) => {
    const { states, transitions, violation, unreached } = explore(systemOf(scale));
    console.log(`limits, ${name}: ${String(states)} states, ${String(transitions)} transitions`);
    expect(violation).toBe(undefined);
    expect(unreached).toEqual([]);
  },
);
