// What `serve` tells Prometheus.

import type { Problem } from "../../../core/index.ts";
import type { AuditFile } from "../../audit/audit-file.ts";
import { ACTIONS_COUNT, DURATION, type RequestMetrics } from "../../metrics/request-metrics.ts";
import { counterLines, gaugeLines, histogramLines } from "../../metrics/prometheus.ts";
import { MAX_SERIES } from "../../metrics/series.ts";
import type { Callbacks } from "../../notify/callbacks.ts";
import { VERSION } from "../version.ts";
import type { Live } from "./reload.ts";

export type MetricsParts = {
  readonly requests: RequestMetrics;
  readonly active: () => number;
  readonly live: Pick<Live, "served" | "refused">;
  readonly audit: AuditFile | undefined;
  readonly callbacks: () => Pick<Callbacks, "problems" | "oldest"> | undefined;
};

const of = (count: number) => [{ attributes: [], count }];

const state = (name: string, count: number) => ({ attributes: [["state", name]] as const, count });

const auditLines = (audit: AuditFile | undefined): readonly string[] =>
  audit === undefined
    ? []
    : counterLines("openclaw.webhooks.audit.lost", "Lines that the audit file is missing.", of(audit.lost));

const isUntold = ({ effect }: Problem): boolean => effect === "untold";

//= NOTIFY-9, METRIC-2
const callbackLines = ({ live, callbacks }: Pick<MetricsParts, "live" | "callbacks">): readonly string[] => {
  const sent = callbacks();
  const failing = live.served.config.problems.filter(isUntold).length + (sent?.problems().length ?? 0);
  const now = Date.now();
  const ages = [...(sent?.oldest() ?? [])].slice(0, MAX_SERIES).map(([route, at]) => ({
    attributes: [["http.route", route]] as const,
    count: Math.max(0, now - at) / 1000,
  }));
  return [
    ...gaugeLines("openclaw.webhooks.callbacks.failing", "Routes whose callbacks are not delivered.", of(failing)),
    ...gaugeLines("openclaw.webhooks.callbacks.oldest.seconds", "Age of the oldest callback that waits.", ages),
  ];
};

const processLines = (): readonly string[] => {
  const { user, system } = process.cpuUsage();
  const startedAt = Date.now() / 1000 - process.uptime();
  return [
    ...counterLines("process.cpu.seconds", "User and system CPU time.", of((user + system) / 1_000_000)),
    ...gaugeLines("process.resident.memory.bytes", "Resident memory.", of(process.memoryUsage.rss())),
    ...gaugeLines("process.start.time.seconds", "Start of the process, since the epoch.", of(startedAt)),
  ];
};

//= METRIC-1
/** All lines, as they are now. */
export const metricsLines = ({ requests, active, live, audit, callbacks }: MetricsParts): readonly string[] => {
  const { config, broken } = live.served;
  return [
    ...histogramLines(DURATION, "Time from a request's head to its answer.", requests.durations.all),
    ...gaugeLines("http.server.active_requests", "Requests that are not answered yet.", of(active())),
    ...counterLines(ACTIONS_COUNT, "Actions of authenticated requests.", requests.actions.all),
    ...gaugeLines("openclaw.webhooks.routes", "Routes that are served, and parts of the configuration that are not.", [
      state("live", config.routes.size),
      state("broken", broken.length),
    ]),
    //= STATUS-4
    ...gaugeLines(
      "openclaw.webhooks.config.refused",
      "1 while the files are not what is served, because a reload was refused.",
      of(live.refused === undefined ? 0 : 1),
    ),
    ...callbackLines({ live, callbacks }),
    ...auditLines(audit),
    ...gaugeLines("openclaw.webhooks.build_info", "The version that runs.", [
      { attributes: [["version", VERSION]], count: 1 },
    ]),
    ...processLines(),
  ];
};
