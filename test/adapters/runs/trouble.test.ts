// Runs whose host, flows or clock fail: each still ends, none keeps its place for ever, and nothing is asked without a pause.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { err } from "neverthrow";
import type { FlowAction } from "../../../core/index.ts";
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

const unreadable = Promise.resolve(err("bad_host_answer" as const));

const isAbout = (flowId: string, action: FlowAction): boolean =>
  action.action === "get_flow" && action.flowId === flowId;

test("RUN-4: a flow that cannot be read is passed over after a minute, and is worked on once when it can be read again", async () => {
  const world = worldOf({ timeoutSeconds: 900 });
  const [damaged, next] = [await world.create("Damaged"), await world.create("Next")];
  world.flowTrouble = (action) => (isAbout(damaged, action) ? unreadable : undefined);
  const runner = begin(world);
  await vi.advanceTimersByTimeAsync(50_000);
  expect(world.host.modelCalls).toEqual([]);
  await vi.advanceTimersByTimeAsync(20_000);
  expect([world.host.modelCalls, (await stateOf(world, next)).status]).toEqual([[next], "succeeded"]);
  expect(world.log.some((line) => line.includes("cannot go on. Others take its place"))).toBe(true);
  const [third, fourth] = [await world.create("Third"), await world.create("Fourth")];
  world.host.answer = ({ flowId }) =>
    flowId === third ? undefined : { status: "succeeded", reply: "Late.", isCut: false };
  await vi.advanceTimersByTimeAsync(200_000);
  expect(world.host.modelCalls).toEqual([next, third]);
  world.flowTrouble = () => undefined;
  await vi.advanceTimersByTimeAsync(800_000);
  expect((await stateOf(world, third)).run?.code).toBe("run_timed_out");
  // the older one has its old place in the queue
  expect(world.host.modelCalls).toEqual([next, third, damaged, fourth]);
  await runner.stop();
});

test("RUN-4, RUN-5: a flow that cannot be read any more keeps its turn from neither its time nor its place, and is told when it can be read", async () => {
  const world = worldOf({ timeoutSeconds: 300 });
  world.host.answer = ({ flowId }) =>
    flowId === slow ? undefined : { status: "succeeded", reply: "Done.", isCut: false };
  const slow = await world.create("Slow");
  const runner = begin(world);
  await vi.advanceTimersByTimeAsync(10_000);
  const next = await world.create("Next");
  world.flowTrouble = (action) => (isAbout(slow, action) ? unreadable : undefined);
  await vi.advanceTimersByTimeAsync(280_000);
  expect(world.host.begun.get(slow)?.isCancelled).toBe(false);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(world.host.begun.get(slow)?.isCancelled).toBe(true);
  expect([world.host.modelCalls, (await stateOf(world, next)).status]).toEqual([[slow, next], "succeeded"]);
  world.flowTrouble = () => undefined;
  await vi.advanceTimersByTimeAsync(70_000);
  expect([await stateOf(world, slow), world.isEmpty]).toMatchObject([TIMED_OUT, true]);
  expect(world.host.modelCalls).toEqual([slow, next]);
  await runner.stop();
});

test("RUN-4, RUN-5: flows that wait and cannot be listed keep no other flow from its turn, and are resumed one by one", async () => {
  const world = worldOf({});
  const [waiting, damaged] = [
    await world.create("Waits", { status: "waiting" }),
    await world.create("Damaged", { status: "waiting" }),
  ];
  const runner = begin(world);
  await vi.advanceTimersByTimeAsync(1000);
  world.flowTrouble = (action) => (action.action === "list_flows" || isAbout(damaged, action) ? unreadable : undefined);
  await world.ask({ action: "resume_flow", flowId: waiting, expectedRevision: 0 });
  const next = await world.create("Next");
  await vi.advanceTimersByTimeAsync(20_000);
  expect(world.host.modelCalls).toEqual([waiting, next]);
  expect([...world.host.rows.values()]).toMatchObject([{ flowId: damaged, state: "waiting" }]);
  await runner.stop();
});

test("RUN-4: an entry whose flow cannot be found out keeps no other flow from its turn", async () => {
  const world = worldOf({});
  const [, next] = [await world.create("Intended"), await world.create("Next")];
  const row = world.host.rows.get(1) ?? expect.fail();
  world.host.rows.set(1, { ...row, state: "intended", flowId: undefined, at: 0 });
  for (const resolve of [() => Promise.reject(new Error("no")), () => never]) {
    world.fileTrouble = { resolve };
    const flowId = await world.create("Another");
    const runner = begin(world);
    await vi.advanceTimersByTimeAsync(30_000);
    expect((await stateOf(world, flowId)).status).toBe("succeeded");
    await Promise.all([runner.stop(), vi.advanceTimersByTimeAsync(30_000)]);
  }
  expect((await stateOf(world, next)).status).toBe("succeeded");
});

test.each([3_600_000, -3_600_000])(
  "RUN-5: a clock that is set by %d ms under a turn changes nothing of its time",
  async (ms) => {
    const world = worldOf({ timeoutSeconds: 60 });
    world.host.answer = () => undefined;
    const flowId = await world.create("Slow");
    const runner = begin(world);
    await vi.advanceTimersByTimeAsync(20_000);
    vi.setSystemTime(Date.now() + ms);
    await vi.advanceTimersByTimeAsync(35_000);
    expect((await stateOf(world, flowId)).status).toBe("running");
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await stateOf(world, flowId)).toMatchObject(TIMED_OUT);
    await runner.stop();
  },
);

test("RUN-5, RUN-8: a turn that goes on after a restart has at most its time, also when the clock was set back before", async () => {
  const world = worldOf({ timeoutSeconds: 60 });
  world.host.answer = () => undefined;
  const flowId = await world.create("Slow");
  await begin(world).stop();
  const runner = begin(world);
  await vi.advanceTimersByTimeAsync(1000);
  const row = world.host.rows.get(1) ?? expect.fail();
  await runner.stop();
  world.host.rows.set(1, { ...row, at: row.at + 3_600_000 });
  const next = begin(world);
  await vi.advanceTimersByTimeAsync(70_000);
  expect(await stateOf(world, flowId)).toMatchObject(TIMED_OUT);
  await next.stop();
});
