// The limits: the core's decisions on the memory table, for any interleaving of clients, secrets, unfinished requests
// and clock changes.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type Places } from "../../../adapters/limits/known-clients.ts";
import { emptyState, KNOWN_MS, MemoryLimits } from "../../../adapters/limits/memory.ts";
import { OldestFirst } from "../../../adapters/limits/oldest-first.ts";
import { nodePrimitives } from "../../../adapters/node/primitives.ts";
import {
  admit,
  type Bucket,
  locate,
  type Located,
  type Verdict,
  type Rejection,
  SLOT_RETRY_MS,
  SLOTS,
  WINDOW,
} from "../../../core/index.ts";
import { head, load, PATH_A, PATH_B, ROUTE_A, ROUTE_B, ROUTES } from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";

const { limit: WINDOW_LIMIT, ms: WINDOW_MS } = WINDOW;

const knownIn = ({ state }: MemoryLimits): number => [...state.known].reduce((sum, [, { size }]) => sum + size, 0);

/** The number of entries in a table. */
const sizeOf = (limits: MemoryLimits): { buckets: number; overflow: number; slots: number } => ({
  buckets: limits.state.strangers.size + knownIn(limits),
  overflow: limits.state.overflow.size,
  slots: limits.state.clientSlots.size + limits.state.peerSlots.size,
});

type Request = { readonly client: number; readonly route: 0 | 1; readonly good: boolean };

const located = ({ client, route, good }: Request): Located => {
  const secret = [ROUTE_A.secret, ROUTE_B.secret][route] ?? "";
  const headers = { "content-type": "application/json", authorization: good ? `Bearer ${secret}` : "Bearer no" };
  const target = [PATH_A, PATH_B][route] ?? "";
  return locate(
    ROUTES,
    head({
      target,
      headers,
      client: `10.${String(client >> 16)}.${String((client >> 8) & 255)}.${String(client & 255)}`,
      peer: `127.0.0.${String(client % 3)}`,
    }),
  )._unsafeUnwrap();
};

/** One request up to its body, as the bridge runs it: undefined means that it holds a slot. */
const send = (table: MemoryLimits, request: Located, now: number): Rejection | undefined => {
  const verdict = table.admit(request, now);
  const admitted = admit(request, verdict, nodePrimitives.sha256, 0);
  if (admitted.isOk()) table.confirm(request, now);
  else if (verdict.kind === "admitted") table.release(request, true);
  return admitted.isOk() ? undefined : admitted.error;
};

/** The client's own bucket, if it has one. */
const ownBucket = ({ state }: MemoryLimits, { clientKey, route }: Located): Bucket | undefined =>
  state.known.get(route.id)?.get(clientKey) ?? state.strangers.get(clientKey);

const heldBy = ({ state }: MemoryLimits, { clientKey, peerKey }: Located): { client: number; peer: number } => ({
  client: state.clientSlots.get(clientKey) ?? 0,
  peer: state.peerSlots.get(peerKey) ?? 0,
});

type Step =
  | { readonly kind: "burst"; readonly request: Request; readonly times: number; readonly hold: boolean }
  | { readonly kind: "release"; readonly index: number }
  | { readonly kind: "wait"; readonly ms: number };

const CAPACITY = 3;
const PLACES: Places = { own: 1, shared: 3, part: 2 };
const smallTable = (): MemoryLimits => new MemoryLimits(CAPACITY, { places: PLACES });

const request: fc.Arbitrary<Request> = fc.record({
  client: fc.nat({ max: 9 }),
  route: fc.constantFrom(0 as const, 1 as const),
  good: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant("burst" as const),
      request,
      times: fc.constantFrom(1, 2, 9, 60, 125),
      hold: fc.boolean(),
    }),
    weight: 6,
  },
  { arbitrary: fc.record({ kind: fc.constant("release" as const), index: fc.nat() }), weight: 2 },
  {
    arbitrary: fc.record({
      kind: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 20_000, 59_999, 60_000, 120_000),
    }),
    weight: 2,
  },
);

/** An observer's record: until when clients must wait, when they passed, and which requests are unfinished. */
class Watch {
  readonly table = smallTable();
  readonly open: Located[] = [];
  readonly refusedUntil = new Map<string, number>();
  readonly passes = new Map<string, number[]>();
  now = 0;

  burst({ request: asked, times, hold }: Extract<Step, { kind: "burst" }>): void {
    const one = located(asked);
    for (let n = 0; n < times; n += 1) this.#send(one, asked.good, hold);
  }

  #send(one: Located, good: boolean, hold: boolean): void {
    const held = this.#held(one);
    const refused = send(this.table, one, this.now);
    if (refused?.code === "rate_limited") {
      expect(refused.retryAfterMs).toBeGreaterThan(0);
      expect(refused.retryAfterMs).toBeLessThanOrEqual(WINDOW_MS);
      this.refusedUntil.set(one.clientKey, this.now + (refused.retryAfterMs ?? 0));
      return;
    }
    expect(this.now, "LIMIT-3: nobody passes before the moment it was told to wait for").toBeGreaterThanOrEqual(
      this.refusedUntil.get(one.clientKey) ?? 0,
    );
    this.passes.set(one.clientKey, [...(this.passes.get(one.clientKey) ?? []), this.now]);
    const isFull = held.client >= SLOTS.client || held.peer >= SLOTS.peer;
    expect(refused?.code, "SLOT-1").toBe(isFull ? "too_many_in_flight" : good ? undefined : "unauthorized");
    if (isFull) expect(refused?.retryAfterMs).toBe(SLOT_RETRY_MS);
    if (refused !== undefined) return;
    if (hold) this.open.push(one);
    else this.table.release(one, true);
  }

  #held({ clientKey, peerKey }: Located): { readonly client: number; readonly peer: number } {
    return {
      client: this.open.filter((one) => one.clientKey === clientKey).length,
      peer: this.open.filter((one) => one.peerKey === peerKey).length,
    };
  }

  release(index: number): void {
    const [one] = this.open.splice(index % Math.max(1, this.open.length), 1);
    if (one !== undefined) this.table.release(one, true);
  }

  check(): void {
    const { buckets, overflow, slots } = sizeOf(this.table);
    expect(buckets, "LIMIT-5: memory").toBeLessThanOrEqual(CAPACITY + 2 * PLACES.own + PLACES.shared);
    for (const [, { size }] of this.table.state.known) expect(size).toBeLessThanOrEqual(PLACES.own + PLACES.part);
    expect(overflow, "LIMIT-5: memory").toBeLessThanOrEqual(2);
    const keys = new Set(this.open.flatMap(({ clientKey, peerKey }) => [`client ${clientKey}`, `peer ${peerKey}`]));
    expect(slots, "SLOT-3: exactly the held ones").toBe(keys.size);
    for (const one of this.open) expect(heldBy(this.table, one)).toEqual(this.#held(one));
  }
}

test("LIMIT-1, LIMIT-3, LIMIT-5, SLOT-1, SLOT-3: for any interleaving of requests, aborts and clock moves", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const watch = new Watch();
      for (const one of steps) {
        if (one.kind === "burst") watch.burst(one);
        else if (one.kind === "release") watch.release(one.index);
        else watch.now += one.ms;
        watch.check();
      }
      for (const [key, times] of watch.passes) {
        times.forEach((at, index) => {
          const twoWindowsOn = times[index + 2 * WINDOW_LIMIT];
          if (twoWindowsOn !== undefined) expect(twoWindowsOn - at, `LIMIT-1 ${key}`).toBeGreaterThanOrEqual(WINDOW_MS);
        });
      }
    }),
    { numRuns: runs(300) },
  );
});

test("LIMIT-3: a limited client stays limited while any number of strangers come and go", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ client: fc.integer({ min: 1, max: 4000 }), at: fc.nat({ max: WINDOW_MS - 1 }) }), {
        maxLength: 300,
      }),
      (strangers) => {
        const table = smallTable();
        const guesser = located({ client: 0, route: 0, good: false });
        for (let n = 0; n < WINDOW_LIMIT; n += 1) expect(send(table, guesser, 0)?.code).toBe("unauthorized");
        for (const { client, at } of strangers.toSorted((a, b) => a.at - b.at)) {
          send(table, located({ client, route: 0, good: client % 7 === 0 }), at);
          expect(send(table, guesser, at)?.code).toBe("rate_limited");
        }
        expect(send(table, guesser, WINDOW_MS)?.code).toBe("unauthorized");
      },
    ),
  );
});

test("LIMIT-5: a client that has authenticated is served, whatever strangers send, also in later windows", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 20 }),
      fc.constantFrom(0, 1, WINDOW_MS, 10 * WINDOW_MS),
      (floods, later) => {
        const table = smallTable();
        const friend = located({ client: 0, route: 0, good: true });
        expect(send(table, friend, 0)).toBe(undefined);
        table.release(friend, true);
        for (const client of floods)
          for (let n = 0; n < 130; n += 1) send(table, located({ client, route: 0, good: false }), later);
        expect(send(table, friend, later)).toBe(undefined);
      },
    ),
    { numRuns: runs(30) },
  );
});

test("LIMIT-5: a newcomer that authenticates through the shared bucket gets one of its own", () => {
  const table = smallTable();
  for (let client = 1; client <= CAPACITY + 1; client += 1) send(table, located({ client, route: 0, good: false }), 0);
  const newcomer = located({ client: 0, route: 0, good: true });
  expect([ownBucket(table, newcomer), table.state.overflow.get(ROUTE_A.id)?.count]).toEqual([undefined, 1]);
  expect(send(table, newcomer, 0)).toBe(undefined);
  expect(ownBucket(table, newcomer)).toEqual({ endsAt: WINDOW_MS, count: 2 });
  expect(table.state.overflow.get(ROUTE_A.id)).toEqual({ endsAt: WINDOW_MS, count: 2 });
});

test("LIMIT-13: however many networks the holder of one secret has, newcomers of another route are counted one by one", () => {
  const sizes = fc.record({
    crowd: fc.integer({ min: 0, max: 600 }),
    newcomers: fc.integer({ min: 1, max: 130 }),
    guesses: fc.integer({ min: 0, max: 32 }),
  });
  fc.assert(
    fc.property(sizes, ({ crowd, newcomers, guesses }) => {
      const table = new MemoryLimits(64);
      const ask = (client: number, route: 0 | 1, good: boolean): Rejection | undefined => {
        const one = located({ client, route, good });
        const refused = send(table, one, 0);
        if (refused === undefined) table.release(one, true);
        return refused;
      };
      for (let client = 0; client < crowd; client += 1) ask(client, 0, true);
      // its own places and part hold 128; half of the strangers' places are left to others
      expect(table.state.strangers.size).toBe(Math.min(32, Math.max(0, crowd - 128)));
      for (let client = 0; client < guesses; client += 1) ask(100_000 + client, 1, false);
      const left = 32 - guesses;
      for (let client = 0; client < newcomers; client += 1) {
        const refused = ask(200_000 + client, 1, true);
        if (left > 0 || crowd <= 160 - guesses) expect(refused).toBe(undefined);
      }
    }),
    { numRuns: runs(40) },
  );
});

test("LIMIT-5: known clients give way only to known ones, the one whose window ended first", () => {
  const table = smallTable();
  const friend = (client: number): Located => located({ client, route: 0, good: true });
  const isKnown = (client: number): boolean => ownBucket(table, friend(client)) !== undefined;
  for (const client of [1, 2, 3]) send(table, friend(client), client);
  send(table, friend(4), 10);
  expect([1, 2, 3, 4].map((client) => isKnown(client))).toEqual([true, true, true, true]);
  expect(sizeOf(table).buckets).toBe(4);
  send(table, friend(5), WINDOW_MS + 1);
  expect([1, 2, 3].map((client) => isKnown(client))).toEqual([false, true, true]);
});

test("LIMIT-5: 20,000 distinct clients leave a table of the same size", () => {
  const table = new MemoryLimits(1000);
  for (let client = 0; client < 20_000; client += 1) send(table, located({ client, route: 0, good: false }), client);
  expect(sizeOf(table)).toEqual({ buckets: 1000, overflow: 1, slots: 0 });
});

test("SLOT-2: a slot that is released twice does not free another one", () => {
  const table = new MemoryLimits();
  const one = located({ client: 0, route: 0, good: true });
  table.release(one, true);
  expect(heldBy(table, one)).toEqual({ client: 0, peer: 0 });
  send(table, one, 0);
  send(table, one, 0);
  expect(heldBy(table, one)).toEqual({ client: 2, peer: 2 });
  table.release(one, true);
  expect(heldBy(table, one)).toEqual({ client: 1, peer: 1 });
});

const behind = (client: number, peer: string): Located =>
  locate(ROUTES, head({ client: `10.9.${String(client)}.1`, peer }))._unsafeUnwrap();

test("SLOT-1: behind one proxy each client has eight slots, and all together have 64", () => {
  const table = new MemoryLimits();
  for (let client = 0; client < 8; client += 1) {
    for (let held = 0; held < 8; held += 1) expect(send(table, behind(client, "127.0.0.1"), 0)).toBe(undefined);
    expect(send(table, behind(client, "127.0.0.1"), 0)?.code).toBe("too_many_in_flight");
    const refused = send(table, behind(client + 100, "127.0.0.1"), 0)?.code;
    expect(refused).toBe(client < 7 ? undefined : "too_many_in_flight");
    if (refused === undefined) table.release(behind(client + 100, "127.0.0.1"), true);
  }
  expect(send(table, behind(200, "127.0.0.2"), 0)).toBe(undefined);
  table.release(behind(3, "127.0.0.1"), true);
  expect(send(table, behind(201, "127.0.0.1"), 0)).toBe(undefined);
});

test("LIMIT-5: a client that has lost its bucket when it is confirmed is not made known", () => {
  const table = smallTable();
  table.confirm(located({ client: 0, route: 0, good: true }), 0);
  expect(sizeOf(table)).toEqual({ buckets: 0, overflow: 0, slots: 0 });
});

const keyOf = (client: number): string => located({ client, route: 0, good: true }).clientKey;
const at = (clients: readonly number[], openedAt: number): [string, Bucket][] =>
  clients.map((client) => [keyOf(client), { endsAt: openedAt + WINDOW_MS, count: 1 }]);
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, client) => client + 1);

/** Limits that know these clients of the first route, and their table. */
const knowing = (entries: readonly [string, Bucket][], places: Places) => {
  const known = new OldestFirst(entries);
  const state = { ...emptyState(), known: new OldestFirst([[ROUTE_A.id, known]]) };
  return { known, table: new MemoryLimits(100, { state, places }) };
};

test("LIMIT-7: one request drops at most 64 ended windows, and none when it has a bucket", () => {
  const state = { ...emptyState(), strangers: new OldestFirst(at(upTo(200), 0)) };
  const table = new MemoryLimits(200, { state });
  const stranger = (client: number): Located => located({ client, route: 0, good: false });
  send(table, stranger(1), WINDOW_MS);
  expect(state.strangers.size).toBe(200);
  send(table, stranger(999), WINDOW_MS - 1);
  expect([state.strangers.size, state.overflow.size]).toEqual([200, 1]);
  state.overflow.clear();
  send(table, stranger(999), WINDOW_MS);
  expect([...state.strangers].map(([key]) => key)).toEqual([...upTo(200).slice(65), 1, 999].map(keyOf));
});

test("LIMIT-7, LIMIT-5: the first 8 known clients of a route are searched for one that may be removed", () => {
  for (const [live, isTaken] of [
    [7, true],
    [8, false],
  ] as const) {
    const { known, table } = knowing([...at(upTo(live), WINDOW_MS), ...at([50, 51, 52], 0)], {
      own: live + 3,
      shared: 0,
      part: 0,
    });
    send(table, located({ client: 99, route: 0, good: true }), WINDOW_MS);
    expect([live, known.has(keyOf(99)), known.has(keyOf(50)), known.has(keyOf(51))]).toEqual([
      live,
      isTaken,
      !isTaken,
      true,
    ]);
  }
});

test("LIMIT-5: a known client removes no other client, and only a new window moves a client to the end", () => {
  const { known, table } = knowing([...at([1], 0), ...at([2], 5)], { own: 2, shared: 0, part: 0 });
  const order = (): readonly string[] => [...known].map(([key]) => key);
  send(table, located({ client: 2, route: 0, good: true }), 6);
  expect(order()).toEqual([keyOf(1), keyOf(2)]);
  send(table, located({ client: 2, route: 0, good: true }), WINDOW_MS + 1);
  expect([...known]).toEqual([...at([1], 0), [keyOf(2), { endsAt: 5 + WINDOW_MS, count: 3 }]]);
  send(table, located({ client: 1, route: 0, good: false }), WINDOW_MS + 1);
  expect(order()).toEqual([keyOf(2), keyOf(1)]);
});

const SIGNED = load({
  routes: { hub: { sessionKey: "agent:main:hub", secret: "signing-secret-0123456789", signature: "github" } },
}).routes;

const delivery = (client: number, peer = "127.0.0.1"): Located =>
  locate(SIGNED, head({ target: "/plugins/webhooks/hub", client: `10.9.${String(client)}.1`, peer }))._unsafeUnwrap();

test("SLOT-1, SIGN-5: strangers hold no slot of their peer; a proved request takes one, if one is left", () => {
  const table = new MemoryLimits();
  const strangers = Array.from({ length: 100 }, (_, place) => delivery(place));
  for (const stranger of strangers) expect(table.admit(stranger, 0)).toMatchObject({ kind: "admitted" });
  expect([table.state.clientSlots.size, table.state.peerSlots.size]).toEqual([100, 0]);
  const places = strangers.map((stranger) => table.confirm(stranger, 0));
  expect(places.filter((isTaken) => isTaken).length).toBe(SLOTS.peer);
  expect(table.confirm(delivery(0, "127.0.0.2"), 0)).toBe(true);
  for (const [place, stranger] of strangers.entries()) table.release(stranger, places[place] === true);
  table.release(delivery(0, "127.0.0.2"), true);
  expect(sizeOf(table).slots).toBe(0);
});

test("SLOT-1, SIGN-5: a client has eight slots on a signed route, and is known there once it has proved itself", () => {
  const table = new MemoryLimits();
  const friend = delivery(1);
  for (let held = 0; held < SLOTS.client; held += 1) expect(table.admit(friend, 0)).toMatchObject({ kind: "admitted" });
  expect(table.admit(friend, 0).kind).toBe("too_many_in_flight");
  table.release(friend, false);
  expect(table.confirm(friend, 0)).toBe(true);
  expect(table.admit(friend, 0)).toMatchObject({ kind: "admitted", isKnown: true });
});

test("SLOT-3, SIGN-5: the slots that are counted on a signed route are those that are held", () => {
  const step = fc.record({ client: fc.nat({ max: 3 }), act: fc.constantFrom("admit", "admit", "confirm", "release") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new MemoryLimits();
      const open: { readonly located: Located; isProved: boolean }[] = [];
      for (const { client, act } of steps) {
        const located = delivery(client);
        const mine = open.findIndex((one) => one.located.clientKey === located.clientKey);
        const one = open[mine];
        if (act === "admit" && table.admit(located, 0).kind === "admitted") open.push({ located, isProved: false });
        if (act === "confirm" && one?.isProved === false) one.isProved = table.confirm(one.located, 0);
        if (act === "release" && one !== undefined) {
          open.splice(mine, 1);
          table.release(one.located, one.isProved);
        }
        expect(heldBy(table, located)).toEqual({
          client: open.filter((other) => other.located.clientKey === located.clientKey).length,
          peer: open.filter(({ isProved }) => isProved).length,
        });
      }
      for (const { located, isProved } of open) table.release(located, isProved);
      expect(sizeOf(table).slots).toBe(0);
    }),
    { numRuns: runs(200) },
  );
});

test("SIGN-5: a client is known for a day after its last window, and then a stranger again", () => {
  const friend = delivery(1);
  const asked = (now: number): Verdict => {
    const table = new MemoryLimits();
    table.admit(friend, 0);
    table.confirm(friend, 0);
    return table.admit(friend, now);
  };
  expect(asked(WINDOW_MS + KNOWN_MS - 1)).toMatchObject({ kind: "admitted", isKnown: true });
  expect(asked(WINDOW_MS + KNOWN_MS)).not.toHaveProperty("isKnown");
});
