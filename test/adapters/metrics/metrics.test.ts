// What is counted of requests, and how Prometheus reads it: compared with what its own client library writes.

import fc from "fast-check";
import { Histogram as OracleHistogram, Registry } from "prom-client";
import { expect, test } from "vitest";
import { counterLines, gaugeLines, histogramLines } from "../../../adapters/metrics/prometheus.ts";
import { ACTIONS_COUNT, DURATION, RequestMetrics } from "../../../adapters/metrics/request-metrics.ts";
import { BOUNDARIES, Counter, MAX_SERIES, Series } from "../../../adapters/metrics/series.ts";
import type { RequestEvent } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

/** Names of a configuration's routes may hold any character. */
const routeId = fc.oneof(
  fc.constantFrom("zapier", "ci"),
  fc.string({ unit: "binary", minLength: 1, maxLength: 8 }),
  fc.constantFrom('a"b', "a\\b", "a\nb"),
);
const event: fc.Arbitrary<RequestEvent> = fc.record(
  {
    time: fc.constant(0),
    durationMs: fc.oneof(
      fc.double({ min: 0, max: 20_000, noNaN: true }),
      fc.constantFrom(...BOUNDARIES.map((edge) => edge * 1000)),
    ),
    status: fc.constantFrom(200, 401, 404, 405, 503),
    code: fc.constantFrom("ignored", "unauthorized", "route_not_found", "method_not_allowed", "persist_failed"),
    routeId,
    action: fc.constantFrom("create_flow" as const, "get_flow" as const),
    client: fc.constant("203.0.113.7"),
    flowId: fc.uuid(),
  },
  { requiredKeys: ["time", "durationMs", "status"] },
);

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

test("METRIC-1: each event is counted once, in the series of its route, status and code", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const metrics = new RequestMetrics();
      for (const one of events) metrics.record(one);
      const series = metrics.durations.all;
      expect(sumOf(series.map(({ count }) => count))).toBe(events.length);
      for (const { counts, count } of series) expect(sumOf(counts)).toBe(count);
      expect(sumOf(metrics.actions.all.map(({ count }) => count))).toBe(
        events.filter(({ action }) => action !== undefined).length,
      );
      const keys = series.map(({ attributes }) => JSON.stringify(attributes));
      expect(new Set(keys).size).toBe(keys.length);
    }),
    { numRuns: runs(100) },
  );
});

test("METRIC-1: Prometheus reads the same as from its own client library: names, labels, boundaries, counts and sums", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
      const metrics = new RequestMetrics();
      const registers = [new Registry()];
      const labelNames = ["http_request_method", "http_response_status_code", "http_route", "error_type"];
      const oracle = new OracleHistogram({
        name: "http_server_request_duration_seconds",
        help: "Time.",
        labelNames,
        buckets: [...BOUNDARIES],
        registers,
      });
      for (const one of events) {
        metrics.record(one);
        const { status, code, routeId: route, durationMs } = one;
        const isOther = status >= 400 && (code === "route_not_found" || code === "method_not_allowed");
        oracle.observe(
          {
            http_request_method: isOther ? "_OTHER" : "POST",
            http_response_status_code: status,
            ...(route === undefined ? {} : { http_route: route }),
            ...(code === undefined || status < 400 ? {} : { error_type: code }),
          },
          durationMs / 1000,
        );
      }
      expect(sorted(histogramLines(DURATION, "Time.", metrics.durations.all))).toEqual(
        sorted((await registers[0]?.metrics())?.split("\n") ?? []),
      );
    }),
    { numRuns: runs(50) },
  );
});

/** Lines with their labels in one order; Prometheus minds neither order. */
const sorted = (lines: readonly string[]): readonly string[] =>
  lines
    .filter((line) => line !== "")
    .map((line) =>
      line.replace(
        /\{(.*)\}/su,
        (_, labels: string) =>
          `{${labels
            .split(/,(?=\w+=")/u)
            .toSorted()
            .join(",")}}`,
      ),
    )
    .toSorted();

test("METRIC-2: however many routes, statuses and codes come, the series are at most 2,000, and none is lost", () => {
  const metrics = new RequestMetrics();
  const asked = MAX_SERIES * 2;
  for (let n = 0; n < asked; n += 1)
    metrics.record({ time: 0, durationMs: 1, status: 200, routeId: `route ${String(n)}`, action: "get_flow" });
  for (const all of [metrics.durations.all, metrics.actions.all]) {
    expect(all).toHaveLength(MAX_SERIES);
    expect(sumOf(all.map(({ count }) => count))).toBe(asked);
    expect(all.at(-1)?.attributes).toEqual([["otel.metric.overflow", "true"]]);
  }
  metrics.record({ time: 0, durationMs: 1, status: 200, routeId: "route 0" });
  expect(metrics.durations.all[0]?.count).toBe(2);
});

test("METRIC-2: what a caller sends is in no series", () => {
  const sent = { client: "203.0.113.7", flowId: "<flow>", traceparent: "<trace>", fault: "<fault>", rule: "<rule>" };
  fc.assert(
    fc.property(event, (one) => {
      const metrics = new RequestMetrics();
      metrics.record({ ...one, ...sent });
      const lines = [
        ...histogramLines(DURATION, "", metrics.durations.all),
        ...counterLines(ACTIONS_COUNT, "", metrics.actions.all),
      ];
      for (const hidden of Object.values(sent)) expect(lines.join("\n")).not.toContain(hidden);
    }),
  );
});

test("METRIC-1: counters and gauges have their names, with and without attributes", () => {
  const series = new Series((attributes) => new Counter(attributes));
  series.of("a", () => [["http.route", 'a"b']]).count += 2;
  expect(counterLines("openclaw.webhooks.actions", "Help\nme.", series.all)).toEqual([
    "# HELP openclaw_webhooks_actions_total Help\\nme.",
    "# TYPE openclaw_webhooks_actions_total counter",
    'openclaw_webhooks_actions_total{http_route="a\\"b"} 2',
  ]);
  expect(gaugeLines("a.b", "c", [{ attributes: [], count: 0.5 }]).at(-1)).toBe("a_b 0.5");
});
