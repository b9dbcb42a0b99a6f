import fc from "fast-check";
import { expect, test } from "vitest";
import { type Bucket, stepWindow, WINDOW, type WindowState } from "../../core/index.ts";
import { runs } from "../support/runs.ts";

const { limit: WINDOW_LIMIT, ms: WINDOW_MS } = WINDOW;

const bucket = fc.record({ endsAt: fc.nat({ max: 1_000_000 }), count: fc.nat({ max: WINDOW_LIMIT }) });
const view: fc.Arbitrary<WindowState> = fc.record({
  own: fc.option(bucket, { nil: undefined }),
  overflow: fc.option(bucket, { nil: undefined }),
  room: fc.boolean(),
});
const near = fc.constantFrom(-1, 0, 1, 59_999, 60_000, 60_001, 30_000);
const isOpen = (one: Bucket | undefined, now: number): boolean => one !== undefined && now < one.endsAt;

test("LIMIT-1: one bucket admits 120 in a window, then none until 60 s after it opened, then 120 again", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 1e9 }),
      fc.array(fc.nat({ max: 200 }), { minLength: 300, maxLength: 400 }),
      (start, gaps) => {
        let own: Bucket | undefined;
        let now = start;
        const admittedAt: number[] = [];
        for (const gap of gaps) {
          const step = stepWindow({ own, overflow: undefined, room: true }, now);
          if (step.passes) admittedAt.push(now);
          own = step.bucket;
          now += gap;
        }
        admittedAt.forEach((at, index) => {
          const next = admittedAt[index + WINDOW_LIMIT];
          if (next !== undefined)
            expect(next - (admittedAt[index - (index % WINDOW_LIMIT)] ?? at)).toBeGreaterThanOrEqual(WINDOW_MS);
        });
        const inFirst = admittedAt.filter((at) => at - start < WINDOW_MS).length;
        const asked = gaps.reduce((seen, gap) => ({ at: seen.at + gap, n: seen.n + (seen.at < WINDOW_MS ? 1 : 0) }), {
          at: 0,
          n: 0,
        }).n;
        expect(inFirst).toBe(Math.min(asked, WINDOW_LIMIT));
      },
    ),
  );
});

test("LIMIT-1: exactly the request after the 120th is refused, until the window ends", () => {
  let own: Bucket | undefined;
  for (let n = 1; n <= WINDOW_LIMIT; n += 1) {
    const step = stepWindow({ own, overflow: undefined, room: true }, 1000);
    expect(step).toMatchObject({ place: "own", bucket: { endsAt: 61_000, count: n }, passes: true });
    own = step.bucket;
  }
  const refused = stepWindow({ own, overflow: undefined, room: true }, 60_999);
  expect(refused.passes).toBe(false);
  expect(refused.bucket).toEqual(own);
  expect(stepWindow({ own, overflow: undefined, room: true }, 61_000).bucket).toEqual({ endsAt: 121_000, count: 1 });
});

test("LIMIT-3: a full bucket refuses until its window ends, even if the clock goes back", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1e6 }), fc.integer({ min: 1, max: 1e6 }), (endsAt, left) => {
      const own = { endsAt, count: WINDOW_LIMIT };
      const step = stepWindow({ own, overflow: undefined, room: true }, endsAt - left);
      expect(step.passes).toBe(false);
      expect(step.bucket).toEqual(own);
    }),
  );
});

test("LIMIT-4: a client is counted in its own bucket, in the shared one while that is open, else in a new one", () => {
  fc.assert(
    fc.property(view, fc.nat({ max: 1_000_000 }), near, (seen, base, offset) => {
      const end = (seen.own ?? seen.overflow)?.endsAt;
      const now = end === undefined ? base : end - WINDOW_MS + offset;
      const step = stepWindow(seen, now);
      const shared = seen.own === undefined && (isOpen(seen.overflow, now) || !seen.room);
      expect(step.place).toBe(shared ? "overflow" : "own");
      const before = shared ? seen.overflow : seen.own;
      const counted = before !== undefined && isOpen(before, now) ? before : { endsAt: now + WINDOW_MS, count: 0 };
      const passes = counted.count < WINDOW_LIMIT;
      expect(step.passes).toBe(passes);
      expect(step.bucket).toEqual({ endsAt: counted.endsAt, count: counted.count + (passes ? 1 : 0) });
    }),
    { numRuns: runs(2000) },
  );
});
