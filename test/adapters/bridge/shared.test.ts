// What is made once for all who ask within some time.

import fc from "fast-check";
import { expect, test } from "vitest";
import { shared } from "../../../adapters/bridge/shared.ts";
import { metricsPage } from "../../../adapters/cli/commands/admin.ts";
import { runs } from "../../support/runs.ts";

test("ADMIN-1: it is made at most once in its time, however often it is asked for, and is never older than that", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 700 })), (steps) => {
      let now = 0;
      const made: number[] = [];
      const ask = shared(
        () => (made.push(now), now),
        1000,
        () => now,
      );
      for (const step of steps) {
        now += step;
        expect(now - ask()).toBeLessThan(1000);
      }
      for (const [place, at] of made.entries())
        if (place > 0) expect(at - (made[place - 1] ?? 0)).toBeGreaterThanOrEqual(1000);
    }),
    { numRuns: runs(200) },
  );
});

test("what throws is made anew", () => {
  let calls = 0;
  const ask = shared(() => {
    calls += 1;
    if (calls === 1) throw new Error("boom");
    return calls;
  }, 1000);
  expect(ask).toThrow("boom");
  expect([ask(), ask()]).toEqual([2, 2]);
});

test("ADMIN-1: the metrics are made once a second, for all who ask", async () => {
  let now = 0;
  let made = 0;
  const page = metricsPage(
    () => [`lines ${String((made += 1))}`],
    () => now,
  );
  const bodies: string[] = [];
  for (now = 0; now < 3000; now += 250) bodies.push(String((await page({} as never)).body));
  expect([made, new Set(bodies).size, bodies[0]]).toEqual([3, 3, "lines 1\n"]);
});
