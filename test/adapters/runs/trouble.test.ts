// Runs whose host, flows or clock fail: each still ends, none keeps its place for ever, and nothing is asked without a pause.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Process } from "../../support/model-agents.ts";
import { routesWith, stateOf, World } from "../../support/run-world.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** By the clocks of the process, which a test moves. */
const worldOf = (run: object): World => {
  const world = new World();
  world.now = Date.now();
  world.clocks = {};
  world.routes = routesWith(run);
  return world;
};

const never = new Promise<never>(() => undefined);

const begin = (world: World) => {
  const runner = world.runnerOf(new Process());
  runner.wake();
  return runner;
};

const TIMED_OUT = { status: "failed", run: { code: "run_timed_out" } };

test.each([
  ["answers at once that there is no result", () => Promise.resolve(undefined)],
  ["does not answer", () => never],
])("RUN-5: a host that %s is asked in peace, and the turn ends with its time", async (_, answer) => {
  const world = worldOf({ timeoutSeconds: 60 });
  let asked = 0;
  // a loop without a pause would never end
  world.trouble = { wait: () => ((asked += 1) > 1000 ? never : answer()) };
  const flowId = await world.create("Slow");
  const runner = begin(world);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(asked).toBeLessThan(20);
  expect((await stateOf(world, flowId)).status).toBe("running");
  await vi.advanceTimersByTimeAsync(10_000);
  expect([await stateOf(world, flowId), [...world.host.begun.values()]]).toMatchObject([
    TIMED_OUT,
    [{ isCancelled: true }],
  ]);
  await runner.stop();
});

test("RUN-5: a host that cannot say whether a turn has ended does not keep it from its time, and from a cancel", async () => {
  const world = worldOf({ timeoutSeconds: 60, concurrency: 2 });
  world.trouble = { wait: () => Promise.reject(new Error("no")) };
  const [late, cancelled] = [await world.create("Late"), await world.create("Cancelled")];
  const runner = begin(world);
  await vi.advanceTimersByTimeAsync(20_000);
  const expectedRevision = Number((await world.flow(cancelled)).json["revision"]);
  await world.ask({ action: "request_cancel", flowId: cancelled, expectedRevision });
  await vi.advanceTimersByTimeAsync(10_000);
  expect([world.host.begun.get(cancelled), world.host.begun.get(late)]).toMatchObject([
    { isCancelled: true },
    { isCancelled: false },
  ]);
  await vi.advanceTimersByTimeAsync(50_000);
  expect([await stateOf(world, late), world.host.begun.get(late)]).toMatchObject([TIMED_OUT, { isCancelled: true }]);
  expect(world.log.some((line) => line.includes("does not say whether"))).toBe(true);
  await runner.stop();
});

test("RUN-8: runs are let go in a bounded time, also while flows do not answer", async () => {
  const world = worldOf({});
  const [flowId, intended] = [await world.create("Read"), await world.create("Intended")];
  const row = world.host.rows.get(2) ?? expect.fail();
  let asked = 0;
  const hang = (): Promise<never> => {
    asked += 1;
    return never;
  };
  world.flowTrouble = (action) => (action.action === "get_flow" ? hang() : undefined);
  const reading = begin(world);
  await vi.advanceTimersByTimeAsync(1000);
  world.host.rows.set(2, { ...row, state: "intended", flowId: undefined, at: 0 });
  world.fileTrouble = { resolve: hang };
  const resolving = begin(world);
  await vi.advanceTimersByTimeAsync(1000);
  let stopped = 0;
  for (const runner of [reading, resolving]) void runner.stop().then(() => (stopped += 1));
  await vi.advanceTimersByTimeAsync(25_000);
  expect([asked > 1, stopped, world.host.modelCalls, flowId === intended]).toEqual([true, 2, [], false]);
});
