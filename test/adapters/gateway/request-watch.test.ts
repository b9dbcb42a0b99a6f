// Who is told of requests in a Gateway: its diagnostics, and an audit file that follows the configuration.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Log } from "../../../adapters/bridge/log.ts";
import { type Diagnostics, diagnosticsListener, importDiagnostics } from "../../../adapters/gateway/diagnostics.ts";
import { RequestWatch } from "../../../adapters/gateway/request-watch.ts";
import type { AuditSettings, Config, RequestEvent } from "../../../core/index.ts";
import { load } from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";

let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "watch-"))));
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

const EVENT: RequestEvent = { time: 1, status: 200, routeId: "zapier", durationMs: 1.5 };

const logOf = (now: () => number) => {
  const lines: string[] = [];
  const keep = (line: string): void => void lines.push(line);
  return { lines, log: new Log({ info: keep, warn: keep, error: keep }, now) };
};

/** What the Gateway is told, in its order. */
const recorder = () => {
  const told: string[] = [];
  const diagnostics: Diagnostics = {
    logWebhookReceived: ({ channel, updateType }) => void told.push(`received ${channel} ${updateType}`),
    logWebhookProcessed: ({ updateType, durationMs }) =>
      void told.push(`processed ${updateType} ${String(durationMs)}`),
    logWebhookError: ({ updateType, error }) => void told.push(`error ${updateType} ${error}`),
  };
  return { told, diagnostics };
};

test("METRIC-4: each answer of a route is received and processed there; what is not a route's is not told", () => {
  const { told, diagnostics } = recorder();
  const listener = diagnosticsListener(diagnostics, logOf(() => 0).log);
  listener(EVENT);
  listener({ time: 1, status: 404, code: "route_not_found", durationMs: 1 });
  listener({ ...EVENT, status: 401, code: "unauthorized" });
  expect(told).toEqual([
    "received webhooks zapier",
    "processed zapier 1.5",
    "received webhooks zapier",
    "processed zapier 1.5",
  ]);
});

test("METRIC-4, AUDIT-3: a failure is an error there, at most once a minute for each route and code, whoever causes how many", () => {
  const event = fc.record({
    route: fc.constantFrom("a", "b"),
    code: fc.constantFrom("persist_failed", "overloaded"),
    wait: fc.constantFrom(0, 1000, 30_000, 60_000),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let now = 0;
      const shown = new Map<string, number>();
      const { told, diagnostics } = recorder();
      const listener = diagnosticsListener(diagnostics, logOf(() => now).log);
      for (const { route, code, wait } of events) {
        now += wait;
        const before = told.length;
        listener({ ...EVENT, status: 503, routeId: route, code });
        const isTold = told.slice(before).some((line) => line.startsWith("error"));
        const last = shown.get(`${route} ${code}`);
        expect(isTold).toBe(last === undefined || now - last >= 60_000);
        if (isTold) shown.set(`${route} ${code}`, now);
      }
    }),
    { numRuns: runs(100) },
  );
});

test("METRIC-4: without the Gateway's module nothing is told, and nothing listens", async () => {
  expect(await importDiagnostics()).toBeUndefined();
  const watch = new RequestWatch({ config: () => load({ routes: {} }), folder: () => folder, log: logOf(() => 0).log });
  await Promise.resolve();
  expect(watch.onEvent).toBeUndefined();
});

/** A watch over a configuration that a test changes. */
const watching = (first: AuditSettings | undefined) => {
  let [audit, now] = [first, 0];
  const { lines, log } = logOf(() => now);
  const config = (): Config => ({ ...load({ routes: {} }), audit });
  const plugin = join(folder, "plugin");
  const watch = new RequestWatch({ config, folder: () => plugin, log, diagnostics: () => Promise.resolve(undefined) });
  const change = (next: AuditSettings | undefined): void => {
    audit = next;
    watch.follow();
  };
  return { watch, lines, change, plugin, later: (ms: number) => void (now += ms) };
};

const SIZES = { maxBytes: 65_536, files: 2 };

const timesIn = (file: string): readonly number[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { time: number }).time);

test("AUDIT-9: a change of the configuration takes effect with the next request, and each line is in the file of its time", async () => {
  const step = fc.constantFrom("a.jsonl", "b.jsonl", undefined);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.nat({ max: 3 })), { minLength: 1, maxLength: 12 }), async (steps) => {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder);
      const { watch, change, plugin } = watching(undefined);
      const expected = new Map<string, number[]>();
      let time = 0;
      for (const [file, requests] of steps) {
        change(file === undefined ? undefined : { file, ...SIZES });
        expect(watch.onEvent === undefined).toBe(file === undefined);
        for (let n = 0; n < requests; n += 1) {
          time += 1;
          watch.onEvent?.({ ...EVENT, time });
          if (file !== undefined) expected.set(file, [...(expected.get(file) ?? []), time]);
        }
      }
      await watch.whenKept();
      for (const [file, times] of expected) expect(timesIn(join(plugin, file))).toEqual(times);
    }),
    { numRuns: runs(30) },
  );
});

test("AUDIT-9: a relative path begins in the plugin's own folder, which is made for the current user alone; an absolute one stands", async () => {
  const { watch, change, plugin } = watching({ file: "audit.jsonl", ...SIZES });
  watch.onEvent?.(EVENT);
  await watch.whenKept();
  expect(timesIn(join(plugin, "audit.jsonl"))).toEqual([1]);
  expect(statSync(plugin).mode & 0o777).toBe(0o700);
  change({ file: join(folder, "elsewhere.jsonl"), ...SIZES });
  watch.onEvent?.(EVENT);
  await watch.whenKept();
  expect(timesIn(join(folder, "elsewhere.jsonl"))).toEqual([1]);
});

test("AUDIT-8, AUDIT-9: a file that cannot be opened is told of, requests go on, and it is tried again once a minute", async () => {
  const place = join(folder, "none");
  const { watch, lines, later } = watching({ file: join(place, "audit.jsonl"), ...SIZES });
  expect(lines).toEqual([
    expect.stringContaining("is in a folder that does not exist. Create the folder; requests go on without it"),
  ]);
  watch.onEvent?.(EVENT);
  await watch.whenKept();
  mkdirSync(place);
  watch.onEvent?.({ ...EVENT, time: 2 });
  await watch.whenKept();
  expect(existsSync(join(place, "audit.jsonl"))).toBe(false);
  later(60_000);
  watch.onEvent?.({ ...EVENT, time: 3 });
  await watch.whenKept();
  expect(timesIn(join(place, "audit.jsonl"))).toEqual([3]);
});

test("AUDIT-9: a plugin that is stopped still writes for the requests that are not answered yet, for a minute", () => {
  vi.useFakeTimers();
  const { watch, plugin, lines } = watching({ file: "audit.jsonl", ...SIZES });
  watch.end();
  watch.onEvent?.(EVENT);
  vi.advanceTimersByTime(59_000);
  watch.onEvent?.({ ...EVENT, time: 2 });
  vi.advanceTimersByTime(2000);
  watch.onEvent?.({ ...EVENT, time: 3 });
  vi.advanceTimersByTime(0);
  expect(timesIn(join(plugin, "audit.jsonl"))).toEqual([1, 2]);
  expect(lines).toEqual([expect.stringContaining("is closed")]);
});

test("AUDIT-9: a plugin that begins again writes on", () => {
  vi.useFakeTimers();
  const { watch, plugin } = watching({ file: "audit.jsonl", ...SIZES });
  watch.end();
  watch.resume();
  vi.advanceTimersByTime(120_000);
  watch.onEvent?.(EVENT);
  watch.end();
  vi.advanceTimersByTime(120_000);
  watch.resume();
  watch.onEvent?.({ ...EVENT, time: 2 });
  vi.advanceTimersByTime(0);
  expect(timesIn(join(plugin, "audit.jsonl"))).toEqual([1, 2]);
});
