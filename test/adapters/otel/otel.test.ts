// Spans and durations of requests, as the real SDK gets them.

import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { BOUNDARIES } from "../../../adapters/metrics/series.ts";
import { telemetry } from "../../../adapters/otel/index.ts";
import type { RequestEvent } from "../../../core/index.ts";
import { rig } from "../../support/deliveries.ts";
import { runs } from "../../support/runs.ts";

let stop: () => Promise<unknown> = () => Promise.resolve();
afterEach(() => stop());

/** A host's OpenTelemetry, which keeps what it gets. */
const host = () => {
  const spans = new InMemorySpanExporter();
  const durations = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
  const reader = new PeriodicExportingMetricReader({
    exporter: durations,
    exportIntervalMillis: 3_600_000,
    exportTimeoutMillis: 1000,
  });
  const meterProvider = new MeterProvider({ readers: [reader] });
  stop = () => Promise.all([tracerProvider.shutdown(), meterProvider.shutdown()]);
  const points = async () => {
    await meterProvider.forceFlush();
    return durations.getMetrics().at(-1)?.scopeMetrics[0]?.metrics[0];
  };
  return { onEvent: telemetry({ tracerProvider, meterProvider }), points, spans: () => spans.getFinishedSpans() };
};

const hex = (length: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length })
    .filter((text) => !/^0+$/u.test(text));

const event: fc.Arbitrary<RequestEvent> = fc.record(
  {
    time: fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }),
    durationMs: fc.integer({ min: 0, max: 60_000 }),
    status: fc.constantFrom(200, 401, 502),
    code: fc.constantFrom("unauthorized", "bad_host_answer"),
    routeId: fc.constantFrom("zapier", "ci"),
    action: fc.constant("create_flow" as const),
    flowId: fc.uuid(),
    rule: fc.constant("deliveries[0]"),
    client: fc.constant("203.0.113.7"),
    traceparent: fc.tuple(hex(32), hex(16), fc.constantFrom("00", "01")).map((parts) => `00-${parts.join("-")}`),
  },
  { requiredKeys: ["time", "durationMs", "status"] },
);

const millisecondsOf = ([seconds, nanoseconds]: [number, number]): number => seconds * 1000 + nanoseconds / 1_000_000;

test("METRIC-3: each event is one duration and one span with the event's times, below the sender's span where it names one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 20 }), async (events) => {
      const { onEvent, points, spans } = host();
      for (const one of events) onEvent(one);
      const sampled = events.filter(({ traceparent = "-01" }) => traceparent.endsWith("-01"));
      expect(spans()).toHaveLength(sampled.length);
      for (const [index, span] of spans().entries()) {
        const { time, durationMs, status, routeId, traceparent } = sampled[index] ?? expect.fail();
        expect(millisecondsOf(span.startTime)).toBeCloseTo(time, 1);
        expect(millisecondsOf(span.endTime)).toBeCloseTo(time + durationMs, 1);
        expect(span.kind).toBe(SpanKind.SERVER);
        expect(span.name).toBe(routeId === undefined ? "POST" : `POST ${routeId}`);
        expect(span.status.code).toBe(status >= 500 ? SpanStatusCode.ERROR : SpanStatusCode.UNSET);
        expect(span.attributes["http.response.status_code"]).toBe(status);
        const [, traceId, parentId] = traceparent?.split("-") ?? [];
        expect(span.parentSpanContext?.spanId).toBe(parentId);
        if (traceId !== undefined) expect(span.spanContext().traceId).toBe(traceId);
        expect(JSON.stringify(span.attributes)).not.toContain("203.0.113.7");
      }
      const metric = await points();
      expect([metric?.descriptor.name, metric?.descriptor.unit]).toEqual(["http.server.request.duration", "s"]);
      const values = (metric?.dataPoints ?? []).map(
        ({ value }) => value as { count: number; buckets: { boundaries: number[] } },
      );
      expect(values.reduce((sum, { count }) => sum + count, 0)).toBe(events.length);
      expect(values[0]?.buckets.boundaries).toEqual([...BOUNDARIES]);
      await stop();
    }),
    { numRuns: runs(20) },
  );
});

test("METRIC-3: a part of the host's API that throws does not cost the event its other part, and a span is always ended", async () => {
  const ended: string[] = [];
  const boom = (): never => {
    throw new Error("boom");
  };
  const meterOf = (record: () => void) => ({ getMeter: () => ({ createHistogram: () => ({ record }) }) });
  const tracerOf = (setStatus: () => void) => ({
    getTracer: () => ({ startSpan: () => ({ setStatus, end: () => void ended.push("span") }) }),
  });
  const keep = (): void => void ended.push("duration");
  for (const [record, setStatus, expected] of [
    [boom, () => undefined, ["span"]],
    [keep, boom, ["duration", "span"]],
    [boom, boom, ["span"]],
  ] as const) {
    ended.length = 0;
    const providers = { meterProvider: meterOf(record), tracerProvider: tracerOf(setStatus) };
    const onEvent = telemetry(providers as unknown as Parameters<typeof telemetry>[0]);
    expect(() => onEvent({ time: 1, status: 502, durationMs: 1 })).toThrow("boom");
    expect(ended).toEqual(expected);
  }
});

test("METRIC-3: a handler with it records its requests; without an SDK it does nothing", async () => {
  const secret = "telemetry-secret-0123456789";
  const { onEvent, spans } = host();
  const routes = { zapier: { sessionKey: "agent:main:otel", secret } };
  const headers = {
    authorization: `Bearer ${secret}`,
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  };
  const { status, body } = await rig(routes, { onEvent }).send(
    "zapier",
    '{"action":"create_flow","goal":"x"}',
    headers,
  );
  expect(status).toBe(200);
  expect(spans()).toEqual([
    expect.objectContaining({
      name: "POST zapier",
      attributes: {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "zapier",
        "openclaw.action": "create_flow",
        "openclaw.flow.id": body.result?.flow?.flowId,
      },
    }),
  ]);
  expect(spans()[0]?.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  const silent = await rig(routes, { onEvent: telemetry() }).send("zapier", '{"action":"list_flows"}', headers);
  expect(silent.status).toBe(200);
});
