// The counts of the last hour.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Activity, LATEST, MINUTES } from "../../../adapters/status/activity.ts";

const MINUTE_MS = 60_000;
const TIMES = { time: 0, durationMs: 0 };
const START = Date.UTC(2026, 10, 27);

const ENDS = { 200: "ok", 202: "ok", 401: "refused", 429: "refused", 500: "failed", 504: "failed" } as const;
const STATUSES = Object.keys(ENDS).map(Number) as (keyof typeof ENDS)[];

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ status: fc.constantFrom(...STATUSES), route: fc.constantFrom("a", "b", undefined) }),
  },
  { weight: 2, arbitrary: fc.record({ minutes: fc.integer({ min: -5, max: 90 }) }) },
);

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

test("STATUS-2: every answer is counted once, in its minute, on its route and under its code, for an hour", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = START;
      let reached = 0;
      const activity = new Activity(() => now);
      const given: { minute: number; end: string; route: string | undefined; code: string | undefined }[] = [];
      for (const one of steps) {
        if ("minutes" in one) {
          now += one.minutes * MINUTE_MS;
          continue;
        }
        reached = Math.max(reached, now / MINUTE_MS);
        const code = one.status === 200 ? undefined : `c${String(one.status)}`;
        activity.add({
          ...TIMES,
          status: one.status,
          ...(code === undefined ? {} : { code }),
          ...(one.route === undefined ? {} : { routeId: one.route }),
        });
        given.push({ minute: reached, end: ENDS[one.status], route: one.route, code });
      }
      const at = Math.max(reached, now / MINUTE_MS);
      const inHour = given.filter(({ minute }) => minute > at - MINUTES);
      const { all, routes, codes, latest } = activity.read();
      for (const end of ["ok", "refused", "failed"] as const) {
        const expected = Array.from(
          { length: MINUTES },
          (_, place) => inHour.filter((one) => one.end === end && one.minute === at - MINUTES + 1 + place).length,
        );
        expect(all[end]).toEqual(expected);
        for (const name of ["a", "b"])
          expect(sum(routes.get(name)?.[end] ?? [])).toBe(
            inHour.filter((one) => one.end === end && one.route === name).length,
          );
      }
      for (const [code, minutes] of codes)
        expect(sum([...minutes.ok, ...minutes.refused, ...minutes.failed])).toBe(
          inHour.filter((one) => one.code === code).length,
        );
      expect(latest.map(({ code }) => code)).toEqual(
        given
          .map(({ code }) => code)
          .toReversed()
          .slice(0, LATEST),
      );
    }),
  );
});

test("STATUS-2: ten thousand routes are counted each, and one more once another has been idle for an hour", () => {
  let now = START;
  const activity = new Activity(() => now);
  for (let route = 0; route < 10_001; route += 1) activity.add({ ...TIMES, status: 200, routeId: `r${String(route)}` });
  expect(activity.read().routes.size).toBe(10_000);
  now += MINUTES * MINUTE_MS;
  activity.add({ ...TIMES, status: 200, routeId: "late" });
  expect([...activity.read().routes.keys()]).toEqual(["late"]);
});
