// Order and time in the embedded stores, under clocks that stand still, jump and go back.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { askAs, type Plain } from "../../../adapters/conformance/transcript.ts";
import type { EmbeddedFlows, EmbeddedOptions } from "../../../adapters/flows/embedded-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { openSqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import { createFlow, type FlowAction, type FlowEvent, transition } from "../../../core/index.ts";
import { laterFlows } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "order-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const newFile = (): string => join(folder, `${String((files += 1))}.db`);

const STORES: Readonly<Record<string, (options: Partial<EmbeddedOptions>) => EmbeddedFlows>> = {
  memory: memoryFlows,
  "a store that answers later": laterFlows,
  sqlite: (options) => openSqliteFlows(newFile(), options)._unsafeUnwrap(),
};

const OWNER = "agent:main:owner";
const CREATE: FlowAction = { action: "create_flow", goal: "g", controllerId: "c" };
const CLOCK = fc.nat({ max: 3 }).map((tick) => 1_000_000 - tick * 1000);

/** `finish`: the number of a flow, modulo how many there are. */
const STEPS = fc.array(
  fc.record({ now: CLOCK, does: fc.constantFrom("create", "create", "create", "finish"), which: fc.nat({ max: 5 }) }),
  { minLength: 1, maxLength: 12 },
);

test.each(Object.keys(STORES))(
  "STORE-5: %s lists flows as they were made, newest first, and knows the latest, whatever the clock and the ids say",
  { timeout: 60_000 },
  async (name) => {
    let [now, ids, owners] = [0, 0, 0];
    const newId = (): string => String((ids += 7) % 1009).padStart(4, "0");
    const flows = STORES[name]?.({ now: () => now, newId }) ?? memoryFlows();
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        const owner = `${OWNER}:${String((owners += 1))}`;
        const ask = askAs(flows, owner);
        const made: string[] = [];
        const open = new Set<string>();
        for (const step of steps) {
          now = step.now;
          const target = made[step.which % Math.max(made.length, 1)];
          if (step.does === "create" || target === undefined) {
            const flowId = String((await ask(CREATE)).flow?.["flowId"]);
            made.unshift(flowId);
            open.add(flowId);
          } else {
            await ask({ action: "finish_flow", flowId: target, expectedRevision: 0 });
            open.delete(target);
          }
          const latest = (await ask({ action: "find_latest_flow" })).flow;
          expect(latest?.["flowId"]).toBe(made[0]);
          const resolved = (await ask({ action: "resolve_flow", token: owner })).flow;
          expect(resolved?.["flowId"]).toBe(made.find((flowId) => open.has(flowId)) ?? made[0]);
        }
        const { flows: listed = [] } = await ask({ action: "list_flows" });
        expect(listed.map(({ flowId }) => flowId)).toEqual(made);
      }),
      { numRuns: runs(30) },
    );
  },
);

const timesOf = ({ flow }: Plain): readonly number[] =>
  [flow?.["updatedAt"], flow?.["endedAt"] ?? Infinity, flow?.["cancelRequestedAt"] ?? Infinity].map(Number);

test.each(Object.keys(STORES))("FLOW-7: a clock set back dates nothing in %s before the flow", async (name) => {
  let now = 5000;
  const flows = STORES[name]?.({ now: () => now }) ?? memoryFlows();
  const ask = askAs(flows, OWNER);
  const make = async (): Promise<string> => String((await ask(CREATE)).flow?.["flowId"]);
  for (const action of ["set_waiting", "resume_flow", "finish_flow", "fail_flow", "request_cancel"] as const) {
    now = 5000;
    const flowId = await make();
    now = 10;
    const done = await ask({ action, flowId, expectedRevision: 0 });
    expect(Math.min(...timesOf(done))).toBe(5000);
  }
  now = 5000;
  const [cancelled, swept] = [await make(), await make()];
  now = 7000;
  await ask({ action: "request_cancel", flowId: swept, expectedRevision: 0 });
  now = 10;
  expect(Math.min(...timesOf(await ask({ action: "cancel_flow", flowId: cancelled })))).toBe(5000);
  expect((await flows.sweep()).isOk()).toBe(true);
  expect((await ask({ action: "get_flow", flowId: swept })).flow).toMatchObject({ endedAt: 7000, updatedAt: 7000 });
});

const EVENTS: readonly FlowEvent[] = [
  { action: "set_waiting", flowId: "f", expectedRevision: 0 },
  { action: "resume_flow", flowId: "f", expectedRevision: 0 },
  { action: "finish_flow", flowId: "f", expectedRevision: 0 },
  { action: "fail_flow", flowId: "f", expectedRevision: 0 },
  { action: "request_cancel", flowId: "f", expectedRevision: 0 },
  { action: "cancel_flow", flowId: "f" },
  { action: "run_task", flowId: "f", runtime: "acp", task: "t" },
  { action: "sweep" },
];

test("FLOW-7: in any sequence of events at any times, no time of a flow is before the last one", () => {
  const step = fc.record({ event: fc.constantFrom(...EVENTS), now: fc.nat({ max: 9 }), tasks: fc.nat({ max: 1 }) });
  fc.assert(
    fc.property(fc.nat({ max: 9 }), fc.array(step, { maxLength: 8 }), (start, steps) => {
      let flow = createFlow("f", { action: "create_flow", goal: "g", controllerId: "c" }, start);
      for (const { event, now, tasks } of steps) {
        const named = "expectedRevision" in event ? { ...event, expectedRevision: flow.revision } : event;
        const after = transition(flow, named, tasks, now)
          .map((done) => done.flow)
          .unwrapOr(flow);
        if (after === flow) continue;
        const at = Math.max(now, flow.updatedAt);
        expect(after.updatedAt).toBe(at);
        expect([undefined, flow.endedAt, at]).toContain(after.endedAt);
        expect([flow.cancelRequestedAt, at]).toContain(after.cancelRequestedAt);
        expect(
          Math.min(after.updatedAt, after.endedAt ?? Infinity, after.cancelRequestedAt ?? Infinity),
        ).toBeGreaterThanOrEqual(after.createdAt);
        flow = after;
      }
    }),
    { numRuns: runs(200) },
  );
});

/** The tables of the first version, with flows of two owners. */
const FIRST = `
PRAGMA journal_mode = WAL;
CREATE TABLE flows (flow_id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, sync_mode TEXT NOT NULL, controller_id TEXT,
  revision INTEGER NOT NULL, status TEXT NOT NULL, notify_policy TEXT NOT NULL, goal TEXT NOT NULL, current_step TEXT,
  blocked_task_id TEXT, blocked_summary TEXT, state_json TEXT, wait_json TEXT, cancel_requested_at INTEGER,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, ended_at INTEGER) STRICT, WITHOUT ROWID;
CREATE INDEX flows_of_owner ON flows (owner, created_at DESC, flow_id);
CREATE INDEX flows_to_cancel ON flows (cancel_requested_at) WHERE cancel_requested_at IS NOT NULL AND ended_at IS NULL;
CREATE INDEX flows_to_remove ON flows (ended_at) WHERE ended_at IS NOT NULL;
CREATE TABLE tasks (made INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT NOT NULL UNIQUE,
  flow_id TEXT NOT NULL REFERENCES flows (flow_id) ON DELETE CASCADE, record TEXT NOT NULL) STRICT;
CREATE INDEX tasks_of_flow ON tasks (flow_id, made);
PRAGMA application_id = 1868789608; PRAGMA user_version = 1;
`;

test("STORE-4, STORE-5: a file of the first version keeps its flows and their order, and new ones come first", async () => {
  const file = newFile();
  const old = new DatabaseSync(file);
  old.exec(FIRST);
  const insert = old.prepare(
    `INSERT INTO flows (flow_id, owner, sync_mode, revision, status, notify_policy, goal, created_at, updated_at)
     VALUES (?, ?, 'managed', 0, 'queued', 'done_only', 'g', ?, ?)`,
  );
  for (const [flowId, owner, at] of [
    ["b", OWNER, 5],
    ["a", OWNER, 5],
    ["z", OWNER, 9],
    ["y", OWNER, 1],
    ["x", "other", 7],
  ] as const)
    insert.run(flowId, owner, at, at);
  old.close();
  const flows = openSqliteFlows(file, { now: () => 2, newId: () => "new" })._unsafeUnwrap();
  const ids = async (): Promise<unknown> =>
    (await askAs(flows, OWNER)({ action: "list_flows" })).flows?.map(({ flowId }) => flowId);
  expect(await ids()).toEqual(["z", "a", "b", "y"]);
  await askAs(flows, OWNER)(CREATE);
  expect(await ids()).toEqual(["new", "z", "a", "b", "y"]);
  flows.close();
});
