// Limits of a route's own, and tables of the operator's size.

import fc from "fast-check";
import { expect, test } from "vitest";
import { CLIENT_BOUNDS, MAX_CLIENTS, MemoryLimits } from "../../../adapters/limits/memory.ts";
import { locate, type Located, type Routes, SLOTS, type Verdict, WINDOW } from "../../../core/index.ts";
import { head, load } from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";

type Said = { readonly perMinute?: number; readonly inFlight?: number };

const routesWith = (limits: Said | undefined): Routes =>
  load({ routes: { a: { sessionKey: "agent:main:a", secret: "secret-of-a-0123456789", limits } } }).routes;

const address = (client: number): string =>
  `10.${String(client >> 16)}.${String((client >> 8) & 255)}.${String(client & 255)}`;

const locatedIn = (routes: Routes, client = 1, peer = "127.0.0.1"): Located =>
  locate(routes, head({ target: "/plugins/webhooks/a", client: address(client), peer }))._unsafeUnwrap();

/** One request of an authenticated client, which ends at once. */
const pass = (table: MemoryLimits, located: Located, now: number): Verdict => {
  const verdict = table.admit(located, now);
  if (verdict.kind !== "admitted") return verdict;
  table.confirm(located, now);
  table.release(located, true);
  return verdict;
};

/** How many of these pass. */
const passes = (table: MemoryLimits, located: Located, times: number, now: number): number =>
  Array.from({ length: times }, () => pass(table, located, now)).filter(({ kind }) => kind === "admitted").length;

/** How many requests of one client stay unfinished. */
const held = (table: MemoryLimits, located: Located): number => {
  let count = 0;
  while (table.admit(located, 0).kind === "admitted") count += 1;
  return count;
};

const perMinute = fc.integer({ min: 1, max: 6000 });
const inFlight = fc.integer({ min: 1, max: 64 });

test("LIMIT-10, LIMIT-1: a route's own number passes in a window, and the usual one where it says none", () => {
  fc.assert(
    fc.property(fc.option(perMinute, { nil: undefined }), (number) => {
      const located = locatedIn(routesWith({ inFlight: 5, ...(number === undefined ? {} : { perMinute: number }) }));
      const table = new MemoryLimits();
      const most = number ?? WINDOW.limit;
      expect(passes(table, located, most + 3, 0)).toBe(most);
      expect(pass(table, located, WINDOW.ms - 1).kind).toBe("rate_limited");
      expect(passes(table, located, most + 3, WINDOW.ms)).toBe(most);
    }),
    { numRuns: runs(20) },
  );
  expect(passes(new MemoryLimits(), locatedIn(routesWith(undefined)), 130, 0)).toBe(WINDOW.limit);
});

test("LIMIT-10, LIMIT-4: a number that changes applies at once, and an open window keeps its count and its end", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ number: fc.integer({ min: 1, max: 40 }), times: fc.nat({ max: 50 }), good: fc.boolean() }), {
        minLength: 1,
        maxLength: 8,
      }),
      (steps) => {
        const table = new MemoryLimits();
        let count = 0;
        for (const [index, { number, times, good }] of steps.entries()) {
          const located = locatedIn(routesWith({ perMinute: number, inFlight: 64 }));
          for (let time = 0; time < times; time += 1) {
            const verdict = table.admit(located, index);
            expect(verdict.kind).toBe(count < number ? "admitted" : "rate_limited");
            if (verdict.kind === "admitted") {
              count += 1;
              if (good) table.confirm(located, index);
              table.release(located, good);
              const { limit, remaining } = verdict.allowance ?? {};
              expect([limit, remaining]).toEqual([number, number - count]);
            } else if (verdict.kind === "rate_limited") {
              expect(index + verdict.retryAfterMs).toBeGreaterThanOrEqual(WINDOW.ms);
            }
          }
        }
      },
    ),
    { numRuns: runs(100) },
  );
});

test("LIMIT-10, SLOT-1: a client has its route's slots, and its peer as many times more as usual, and never fewer", () => {
  fc.assert(
    fc.property(inFlight, (number) => {
      const table = new MemoryLimits();
      const routes = routesWith({ inFlight: number, perMinute: 6000 });
      expect(held(table, locatedIn(routes, 1))).toBe(number);
      const others = Array.from({ length: 80 }, (_, client) => held(table, locatedIn(routes, client + 2)));
      const all = others.reduce((sum, one) => sum + one, number);
      expect(all).toBe(Math.min(Math.max(SLOTS.peer, 8 * number), 81 * number));
      expect(held(table, locatedIn(routes, 99, "127.0.0.2"))).toBe(number);
    }),
    { numRuns: runs(20) },
  );
});

test("LIMIT-10, SLOT-1: of fewer slots none is free while more are held, and each that ends is free again", () => {
  const table = new MemoryLimits();
  const many = locatedIn(routesWith({ inFlight: 10 }));
  const few = locatedIn(routesWith({ inFlight: 3 }));
  expect(held(table, many)).toBe(10);
  for (let open = 10; open > 2; open -= 1) {
    expect(table.admit(few, 0).kind).toBe("too_many_in_flight");
    table.release(few, true);
  }
  expect(held(table, few)).toBe(1);
});

test("LIMIT-10, SIGN-5: a signed route's peer has its slots by the same rule", () => {
  const { routes } = load({
    routes: {
      a: {
        sessionKey: "agent:main:hub",
        secret: "signing-secret-0123456789",
        signature: "github",
        limits: { inFlight: 16 },
      },
    },
  });
  const table = new MemoryLimits();
  const proved = Array.from({ length: 200 }, (_, client) => {
    const located = locatedIn(routes, client);
    table.admit(located, 0);
    return table.confirm(located, 0);
  });
  expect(proved.filter(Boolean).length).toBe(128);
});

test("LIMIT-12: 60,000 authenticated addresses pass in one minute where the table is set large enough, and again", () => {
  const routes = routesWith(undefined);
  const table = new MemoryLimits(65_536);
  const clients = Array.from({ length: 60_000 }, (_, client) => locatedIn(routes, client, address(client)));
  const passed = (now: number): number =>
    clients.filter((located, at) => pass(table, located, now + at).kind === "admitted").length;
  expect([passed(0), passed(30_000)]).toEqual([60_000, 60_000]);
  expect([table.state.known.get("a")?.size, table.state.strangers.size]).toEqual([60_000, 0]);
});

test("LIMIT-12, LIMIT-5: a table of any size holds that many strangers and, beside 64, known clients of a route", () => {
  fc.assert(
    fc.property(fc.integer({ min: CLIENT_BOUNDS.least, max: 300 }), (size) => {
      const table = new MemoryLimits(size);
      const routes = routesWith(undefined);
      const clients = Array.from({ length: 2 * size + 100 }, (_, client) => locatedIn(routes, client));
      for (const located of clients) if (table.admit(located, 0).kind === "admitted") table.release(located, false);
      expect(table.state.strangers.size).toBe(size);
      for (const located of clients) table.confirm(located, 0);
      expect([table.state.known.get("a")?.size, table.state.strangers.size]).toEqual([size + 64, 0]);
    }),
    { numRuns: runs(10) },
  );
});

test("LIMIT-12: a size that is not a whole number within the bounds is refused at once", () => {
  const made = (size: unknown): unknown => Reflect.construct(MemoryLimits, [size]);
  for (const good of [undefined, CLIENT_BOUNDS.least, MAX_CLIENTS, CLIENT_BOUNDS.most])
    expect(made(good)).toBeDefined();
  for (const bad of [0, -1, 63, 1_000_001, 4096.5, NaN, Infinity, "4096", null, {}])
    expect(() => made(bad)).toThrow(new RangeError("maxClients must be a whole number from 64 to 1000000"));
});
