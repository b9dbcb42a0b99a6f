// The places of known clients, for any order in which clients of several routes show their secrets.

import fc from "fast-check";
import { expect, test } from "vitest";
import { KnownClients, type KnownState, placesFor } from "../../../adapters/limits/known-clients.ts";
import { OldestFirst } from "../../../adapters/limits/oldest-first.ts";
import { runs } from "../../support/runs.ts";

const DAY = 86_400_000;
const PLACES = { own: 2, shared: 4, part: 3 };
const bucket = (endsAt: number) => ({ endsAt, count: 1 });

const rig = (places = PLACES) => {
  const tables: KnownState = new OldestFirst();
  const known = new KnownClients(tables, places, DAY);
  const sizeOf = (route: string): number => tables.get(route)?.size ?? 0;
  const shared = (): number => [...tables].reduce((sum, [, { size }]) => sum + Math.max(0, size - places.own), 0);
  /** How many of them get a bucket of their own. */
  const fill = (route: string, clients: number, now: number): number =>
    Array.from({ length: clients }, (_, client) =>
      known.add(route, `${String(client)} ${route} ${String(now)}`, bucket(now + 60), now),
    ).filter(Boolean).length;
  return { tables, known, sizeOf, shared, fill };
};

const step = fc.record({
  route: fc.constantFrom("a", "b", "c", "d"),
  client: fc.nat({ max: 9 }),
  wait: fc.constantFrom(0, 0, 0, 1, 30, 60),
});

test("LIMIT-5, LIMIT-13: routes keep their own places and share the rest, none has more than its part, and what is said of a place holds", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { tables, known, sizeOf, shared } = rig();
      let now = 0;
      for (const { route, client, wait } of steps) {
        now += wait;
        const key = `${String(client)} ${route}`;
        if (tables.get(route)?.has(key) === true) continue;
        const before = new Map([...tables].map(([id, clients]) => [id, new Map(clients)]));
        const mayAdd = known.mayAdd(route, now);
        expect(new Map([...tables].map(([id, clients]) => [id, new Map(clients)]))).toEqual(before);
        const isAdded = known.add(route, key, bucket(now + 60), now);
        const clients = tables.get(route);
        expect([clients?.has(key), mayAdd]).toEqual([isAdded, isAdded]);
        const open = [...(clients ?? [])].filter(([, { endsAt }]) => now < endsAt).length;
        if (!isAdded) expect(open, "all of its own places are in use").toBeGreaterThanOrEqual(PLACES.own);
        for (const [id, then] of before) {
          const gone = [...then].filter(([one]) => tables.get(id)?.has(one) !== true);
          for (const [, { endsAt }] of gone) expect(now, "only after its window").toBeGreaterThanOrEqual(endsAt);
          if (id !== route) expect(sizeOf(id)).toBeGreaterThanOrEqual(Math.min(then.size, PLACES.own));
          expect(gone.length).toBeLessThanOrEqual(1);
        }
        expect(shared()).toBeLessThanOrEqual(PLACES.shared);
        expect(sizeOf(route)).toBeLessThanOrEqual(PLACES.own + PLACES.part);
      }
    }),
    { numRuns: runs(300) },
  );
});

test("LIMIT-5: with 10,000 networks the holder of one secret leaves every other route its own places and its part", () => {
  const { fill } = rig(placesFor(4096));
  expect(fill("attacker", 10_000, 0)).toBe(64 + 4096);
  expect(fill("b", 5000, 0)).toBe(64 + 4096);
  expect(fill("c", 5000, 0)).toBe(64);
});

test("LIMIT-5: a shared place goes on to another route once its client's window has ended, whichever route has it", () => {
  for (const last of ["a", "b", "c"]) {
    const { fill, shared, sizeOf } = rig({ own: 1, shared: 3, part: 2 });
    for (const route of ["a", "b", "c"]) expect(fill(route, route === last ? 2 : 1, 0)).toBe(route === last ? 2 : 1);
    fill("d", 3, 30);
    expect([sizeOf("d"), shared()]).toEqual([3, 3]);
    // its part is taken, so that only a further route can want the place
    expect(fill("e", 2, 60)).toBe(2);
    expect([sizeOf(last), sizeOf("e"), shared()]).toEqual([1, 2, 3]);
  }
});

test("LIMIT-7: eight routes are asked for a place, and those that had none are asked last the next time", () => {
  const { fill, known, tables, sizeOf } = rig({ own: 1, shared: 2, part: 1 });
  for (let route = 0; route < 20; route += 1) fill(`idle ${String(route)}`, 1, 0);
  fill("rich", 2, 0);
  fill("busy", 2, 30);
  fill("new", 1, 60);
  const place = [...tables].findIndex(([route]) => route === "rich");
  const refused = Math.floor(place / 8);
  for (let attempt = 0; attempt <= refused; attempt += 1)
    expect([attempt, known.add("new", "second new", bucket(120), 60)]).toEqual([attempt, attempt === refused]);
  expect([refused > 0, sizeOf("rich"), sizeOf("busy"), sizeOf("new")]).toEqual([true, 1, 2, 2]);
});

test("LIMIT-5: a route that has had no request for a day is forgotten as others come, with its shared places", () => {
  const { fill, tables, shared } = rig();
  for (let day = 0; day < 50; day += 1) {
    expect(fill(`route ${String(day)}`, 4, day * 2 * DAY)).toBe(4);
    expect(tables.size).toBeLessThanOrEqual(2);
    expect(shared()).toBeLessThanOrEqual(4);
  }
  fill("next", 1, 100 * DAY);
  fill("busy", 1, 100 * DAY);
  fill("third", 1, 100 * DAY + 60 + DAY - 1);
  expect([...tables].map(([route]) => route).toSorted()).toEqual(["busy", "next", "third"]);
});
