// All states of the real limits at a small scale: strangers, known clients, overflow buckets, slots and time.

import { expect, test } from "vitest";
import type { LimitsState, Rules } from "../../../adapters/limits/memory.ts";
import type { Bucket } from "../../../core/index.ts";
import { locatedOf, type Request, type Room, SmallLimits } from "../../support/small-limits.ts";
import { explore, type System } from "./explore.ts";

type State = {
  readonly limits: LimitsState;
  readonly now: number;
  /** The unfinished requests. */
  readonly open: readonly Request[];
  /** An observer's record: until when a client must wait, and its passes in the window in which it was counted. */
  readonly told: ReadonlyMap<string, number>;
  readonly counted: ReadonlyMap<string, { readonly endsAt: number; readonly passes: number }>;
  readonly verdict: string;
};
type Action =
  | { readonly kind: "ask"; readonly request: Request }
  | { readonly kind: "end"; readonly request: Request }
  | { readonly kind: "wait"; readonly ticks: number };

type Scale = {
  readonly rules: Rules;
  readonly room: Room;
  readonly requests: readonly Request[];
  readonly waits: readonly number[];
  /** Whether requests stay unfinished. Slots do not influence windows, so they are explored separately. */
  readonly holds: boolean;
  readonly reached: readonly string[];
};

const keyOf = (request: Request): string => locatedOf(request).clientKey;

const sizeOf = ({ limits }: State, route: string): number => limits.known.get(route)?.size ?? 0;

const REACHABLE: Readonly<Record<string, (state: State) => boolean>> = {
  "a client is limited": ({ verdict }) => verdict === "rate_limited",
  "a slot is refused": ({ verdict }) => verdict === "too_many_in_flight",
  "newcomers share a bucket": ({ limits }) => limits.overflow.size > 0,
  "a newcomer is kept out": ({ limits }) => limits.overflow.has("a") && limits.strangers.size === 1,
  "a client is known": ({ limits }) => limits.known.size > 0,
  "strangers are forgotten": ({ limits, counted }) => counted.size > 1 && limits.strangers.size === 0,
  "every slot is given back": ({ limits, verdict }) =>
    verdict === "ended" && limits.clientSlots.size + limits.peerSlots.size === 0,
  "two clients of a route are known": (state) => sizeOf(state, "a") === 2,
  "a shared place goes to another route": (state) => state.limits.known.first?.key === "b" && sizeOf(state, "b") === 2,
  "a peer is full before its clients are": ({ limits, verdict }) =>
    verdict === "too_many_in_flight" && [...limits.clientSlots.values()].every((count) => count < 2),
};

/** Times as the rest of a window, so that states that differ only in the absolute time are one. */
const systemOf = ({ rules, room, requests, waits, holds, reached }: Scale): System<State, Action> => {
  const small = new SmallLimits(rules, room);
  const { limit } = rules.window;
  const left = (endsAt: number, now: number): number => Math.max(0, endsAt - now);
  const buckets = (kept: Iterable<readonly [string, Bucket]>, now: number): string =>
    [...kept].map(([key, { endsAt, count }]) => `${key} ${String(left(endsAt, now))} ${String(count)}`).join(",");
  const sharedOf = ({ known }: LimitsState): number =>
    [...known].reduce((sum, [, { size }]) => sum + Math.max(0, size - room.known.own), 0);
  const sorted = (values: Iterable<string>): string => [...values].toSorted().join(",");

  const ask = (state: State, request: Request): State => {
    const located = locatedOf(request);
    const { after, verdict, bucket } = small.ask(state.limits, located, state.now);
    const passes = verdict !== "rate_limited";
    const before = state.counted.get(located.clientKey);
    const isSame = before?.endsAt === bucket.endsAt && left(before.endsAt, state.now) > 0;
    const already = isSame ? before.passes : 0;
    const isOpen = verdict === "admitted" && holds;
    return {
      ...state,
      limits: verdict === "admitted" && !holds ? small.release(after, located) : after,
      open: isOpen ? [...state.open, request] : state.open,
      told: passes ? state.told : new Map(state.told).set(located.clientKey, bucket.endsAt),
      counted: new Map(state.counted).set(located.clientKey, {
        endsAt: bucket.endsAt,
        passes: already + (passes ? 1 : 0),
      }),
      verdict,
    };
  };
  const end = (state: State, request: Request): State => ({
    ...state,
    limits: small.release(state.limits, locatedOf(request)),
    open: state.open.toSpliced(state.open.indexOf(request), 1),
    verdict: "ended",
  });
  /** The held slots by key, as an onlooker counts them. */
  const held = ({ open }: State, key: "clientKey" | "peerKey"): ReadonlyMap<string, number> => {
    const slots = Map.groupBy(open, (request) => locatedOf(request)[key]);
    return new Map([...slots].map(([slot, requests]) => [slot, requests.length]));
  };
  const same = (table: ReadonlyMap<string, number>, seen: ReadonlyMap<string, number>): boolean =>
    table.size === seen.size && [...seen].every(([slot, count]) => table.get(slot) === count);

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
        ...[...limits.known].map(([route, clients]) => `${route}: ${buckets(clients, now)}`),
        sorted([buckets(limits.overflow, now)]),
        sorted(open.map((request) => String(requests.indexOf(request)))),
        sorted([...told].filter(([, until]) => until > now).map(([key, until]) => `${key} ${String(until - now)}`)),
        sorted(
          [...counted]
            .filter(([, { endsAt }]) => left(endsAt, now) > 0)
            .map(([key, { endsAt, passes }]) => `${key} ${String(left(endsAt, now))} ${String(passes)}`),
        ),
      ].join(";"),
    invariants: {
      "LIMIT-1: in no window pass more requests of a client than the limit": ({ counted }) =>
        [...counted.values()].every(({ passes }) => passes <= limit),
      "LIMIT-5: the table is bounded": ({ limits }) =>
        limits.strangers.size <= room.strangers && limits.overflow.size <= 3 && sharedOf(limits) <= room.known.shared,
      "LIMIT-5: no route has more than its own places and its part of the shared ones": ({ limits }) =>
        [...limits.known].every(([, { size }]) => size <= room.known.own + room.known.part),
      "SLOT-1: no client and no peer has more unfinished requests on a route than its limit": (state) =>
        [...held(state, "clientKey").values()].every((count) => count <= rules.slots.client) &&
        [...held(state, "peerKey").values()].every((count) => count <= rules.slots.peer),
      "SLOT-3: the table knows exactly the held slots": (state) =>
        same(state.limits.clientSlots, held(state, "clientKey")) &&
        same(state.limits.peerSlots, held(state, "peerKey")),
    },
    steps: {
      "LIMIT-3: no client passes before the time that it was told to wait for": (before, action, after) =>
        action.kind !== "ask" ||
        after.verdict === "rate_limited" ||
        before.now >= (before.told.get(keyOf(action.request)) ?? 0),
      "LIMIT-4: a client stays in the window it is counted in until that has ended": (before, action, after) => {
        if (action.kind !== "ask") return true;
        const was = before.counted.get(keyOf(action.request));
        const is = after.counted.get(keyOf(action.request));
        return was === undefined || left(was.endsAt, before.now) === 0 || was.endsAt === is?.endsAt;
      },
      "LIMIT-5: a known client gives way to a known one alone, and only after its window": (before, _action, after) =>
        [...before.limits.known].every(([route, clients]) =>
          [...clients].every(
            ([key, { endsAt }]) =>
              after.limits.known.get(route)?.has(key) === true ||
              (after.verdict === "admitted" && left(endsAt, before.now) === 0),
          ),
        ),
      "LIMIT-13: a newcomer of a route without a place for a known client takes none of the second half of the strangers' places":
        (before, action, after) => {
          if (action.kind !== "ask") return true;
          const { route } = action.request;
          const key = keyOf(action.request);
          const isOld = before.limits.strangers.has(key) || before.limits.known.get(route)?.has(key) === true;
          const taken = [...before.limits.strangers].filter(([, { endsAt }]) => left(endsAt, before.now) > 0).length;
          const clients = [...(before.limits.known.get(route) ?? [])];
          const isFull =
            clients.length === room.known.own + room.known.part &&
            clients.every(([, { endsAt }]) => left(endsAt, before.now) > 0);
          return isOld || !isFull || taken < Math.ceil(room.strangers / 2) || !after.limits.strangers.has(key);
        },
      "LIMIT-5: clients of another route leave a route its own places": (before, action, after) =>
        action.kind !== "ask" ||
        [...before.limits.known].every(
          ([route, clients]) =>
            route === action.request.route || sizeOf(after, route) >= Math.min(clients.size, room.known.own),
        ),
      "LIMIT-5: a client that shows the secret is known, unless all its route's own places have open windows": (
        _before,
        action,
        after,
      ) => {
        if (action.kind !== "ask" || after.verdict !== "admitted") return true;
        const clients = after.limits.known.get(action.request.route);
        const open = [...(clients ?? [])].filter(([, { endsAt }]) => left(endsAt, after.now) > 0).length;
        return clients?.has(keyOf(action.request)) === true || open >= room.known.own;
      },
    },
    reachable: Object.fromEntries(reached.map((name) => [name, REACHABLE[name] ?? (() => false)])),
  };
};

const requestsOf = (
  clients: readonly number[],
  routes: readonly string[],
  peers: readonly number[],
  secrets: readonly boolean[] = [true, false],
) =>
  clients.flatMap((client) =>
    routes.flatMap((route) =>
      peers.flatMap((peer) => secrets.map((isGood) => ({ client, route, peer, isJson: true, isGood }))),
    ),
  );

const LIMITER = ["a client is limited", "newcomers share a bucket", "a client is known", "strangers are forgotten"];
const WINDOW = { limit: 2, ms: 2 };
const ROOM: Room = { strangers: 1, known: { own: 1, shared: 0, part: 0 } };

const MANY: Scale = {
  rules: { window: WINDOW, slots: { client: 1, peer: 4 } },
  room: ROOM,
  requests: requestsOf([1, 2], ["a", "b"], [1]),
  waits: [1, 2],
  holds: false,
  reached: LIMITER,
};

/** The last is for long campaigns. */
const SCALES: Readonly<Record<string, Scale>> = {
  "3 clients on 1 route": {
    rules: { window: WINDOW, slots: { client: 1, peer: 4 } },
    room: ROOM,
    requests: requestsOf([1, 2, 3], ["a"], [1]),
    waits: [1, 2],
    holds: false,
    reached: LIMITER,
  },
  "2 clients on 2 routes": {
    ...MANY,
    rules: { window: { limit: 2, ms: 1 }, slots: { client: 1, peer: 4 } },
    waits: [1],
  },
  "known clients of 3 routes": {
    ...MANY,
    rules: { window: { limit: 1, ms: 1 }, slots: { client: 1, peer: 4 } },
    room: { strangers: 1, known: { own: 1, shared: 1, part: 1 } },
    requests: [...requestsOf([1, 2], ["a", "b"], [1], [true]), ...requestsOf([1], ["c"], [1], [true])],
    waits: [1],
    reached: ["a client is limited", "two clients of a route are known", "a shared place goes to another route"],
  },
  "newcomers of 2 routes, one without a place": {
    ...MANY,
    rules: { window: { limit: 1, ms: 1 }, slots: { client: 1, peer: 4 } },
    room: { strangers: 2, known: { own: 1, shared: 0, part: 0 } },
    requests: [...requestsOf([1, 2, 3], ["a"], [1]), ...requestsOf([4, 5], ["b"], [1], [false])],
    waits: [1],
    reached: ["a client is limited", "newcomers share a bucket", "a client is known", "a newcomer is kept out"],
  },
  "slots of 2 peers on 2 routes": {
    rules: { window: { limit: 1, ms: 0 }, slots: { client: 2, peer: 3 } },
    room: ROOM,
    requests: requestsOf([1], ["a", "b"], [1, 2]),
    waits: [],
    holds: true,
    reached: ["a slot is refused", "every slot is given back"],
  },
  "slots of 3 clients behind a peer": {
    rules: { window: { limit: 1, ms: 0 }, slots: { client: 2, peer: 3 } },
    room: ROOM,
    requests: requestsOf([1, 2, 3], ["a"], [1]),
    waits: [],
    holds: true,
    reached: ["a slot is refused", "a peer is full before its clients are", "every slot is given back"],
  },
  ...(process.env["SPEC_LONG"] === undefined
    ? {}
    : { "2 clients on 2 routes, with time passing within a window": MANY }),
};

test.each(Object.entries(SCALES))(
  "LIMIT-1, LIMIT-3, LIMIT-4, LIMIT-5, LIMIT-13, SLOT-1, SLOT-3: in every state of %s",
  (name, scale) => {
    const { states, transitions, violation, unreached } = explore(systemOf(scale));
    console.log(`limits, ${name}: ${String(states)} states, ${String(transitions)} transitions`);
    expect(violation).toBe(undefined);
    expect(unreached).toEqual([]);
  },
);
