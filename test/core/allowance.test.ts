// What an authenticated client is told of its limits.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Allowance,
  allowanceOf,
  type Bucket,
  SLOTS,
  stepWindow,
  WINDOW,
  withRateLimit,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";

const POLICY = /^"default";q=(\d+);w=(\d+)(?:, "in-flight";q=(\d+);qu="concurrent-requests")?$/u;
const LIMIT = /^"default";r=(\d+);t=(\d+)$/u;

const fieldsOf = (allowance: Allowance): { readonly policy: string; readonly limit: string } => {
  const { "RateLimit-Policy": policy = "", RateLimit: limit = "" } = withRateLimit({}, allowance);
  return { policy, limit };
};

const numbersIn = (pattern: RegExp, text: string): readonly (number | undefined)[] =>
  (pattern.exec(text) ?? [])
    .slice(1)
    .map((digits: string | undefined) => (digits === undefined ? digits : Number(digits)));

/** As few whole seconds as there are in `ms`, but for a microsecond. */
const isRoundedUp = (seconds: number | undefined, ms: number): boolean =>
  seconds !== undefined && seconds * 1000 > ms - 0.001 && seconds * 1000 < ms + 1000;

const count = fc.nat({ max: 1_000_000_000 });
const time = fc.double({ min: 0, max: 1e12, noNaN: true });
const usual: Allowance = { limit: 120, windowMs: 60_000, remaining: 5, endsInMs: 1000, inFlight: 8 };
const allowance: fc.Arbitrary<Allowance> = fc.record({
  limit: count,
  windowMs: time,
  remaining: count,
  endsInMs: time,
  inFlight: fc.option(count, { nil: undefined }),
});

test("LIMIT-11: the fields are lists of the draft's items, with the numbers of the allowance, times rounded up", () => {
  fc.assert(
    fc.property(allowance, (said) => {
      const { policy, limit } = fieldsOf(said);
      const [quota, window, slots] = numbersIn(POLICY, policy);
      const [remaining, end] = numbersIn(LIMIT, limit);
      expect([quota, slots, remaining]).toEqual([said.limit, said.inFlight, said.remaining]);
      expect([isRoundedUp(window, said.windowMs), isRoundedUp(end, said.endsInMs)]).toEqual([true, true]);
    }),
    {
      numRuns: runs(300),
      // one number of the usual policy is another one
      examples: [
        [usual],
        [{ ...usual, limit: 121 }],
        [{ ...usual, windowMs: 61_000 }],
        [{ ...usual, inFlight: 9 }],
        [{ ...usual, inFlight: undefined }],
      ],
    },
  );
});

test("LIMIT-11: at the beginning of a window all of it is left, whatever fraction of a millisecond the clock shows", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), (now) => {
      const { bucket } = stepWindow({ own: undefined, overflow: undefined, room: true }, now);
      expect(fieldsOf(allowanceOf(bucket, WINDOW, SLOTS, now)).limit).toBe('"default";r=119;t=60');
    }),
    { numRuns: runs(300) },
  );
});

test("LIMIT-11: of a route that says nothing of its limits the fields are these", () => {
  expect(fieldsOf(allowanceOf({ endsAt: 61_000, count: 83 }, WINDOW, SLOTS, 49_001))).toEqual({
    policy: '"default";q=120;w=60, "in-flight";q=8;qu="concurrent-requests"',
    limit: '"default";r=37;t=12',
  });
});

test("LIMIT-11: a client that sends no more than r requests within t seconds is never refused, in any windows", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.record({ gap: fc.nat({ max: 30_000 }), isPolite: fc.boolean() }), { minLength: 10, maxLength: 120 }),
      (limit, steps) => {
        const rule = { limit, ms: WINDOW.ms };
        let own: Bucket | undefined;
        let now = 0;
        let told = { left: 1, until: 0 };
        for (const { gap, isPolite } of steps) {
          now += gap;
          if (isPolite && told.left < 1 && now < told.until) now = told.until;
          const isKept = now >= told.until || told.left > 0;
          const step = stepWindow({ own, overflow: undefined, room: true }, now, rule);
          own = step.bucket;
          if (!step.passes) {
            expect([now, isKept]).toEqual([now, false]);
            told = { ...told, left: 0 };
            continue;
          }
          const [remaining = 0, seconds = 0] = numbersIn(LIMIT, fieldsOf(allowanceOf(own, rule, SLOTS, now)).limit);
          expect(now + seconds * 1000).toBeGreaterThanOrEqual(own.endsAt);
          expect(now + seconds * 1000).toBeLessThan(own.endsAt + 1000);
          told = { left: remaining, until: now + seconds * 1000 };
        }
      },
    ),
    { numRuns: runs(200) },
  );
});

test("LIMIT-11, LIMIT-10: nothing is left where more have passed than the route allows now", () => {
  expect(allowanceOf({ endsAt: 60_000, count: 9 }, { limit: 3, ms: 60_000 }, SLOTS, 0).remaining).toBe(0);
});
