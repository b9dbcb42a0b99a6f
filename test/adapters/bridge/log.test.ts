// Which warnings reach the operator, by a clock that the test owns.

import fc from "fast-check";
import { expect, test } from "vitest";
import { Log } from "../../../adapters/bridge/log.ts";
import { REJECTIONS } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const MINUTE = 60_000;
const MOST = 1000;

type Shown = { readonly at: number; readonly line: string };

const recording = () => {
  const shown: Shown[] = [];
  let now = 0;
  const keep = (line: string): void => void shown.push({ at: now, line });
  const log = new Log({ info: keep, warn: keep, error: keep }, () => now);
  return {
    shown,
    log,
    wait: (milliseconds: number): void => {
      now += milliseconds;
    },
  };
};

const refusal = (route: number) =>
  ({ status: 401, code: "unauthorized", routeId: `r${String(route)}`, client: "10.0.0.1" }) as const;

const topicOf = (line: string): string => /route=(\S+)/u.exec(line)?.[1] ?? "shared";
const unshownOf = (line: string): number => Number(/not shown so far: (\d+)/u.exec(line)?.[1] ?? 0);

test("AUDIT-3: of 1,100 routes that one client probes again and again, 1,000 are shown in a minute, and one line counts the rest", () => {
  const { shown, log, wait } = recording();
  const probe = (): void => {
    for (let route = 0; route < 1100; route += 1) log.audit(refusal(route));
  };
  for (let round = 0; round < 5; round += 1) {
    probe();
    wait(200);
  }
  expect(shown.length).toBe(MOST + 1);
  expect(new Set(shown.map(({ line }) => topicOf(line))).size).toBe(MOST + 1);
  expect(shown.at(-1)?.line).toBe(
    "[webhooks] too many different warnings at once; not shown so far: 1; more of these are not shown for a minute",
  );
  wait(MINUTE - 1001);
  probe();
  expect(shown.length).toBe(MOST + 1);
  wait(1);
  probe();
  expect(shown.length).toBe(2 * (MOST + 1));
  // the hundred of each of the rounds in which all were too many, without the one that was counted at once
  expect(unshownOf(shown.at(-1)?.line ?? "")).toBe(6 * 100);
});

test("AUDIT-3: whatever callers do, no topic is shown twice in a minute, and at most 1,000 are", () => {
  const step = fc.record({
    wait: fc.constantFrom(0, 0, 1, 10_000, 59_999, MINUTE),
    first: fc.nat({ max: 1500 }),
    count: fc.constantFrom(1, 3, 400, 1200),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const { shown, log, wait } = recording();
      for (const { wait: time, first, count } of steps) {
        wait(time);
        for (let n = 0; n < count; n += 1) log.audit(refusal(first + n));
      }
      const last = new Map<string, number>();
      for (const [index, { at, line }] of shown.entries()) {
        const topic = topicOf(line);
        expect([topic, at - (last.get(topic) ?? -MINUTE) >= MINUTE]).toEqual([topic, true]);
        last.set(topic, at);
        // the line before the last 1,000 and the one that counts, if there is one, is a minute old
        const before = shown[index - MOST - 1];
        if (before !== undefined) expect(at - before.at).toBeGreaterThanOrEqual(MINUTE);
      }
    }),
    { numRuns: runs(60) },
  );
});

test("AUDIT-3: a topic that was shown a minute ago makes room, and is shown again", () => {
  const { shown, log, wait } = recording();
  for (let topic = 0; topic < MOST; topic += 1) {
    log.warnSometimes(`line ${String(topic)}`, String(topic));
    wait(1);
  }
  log.warnSometimes("one too many", "new");
  expect(shown.length).toBe(MOST + 1);
  wait(MINUTE - MOST);
  log.warnSometimes("in the place of the first", "new");
  expect(shown.at(-1)?.line).toContain("in the place of the first");
  log.warnSometimes("line 0", "0");
  expect(shown.at(-1)?.line).toContain("in the place of the first");
});

const LOST = [
  "too_many_in_flight",
  "too_many_waiting",
  "unsupported_media_type",
  "payload_too_large",
  "overloaded",
  "action_not_allowed",
  "mapping_failed",
  "idempotency_key_reused",
  "idempotency_unavailable",
] as const;

test("AUDIT-3, QUOTA-3: a full quota is a warning with its number, once a minute for each route", () => {
  const { shown, log, wait } = recording();
  for (const routeId of ["a", "a", "b"])
    log.audit({ status: 429, code: "quota_exceeded", routeId, fault: "limits.maxFlows is 200" });
  wait(MINUTE);
  log.audit({ status: 429, code: "quota_exceeded", routeId: "a", fault: "limits.maxFlows is 200" });
  expect(shown.map(({ line }) => /route=(\w) .* (\d+\)); more/u.exec(line)?.slice(1))).toEqual([
    ["a", "200)"],
    ["b", "200)"],
    ["a", "200)"],
  ]);
});

test("AUDIT-3: a lost delivery is a warning with its reason, once a minute for each route and code", () => {
  const event = fc.record({
    wait: fc.constantFrom(0, 1, 30_000, 59_999, MINUTE),
    code: fc.constantFrom(...LOST),
    routeId: fc.constantFrom("a", "b"),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const { shown, log, wait } = recording();
      const due = new Map<string, number>();
      let [now, expected] = [0, 0];
      for (const { wait: time, code, routeId } of events) {
        wait(time);
        now += time;
        log.audit({ status: REJECTIONS[code].status, code, routeId, fault: "deliveries[1]: why" });
        const topic = `${code} ${routeId}`;
        if (now < (due.get(topic) ?? 0)) continue;
        due.set(topic, now + MINUTE);
        expected += 1;
        expect(shown.at(-1)?.line).toMatch(
          new RegExp(`\\(route=${routeId} status=\\d+ code=${code} deliveries\\[1\\]: why\\); more`, "u"),
        );
      }
      expect(shown.length).toBe(expected);
    }),
    { numRuns: runs(100) },
  );
});
