// Which requests wait, how many may, and how often a store is asked for them.

import fc from "fast-check";
import { err, ok } from "neverthrow";
import { expect, test } from "vitest";
import {
  type FlowAction,
  type FlowView,
  isAwaited,
  lookEveryMs,
  MAX_WAIT_SECONDS,
  mayWait,
  type Outcome,
  PLACES,
  STORE_FAILURES,
  viewFlow,
  waitOf,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";

const flowOf = (revision: number): FlowView =>
  viewFlow({
    flowId: "f",
    syncMode: "managed",
    revision,
    status: "running",
    notifyPolicy: "silent",
    goal: "g",
    createdAt: 1,
    updatedAt: 1,
  })._unsafeUnwrap();

const flowAt = (revision: number): Outcome => ({ kind: "flow", flow: flowOf(revision) });

test("WAIT-1: only a get_flow with seconds and a revision waits, for exactly these seconds", () => {
  const revision = fc.nat({ max: 9 });
  const seconds = fc.integer({ min: 0, max: MAX_WAIT_SECONDS });
  fc.assert(
    fc.property(revision, seconds, (afterRevision, waitSeconds) => {
      const wait = waitOf({ action: "get_flow", flowId: "f", afterRevision, waitSeconds });
      expect(wait).toEqual(waitSeconds === 0 ? undefined : { flowId: "f", afterRevision, ms: waitSeconds * 1000 });
    }),
    { numRuns: runs(100) },
  );
  const others: readonly FlowAction[] = [
    { action: "get_flow", flowId: "f" },
    { action: "get_flow", flowId: "f", afterRevision: 3 },
    { action: "list_flows" },
    { action: "cancel_flow", flowId: "f" },
  ];
  for (const action of others) expect(waitOf(action)).toBeUndefined();
});

test("WAIT-1: a flow is awaited until its revision is greater; one that is not there, and every failure, is not", () => {
  fc.assert(
    fc.property(fc.nat({ max: 9 }), fc.nat({ max: 9 }), (revision, after) => {
      expect(isAwaited(ok(flowAt(revision)), after)).toBe(revision <= after);
    }),
    { numRuns: runs(100) },
  );
  expect(isAwaited(ok({ kind: "flow", flow: null }), 7)).toBe(false);
  expect(isAwaited(ok({ kind: "applied", flow: flowOf(1) }), 7)).toBe(false);
  for (const failure of STORE_FAILURES) expect(isAwaited(err(failure), 7)).toBe(false);
});

test("WAIT-2: a place is free exactly while there are fewer than 256 in all, 64 on the route and 8 of the client on it", () => {
  expect(PLACES).toEqual({ all: 256, route: 64, client: 8 });
  const count = (most: number) => fc.oneof(fc.integer({ min: most - 2, max: most + 2 }), fc.nat({ max: most }));
  fc.assert(
    fc.property(fc.record({ all: count(256), route: count(64), client: count(8) }), (taken) => {
      expect(mayWait(taken)).toBe(taken.all < 256 && taken.route < 64 && taken.client < 8);
    }),
    { numRuns: runs(300) },
  );
});

test("WAIT-4: at most 10 looks a second in all, and each of up to 10 flows has one a second", () => {
  fc.assert(
    fc.property(fc.nat({ max: 300 }), (flows) => {
      const gap = lookEveryMs(flows);
      expect(gap).toBeGreaterThanOrEqual(100);
      expect(gap).toBeLessThanOrEqual(1000);
      if (flows <= 10) expect(gap * flows).toBeLessThanOrEqual(1000);
    }),
    { numRuns: runs(300) },
  );
});
