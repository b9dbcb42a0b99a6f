// What requests are counted by.

import fc from "fast-check";
import { expect, test } from "vitest";
import { histogramLines } from "../../../adapters/metrics/prometheus.ts";
import { DURATION, RequestMetrics } from "../../../adapters/metrics/request-metrics.ts";
import { BOUNDARIES, Counter, MAX_SERIES, Series } from "../../../adapters/metrics/series.ts";
import type { RequestEvent } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const event = fc.record(
  {
    time: fc.nat(),
    durationMs: fc.double({ min: 0, max: 30_000, noNaN: true }),
    status: fc.constantFrom(200, 202, 401, 429, 503),
    code: fc.constantFrom("unauthorized", "rate_limited", "persist_failed"),
    routeId: fc.constantFrom("a", 'b"\\\n', "c"),
    client: fc.string(),
    flowId: fc.string(),
  },
  { requiredKeys: ["time", "durationMs", "status"] },
);

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

test("METRIC-1: each event is counted once, in the bucket of its duration in seconds", () => {
  expect([DURATION, BOUNDARIES]).toEqual([
    "http.server.request.duration",
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  ]);
  fc.assert(
    fc.property(fc.array(event, { maxLength: 50 }), (events) => {
      const metrics = new RequestMetrics();
      for (const one of events) metrics.record(one as RequestEvent);
      const found = metrics.durations.all;
      expect(sum(found.map(({ count }) => count))).toBe(events.length);
      for (const [place, boundary] of BOUNDARIES.entries()) {
        const below = sum(found.map(({ counts }) => sum(counts.slice(0, place + 1))));
        expect(below).toBe(events.filter(({ durationMs }) => durationMs / 1000 <= boundary).length);
      }
      for (const { attributes, count } of found) {
        const of = new Map(attributes);
        const same = events.filter(
          ({ status, routeId, code }) =>
            String(status) === of.get("http.response.status_code") &&
            routeId === of.get("http.route") &&
            (status < 400 ? undefined : code) === of.get("error.type"),
        );
        expect(count).toBeLessThanOrEqual(same.length);
      }
    }),
    { numRuns: runs(50) },
  );
});

test("METRIC-2: what a caller sends is in no attribute, and a metric has at most 2,000 combinations", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      const metrics = new RequestMetrics();
      for (const one of events)
        metrics.record({ ...one, client: "sent-by-a-caller", flowId: "sent-too" } as RequestEvent);
      expect(JSON.stringify([metrics.durations.all, metrics.actions.all])).not.toMatch(/sent-/u);
    }),
    { numRuns: runs(30) },
  );
  const series = new Series((attributes) => new Counter(attributes));
  for (let made = 0; made < 3 * MAX_SERIES; made += 1)
    series.of(String(made), () => [["http.route", String(made)]]).count += 1;
  expect([series.all.length, sum(series.all.map(({ count }) => count))]).toEqual([MAX_SERIES, 3 * MAX_SERIES]);
});

test("METRIC-1: a name with quotation marks and line breaks is one label of one line for Prometheus", () => {
  const metrics = new RequestMetrics();
  metrics.record({ time: 0, durationMs: 3, status: 200, routeId: 'b"\\\n' });
  const lines = histogramLines(DURATION, "help", metrics.durations.all);
  expect(lines.join("\n").split("\n")).toEqual(lines);
  expect(lines).toContain(
    String.raw`http_server_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",http_route="b\"\\\n"} 1`,
  );
});
