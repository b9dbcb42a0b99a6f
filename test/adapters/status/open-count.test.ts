// The count of open flows on the operator's page, through stores that answer as they like.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Binding } from "../../../adapters/managed-flows/api.ts";
import { type GatewayFlows, gatewayFlows } from "../../../adapters/managed-flows/store.ts";
import { Activity } from "../../../adapters/status/activity.ts";
import { createStatus, type StatusDocument } from "../../../adapters/status/document.ts";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import { loadConfig } from "../../../core/index.ts";
import type { CountOpen } from "../../../adapters/flows/open-flows.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const SESSIONS = ["agent:main:a", "agent:main:b"];
const CONFIG = loadConfig(
  { routes: { a: { sessionKey: SESSIONS[0], secret: "long enough to be one 1" } } },
  nodePrimitives.sha256,
);

const statusOf = (countOpen: CountOpen): (() => Promise<StatusDocument>) =>
  createStatus({ config: () => CONFIG, activity: new Activity(), store: { countOpen } });

/** What the document says of the flows, and after how many milliseconds. */
const ask = async (status: () => Promise<StatusDocument>): Promise<readonly [StatusDocument["flows"], number]> => {
  const [begun, document] = [performance.now(), status()];
  let took = Number.NaN;
  void document.then(() => (took = performance.now() - begun));
  await vi.advanceTimersByTimeAsync(2000);
  return [(await document).flows, took];
};

const LATE = { why: "the store does not answer" };
const ONE = [{ status: "queued", count: 1, oldestAt: 7 }] as const;

test("STATUS-5: a store that does not answer is told of in time, and asked again once it has", async () => {
  const waiting: (() => void)[] = [];
  const status = statusOf(() => new Promise((resolve) => waiting.push(() => resolve(ONE))));
  for (const _ of [1, 2, 3]) {
    const [flows, took] = await ask(status);
    expect(flows).toEqual(LATE);
    expect(took).toBeLessThan(2000);
  }
  expect(waiting.length).toBe(1);
  waiting[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  const document = status();
  waiting[1]?.();
  expect([(await document).flows, waiting.length]).toEqual([{ open: ONE }, 2]);
});

test("STATUS-5: a store that fails late is told of as late, and nothing is left unhandled", async () => {
  let fail = (): void => undefined;
  const status = statusOf(() => new Promise((_, reject) => (fail = () => reject(new Error("gone")))));
  expect((await ask(status))[0]).toEqual(LATE);
  fail();
  await vi.advanceTimersByTimeAsync(2000);
  const document = status();
  fail();
  expect((await document).flows.why).toContain("failed");
});

const gateway = (list: () => unknown): GatewayFlows =>
  gatewayFlows({ bind: () => ({ flows: { list } }) as unknown as Binding, hostConfig: () => ({}) });

const OPEN_READ = new Set<string | symbol>(["status", "endedAt", "createdAt"]);

test("STATUS-5: of a Gateway's flows that are counted nothing is read but what is counted", async () => {
  const read = new Set<string | symbol>();
  const record = (fields: object): object =>
    new Proxy(fields, { get: (target, name) => (read.add(name), Reflect.get(target, name) as unknown) });
  const store = gateway(() => [
    record({ status: "queued", createdAt: 9, goal: "g", stateJson: {} }),
    record({ status: "queued", createdAt: 7, goal: "g", stateJson: {} }),
    record({ status: "blocked", createdAt: 3, endedAt: 4 }),
    record({ status: "blocked", createdAt: 5 }),
    record({ status: "succeeded", createdAt: 1, endedAt: 2 }),
  ]);
  expect(await store.countOpen?.(SESSIONS.slice(0, 1))).toEqual([
    { status: "queued", count: 2, oldestAt: 7 },
    { status: "blocked", count: 1, oldestAt: 5 },
  ]);
  expect([...read].filter((name) => !OPEN_READ.has(name))).toEqual([]);
});

test("STATUS-5: a Gateway is not asked to count a session that it is still counting", async () => {
  const waiting: ((list: readonly object[]) => void)[] = [];
  const store = gateway(() => new Promise((resolve) => waiting.push(resolve)));
  const first = store.countOpen?.(SESSIONS);
  await vi.advanceTimersByTimeAsync(60_000);
  const second = store.countOpen?.(SESSIONS.slice(0, 1));
  expect(waiting.length).toBe(1);
  waiting[0]?.([{ status: "queued", createdAt: 7 }]);
  expect(await second).toEqual(ONE);
  waiting[1]?.([]);
  expect(await first).toEqual(ONE);
  // known for a while, then counted anew
  await store.countOpen?.(SESSIONS);
  expect(waiting.length).toBe(2);
  await vi.advanceTimersByTimeAsync(15_000);
  void store.countOpen?.(SESSIONS);
  expect(waiting.length).toBe(3);
});

test("STATUS-5: a Gateway that answers nonsense is not one without flows", async () => {
  for (const nonsense of [undefined, "x", [{ status: "queued" }], [{ status: "queued", createdAt: "now" }]])
    await expect(gateway(() => nonsense).countOpen?.(SESSIONS)).rejects.toThrow("promises");
});
