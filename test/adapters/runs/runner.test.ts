// Runs under a process that may end between any two of its calls: every flow ends, no turn is begun twice.

import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { RUN_FAULTS, type RunResult } from "../../../core/index.ts";
import { Process } from "../../support/model-agents.ts";
import { OWNER, routesWith, stateOf, World } from "../../support/run-world.ts";
import { runs } from "../../support/runs.ts";

test("RUN-2, RUN-3: a run's flow is finished with the reply in its state, beside what was there", async () => {
  const world = new World();
  const flowId = await world.create("Review", { stateJson: { number: 7 } });
  await world.live(new Process());
  const { json } = await world.flow(flowId);
  expect([json["status"], json["stateJson"]]).toEqual([
    "succeeded",
    { number: 7, run: { status: "succeeded", reply: "Done." } },
  ]);
  expect(world.host.prompts).toEqual([
    expect.stringMatching(/^This turn works on [^<]{60,}\n\nDo \n<data first>Review<\/data>\n$/u),
  ]);
  expect([world.host.links, world.host.modelCalls]).toEqual([[flowId], [flowId]]);
});

const results: readonly RunResult[] = [
  { status: "succeeded", reply: "Done.", isCut: false },
  { status: "failed", code: "run_failed" },
];

test("RUN-2, RUN-8: wherever processes end, every flow ends, and no turn is begun twice", async () => {
  for (const result of results) {
    for (let last = 1; ; last += 1) {
      const world = new World();
      world.host.answer = () => result;
      const flows = [await world.create("One"), await world.create("Two")];
      const first = new Process(last);
      await world.live(first);
      const isDone = !first.isDead;
      await world.live(new Process(last + 3));
      await world.live(new Process());
      expect(world.host.modelCalls.length).toBe(new Set(world.host.modelCalls).size);
      for (const flowId of flows) {
        const { status, run } = await stateOf(world, flowId);
        const isLost = status === "failed" && run?.code === "run_lost";
        const isTold =
          status === (result.status === "succeeded" ? "succeeded" : "failed") && run?.status === result.status;
        expect([last, status, run, isLost || isTold]).toEqual([last, status, run, true]);
      }
      expect(world.host.rows.size).toBe(0);
      if (isDone) break;
    }
  }
});

test("RUN-4: of each route as many run at once as it says, in the order of creation", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 12 }), async (concurrency, count) => {
      const world = new World();
      world.routes = routesWith({ concurrency });
      let most = 0;
      const alive = new Set<string>();
      const order: string[] = [];
      world.host.answer = ({ runId }) => {
        if (!order.includes(runId)) order.push(runId);
        alive.add(runId);
        const occupied = [...world.host.rows.values()].filter(({ state }) => state !== "queued").length;
        most = Math.max(most, occupied);
        return results[0];
      };
      const flows: string[] = [];
      for (let at = 0; at < count; at += 1) flows.push(await world.create(`Goal ${String(at)}`));
      await world.live(new Process());
      expect(world.host.modelCalls).toEqual(flows);
      expect(most).toBeLessThanOrEqual(concurrency);
    }),
    { numRuns: runs(20) },
  );
});

test("RUN-5: a run ends with its flow, whoever ends it, and with its time", async () => {
  const world = new World();
  world.host.answer = () => undefined;
  const cancelled = await world.create("Cancelled");
  const finished = await world.create("Finished");
  world.routes = routesWith({ concurrency: 2, timeoutSeconds: 60 });
  const live = world.live(new Process());
  await vi.waitUntil(() => world.host.modelCalls.length === 2, { interval: 1 });
  const { json } = await world.flow(finished);
  await world.ask({
    action: "request_cancel",
    flowId: cancelled,
    expectedRevision: Number((await world.flow(cancelled)).json["revision"]),
  });
  await world.ask({ action: "finish_flow", flowId: finished, expectedRevision: Number(json["revision"]) });
  world.changes.tell(OWNER, cancelled);
  world.changes.tell(OWNER, finished);
  await live;
  expect([...world.host.begun.values()].map(({ isCancelled }) => isCancelled)).toEqual([true, true]);
  expect((await stateOf(world, finished)).run).toBeUndefined();
  const late = await world.create("Late");
  const later = world.live(new Process());
  await vi.waitUntil(() => world.host.modelCalls.length === 3, { interval: 1 });
  world.now += 60_000;
  world.changes.tell(OWNER, late);
  await later;
  const { status, run } = await stateOf(world, late);
  expect([status, run]).toEqual([
    "failed",
    { status: "failed", code: "run_timed_out", error: RUN_FAULTS.run_timed_out },
  ]);
});

test("RUN-5: a flow that waits is worked on once it is resumed, by a turn of its own", async () => {
  const world = new World();
  const flowId = await world.create("Later", { status: "waiting" });
  await world.live(new Process());
  expect(world.host.modelCalls).toEqual([]);
  await world.ask({ action: "resume_flow", flowId, expectedRevision: 0 });
  await world.live(new Process(), () => world.isEmpty);
  expect([world.host.modelCalls, (await stateOf(world, flowId)).status]).toEqual([[flowId], "succeeded"]);
});

test("RUN-9: an agent that leaves its flow waiting goes on when the flow is resumed", async () => {
  const world = new World();
  const flowId = await world.create("Approve");
  world.host.answer = () => results[0];
  const { agentsOf } = world.host;
  // the agent's tool sets the flow waiting before its turn ends
  world.host.agentsOf = function withTool(process) {
    const agents = agentsOf.call(world.host, process);
    return {
      ...agents,
      wait: async (turn, forMs) => {
        const { json } = await world.flow(turn.flowId);
        if (turn.runId === flowId && json["status"] === "running")
          await world.ask({
            action: "set_waiting",
            flowId,
            expectedRevision: Number(json["revision"]),
            waitJson: "approval",
          });
        return agents.wait(turn, forMs);
      },
    };
  };
  await world.live(new Process());
  const waits = await world.flow(flowId);
  expect([waits.json["status"], world.host.modelCalls]).toEqual(["waiting", [flowId]]);
  await world.ask({
    action: "resume_flow",
    flowId,
    expectedRevision: Number(waits.json["revision"]),
    stateJson: { approved: true },
  });
  await world.live(new Process(), () => world.isEmpty);
  expect(world.host.modelCalls).toEqual([flowId, `${flowId}.2`]);
  expect(world.host.prompts[1]).toContain('"approved":true');
  expect((await stateOf(world, flowId)).status).toBe("succeeded");
});

test("RUN-2: flows of a route that starts no agents any more are failed", async () => {
  const world = new World();
  const flowId = await world.create("Orphan");
  world.routes = new Map();
  await world.live(new Process());
  expect((await stateOf(world, flowId)).run?.code).toBe("run_removed");
});
