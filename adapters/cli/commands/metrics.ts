// What `serve` tells Prometheus.

import type { AuditFile } from "../../audit/audit-file.ts";
import { ACTIONS_COUNT, DURATION, type RequestMetrics } from "../../metrics/request-metrics.ts";
import { counterLines, gaugeLines, histogramLines } from "../../metrics/prometheus.ts";
import { VERSION } from "../version.ts";
import type { Served } from "./served.ts";

export type MetricsParts = {
  readonly requests: RequestMetrics;
  readonly active: () => number;
  readonly served: () => Served;
  readonly audit: AuditFile | undefined;
};

const of = (count: number) => [{ attributes: [], count }];

const state = (name: string, count: number) => ({ attributes: [["state", name]] as const, count });

const auditLines = (audit: AuditFile | undefined): readonly string[] =>
  audit === undefined
    ? []
    : counterLines("openclaw.webhooks.audit.lost", "Lines that the audit file is missing.", of(audit.lost));

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
export const metricsLines = ({ requests, active, served, audit }: MetricsParts): readonly string[] => {
  const { config, broken } = served();
  return [
    ...histogramLines(DURATION, "Time from a request's head to its answer.", requests.durations.all),
    ...gaugeLines("http.server.active_requests", "Requests that are not answered yet.", of(active())),
    ...counterLines(ACTIONS_COUNT, "Actions of authenticated requests.", requests.actions.all),
    ...gaugeLines("openclaw.webhooks.routes", "Routes that are served, and parts of the configuration that are not.", [
      state("live", config.routes.size),
      state("broken", broken.length),
    ]),
    ...auditLines(audit),
    ...gaugeLines("openclaw.webhooks.build_info", "The version that runs.", [
      { attributes: [["version", VERSION]], count: 1 },
    ]),
    ...processLines(),
  ];
};
