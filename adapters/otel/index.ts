// What an embedding host passes as `onEvent` so that its OpenTelemetry gets a duration and a span of each request. The host brings
// `@opentelemetry/api`, and an SDK without which nothing is recorded.

import {
  type Attributes,
  type MeterProvider,
  metrics,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type TracerProvider,
} from "@opentelemetry/api";
import type { RequestEvent } from "../../core/index.ts";
import { attributesOf, DURATION } from "../metrics/request-metrics.ts";
import { BOUNDARIES } from "../metrics/series.ts";

export type TelemetryOptions = {
  /** Default: the one that is registered globally. */
  readonly meterProvider?: MeterProvider;
  readonly tracerProvider?: TracerProvider;
};

const SCOPE = "openclaw-webhooks";

/** The status as a number, as OpenTelemetry wants it. */
const attributesFor = (event: RequestEvent): Attributes => ({
  ...Object.fromEntries(attributesOf(event)),
  "http.response.status_code": event.status,
});

const spanAttributesFor = ({ action, flowId, rule, ...event }: RequestEvent): Attributes => ({
  ...attributesFor(event),
  ...(action === undefined ? {} : { "openclaw.action": action }),
  ...(flowId === undefined ? {} : { "openclaw.flow.id": flowId }),
  ...(rule === undefined ? {} : { "openclaw.rule": rule }),
});

/** The sender's span, if it has named one. Events hold none that is malformed. */
const parentOf = ({ traceparent }: RequestEvent) => {
  const [, traceId, spanId, flags] = traceparent?.split("-") ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = Number.parseInt(flags ?? "", 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
};

const FAILED = 500;

/** A refusal is an error of its sender's, which OpenTelemetry does not call one of a server's span. */
const setStatus = (span: Span, { status }: RequestEvent): void => {
  if (status >= FAILED) span.setStatus({ code: SpanStatusCode.ERROR });
};

/** Also one whose status cannot be set is ended. */
const endSpan = (span: Span, event: RequestEvent): void => {
  try {
    setStatus(span, event);
  } finally {
    span.end(event.time + event.durationMs);
  }
};

//= METRIC-3
/** Records the duration of each request, and a span from its head to its answer, below the sender's where it names one. */
export const telemetry = (options: TelemetryOptions = {}): ((event: RequestEvent) => void) => {
  const { meterProvider = metrics.getMeterProvider(), tracerProvider = trace.getTracerProvider() } = options;
  const tracer = tracerProvider.getTracer(SCOPE);
  const duration = meterProvider.getMeter(SCOPE).createHistogram(DURATION, {
    description: "Time from a request's head to its answer.",
    unit: "s",
    advice: { explicitBucketBoundaries: [...BOUNDARIES] },
  });
  return (event) => {
    const { time, durationMs, routeId } = event;
    // a meter that throws does not cost the span
    try {
      duration.record(durationMs / 1000, attributesFor(event));
    } finally {
      const name = routeId === undefined ? "POST" : `POST ${routeId}`;
      const asked = { kind: SpanKind.SERVER, startTime: time, attributes: spanAttributesFor(event) };
      endSpan(tracer.startSpan(name, asked, parentOf(event)), event);
    }
  };
};
