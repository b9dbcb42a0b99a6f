// Metrics as Prometheus reads them: its text format, version 0.0.4.

import { type Attributes, BOUNDARIES, type Counter, type Histogram } from "./series.ts";

export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** `http.server.request.duration` is `http_server_request_duration` there. */
const nameOf = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/gu, "_");

const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');

const labelOf = ([name, value]: Attributes[number]): string => `${nameOf(name)}="${escaped(value)}"`;

/** Labels as they are written. Kept with their series, because they cost more than its numbers. */
const written = new WeakMap<Attributes, string>();

const labelsOf = (attributes: Attributes): string => {
  const known = written.get(attributes);
  if (known !== undefined) return known;
  const labels = attributes.map(labelOf).join(",");
  written.set(attributes, labels);
  return labels;
};

const sample = (name: string, labels: string, value: number): string =>
  `${name}${labels === "" ? "" : `{${labels}}`} ${String(value)}`;

const head = (name: string, help: string, type: string): readonly string[] => [
  `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`,
  `# TYPE ${name} ${type}`,
];

const EDGES: readonly string[] = [...BOUNDARIES.map(String), "+Inf"].map((edge) => `le="${edge}"`);

const bucketLines = (name: string, { attributes, counts, count, sum }: Histogram): readonly string[] => {
  const labels = labelsOf(attributes);
  const before = labels === "" ? "" : `${labels},`;
  let below = 0;
  const buckets = counts.map((more, place) => {
    below += more;
    return sample(`${name}_bucket`, `${before}${EDGES[place] ?? ""}`, below);
  });
  return [...buckets, sample(`${name}_sum`, labels, sum), sample(`${name}_count`, labels, count)];
};

/** The lines of a histogram of seconds. */
export const histogramLines = (name: string, help: string, series: readonly Histogram[]): readonly string[] => {
  const full = `${nameOf(name)}_seconds`;
  return [...head(full, help, "histogram"), ...series.flatMap((one) => bucketLines(full, one))];
};

type Counted = Pick<Counter, "attributes" | "count">;

const lines = (name: string, help: string, type: string, series: readonly Counted[]): readonly string[] => [
  ...head(name, help, type),
  ...series.map(({ attributes, count }) => sample(name, labelsOf(attributes), count)),
];

/** The lines of what only grows. */
export const counterLines = (name: string, help: string, series: readonly Counted[]): readonly string[] =>
  lines(`${nameOf(name)}_total`, help, "counter", series);

/** The lines of what comes and goes. */
export const gaugeLines = (name: string, help: string, series: readonly Counted[]): readonly string[] =>
  lines(nameOf(name), help, "gauge", series);
