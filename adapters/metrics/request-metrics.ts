// Counts requests and their durations, under OpenTelemetry's names. Attributes are names of routes, actions, statuses and codes:
// nothing that a caller has sent.

import type { ActionName, AuditEvent, RequestEvent } from "../../core/index.ts";
import { type Attributes, Counter, Histogram, Series } from "./series.ts";

const FIRST_ERROR = 400;

const isError = (status: number): boolean => status >= FIRST_ERROR;

//= METRIC-1, METRIC-2
/** What a request is counted by. The method of what is not a route's POST is not looked at. */
export const attributesOf = ({ status, code, routeId }: AuditEvent): Attributes => [
  [
    "http.request.method",
    isError(status) && (code === "route_not_found" || code === "method_not_allowed") ? "_OTHER" : "POST",
  ],
  ["http.response.status_code", String(status)],
  ...(routeId === undefined ? [] : ([["http.route", routeId]] as const)),
  ...(code === undefined || !isError(status) ? [] : ([["error.type", code]] as const)),
];

/** Actions of authenticated requests, and what became of them. */
const actionAttributesOf = ({ code, routeId = "" }: AuditEvent, action: ActionName): Attributes => [
  ["http.route", routeId],
  ["openclaw.action", action],
  ...(code === undefined ? [] : ([["openclaw.code", code]] as const)),
];

/** Names of metrics. */
export const DURATION = "http.server.request.duration";
export const ACTIONS_COUNT = "openclaw.webhooks.actions";

export class RequestMetrics {
  readonly durations = new Series((attributes) => new Histogram(attributes));
  readonly actions = new Series((attributes) => new Counter(attributes));

  //= METRIC-1
  readonly record = (event: RequestEvent): void => {
    const { status, code = "", routeId = "", action } = event;
    // as many keys as there are sets of attributes: two series with the same ones would be an error to Prometheus
    const key = `${String(status)} ${isError(status) ? code : ""} ${routeId}`;
    this.durations.of(key, () => attributesOf(event)).record(event.durationMs / 1000);
    if (action === undefined) return;
    this.actions.of(`${action} ${code} ${routeId}`, () => actionAttributesOf(event, action)).count += 1;
  };
}
