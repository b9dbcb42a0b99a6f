// Who is told of each request in a Gateway.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { Log } from "../../../adapters/bridge/log.ts";
import type { Diagnostics } from "../../../adapters/gateway/diagnostics.ts";
import { RequestWatch } from "../../../adapters/gateway/request-watch.ts";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import { loadConfig, type RequestEvent } from "../../../core/index.ts";

const folder = mkdtempSync(join(tmpdir(), "request-watch-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const event = (more: Partial<RequestEvent> = {}): RequestEvent => ({
  time: 1,
  durationMs: 2,
  status: 200,
  routeId: "a",
  ...more,
});

const rig = (diagnostics?: Diagnostics) => {
  const said: string[] = [];
  const logger = {
    info: (line: string) => void said.push(line),
    warn: (line: string) => void said.push(line),
    error: (line: string) => void said.push(line),
  };
  let now = 0;
  const world = { block: {} as unknown, said, pass: (ms: number) => (now += ms) };
  const watch = new RequestWatch({
    config: () => loadConfig(world.block, nodePrimitives.sha256),
    folder: () => folder,
    log: new Log(logger, () => now),
    diagnostics: () => Promise.resolve(diagnostics),
  });
  return { world, watch };
};

const timesIn = (file: string): readonly number[] =>
  readFileSync(join(folder, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as RequestEvent).time);

test("AUDIT-9: the file is the one that the configuration names now, and stays open for a minute after a stop", () => {
  const { world, watch } = rig();
  expect(watch.onEvent).toBe(undefined);
  world.block = { audit: { file: "one.jsonl" } };
  watch.follow();
  watch.onEvent?.(event({ time: 1 }));
  world.block = { audit: { file: "two.jsonl" } };
  watch.follow();
  watch.onEvent?.(event({ time: 2 }));
  watch.end();
  watch.onEvent?.(event({ time: 3 }));
  watch.resume();
  vi.advanceTimersByTime(60_000);
  watch.onEvent?.(event({ time: 4 }));
  watch.end();
  vi.advanceTimersByTime(60_000);
  watch.onEvent?.(event({ time: 5 }));
  expect([timesIn("one.jsonl"), timesIn("two.jsonl")]).toEqual([[1], [2, 3, 4]]);
  world.block = {};
  watch.follow();
  expect(watch.onEvent).toBe(undefined);
});

test("AUDIT-8: a file that cannot be opened is said, and costs nothing", () => {
  const { world, watch } = rig();
  world.block = { audit: { file: "none/there.jsonl" } };
  watch.follow();
  expect(world.said).toEqual([expect.stringContaining("folder that does not exist")]);
  expect(() => watch.onEvent?.(event())).not.toThrow();
  expect(existsSync(join(folder, "none"))).toBe(false);
});

test("METRIC-3: diagnostics are told of each answer by its route, and of failures once a minute for each route and code", async () => {
  const told: unknown[] = [];
  const diagnostics: Diagnostics = {
    logWebhookReceived: (about) => void told.push(["received", about]),
    logWebhookProcessed: (about) => void told.push(["processed", about]),
    logWebhookError: (about) => void told.push(["error", about]),
  };
  const { world, watch } = rig(diagnostics);
  await vi.waitFor(() => expect(watch.onEvent).toBeDefined());
  watch.onEvent?.(event());
  const about = { channel: "webhooks", updateType: "a" };
  expect(told).toEqual([
    ["received", about],
    ["processed", { ...about, durationMs: 2 }],
  ]);
  const { routeId: _, ...unknown } = event();
  watch.onEvent?.({ ...unknown, status: 404, code: "route_not_found" });
  expect(told).toHaveLength(2);
  const errors = () => told.filter((one) => (one as [string])[0] === "error");
  for (let count = 0; count < 5; count += 1) watch.onEvent?.(event({ status: 503, code: "persist_failed" }));
  expect(errors()).toEqual([["error", { ...about, error: "persist_failed" }]]);
  watch.onEvent?.(event({ status: 503, code: "persist_failed", routeId: "b" }));
  watch.onEvent?.(event({ status: 502, code: "bad_host_answer" }));
  world.pass(60_000);
  watch.onEvent?.(event({ status: 503, code: "persist_failed" }));
  expect(errors()).toHaveLength(4);
});
