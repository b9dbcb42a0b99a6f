// What an embedding host passes as `onEvent` so that its OpenTelemetry has a duration and a span of each request. The host brings
// `@opentelemetry/api` and an SDK.

import {
  type Attributes,
  type Context,
  context,
  metrics,
  type MeterProvider,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
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

/** The attributes with numbers where OpenTelemetry wants them. */
const attributesFor = (event: RequestEvent): Attributes => ({
  ...Object.fromEntries(attributesOf(event)),
  "http.response.status_code": event.status,
});

const SPAN_ONLY = { action: "openclaw.action", flowId: "openclaw.flow.id", rule: "openclaw.rule" } as const;

const spanAttributesFor = (event: RequestEvent): Attributes => ({
  ...attributesFor(event),
  ...Object.fromEntries(
    Object.entries(SPAN_ONLY).flatMap(([name, attribute]) => {
      const value = event[name as keyof typeof SPAN_ONLY];
      return value === undefined ? [] : [[attribute, value]];
    }),
  ),
});
