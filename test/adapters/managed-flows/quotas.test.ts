// Quotas in front of a Gateway, which has none: counting before its calls, one request of a session at a time, beside agents, hanging
// calls, crashes and repeats.

import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { STORE_DEADLINE_MS } from "../../../adapters/bridge/execute.ts";
import { withinQuota } from "../../../adapters/managed-flows/quota.ts";
import { type Delivery, type FlowAction, type Outcome, ok, viewFlow, createFlow } from "../../../core/index.ts";
import { later } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";
import { CREATE, flowOf, kindOf, Lab, OWNER, withBind, withKey } from "./lab.ts";

const plain = (quota: number): Delivery => ({ routeId: "r", once: undefined, bind: undefined, starts: false, quota });

const open = (lab: Lab): number => lab.host.flows.filter(({ status }) => status === "queued").length;

const FORMS: readonly ((index: number) => Partial<Delivery>)[] = [
  () => ({}),
  (index) => ({ once: { key: `k${String(index)}`, fingerprint: "f" } }),
  (index) => ({ bind: `b${String(index)}` }),
  (index) => ({ once: { key: `s${String(index)}`, fingerprint: "f" }, bind: `s${String(index)}`, starts: true }),
];

test("QUOTA-2: of creates of every form at once as many make a flow as there is room for", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...FORMS), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      async (forms, quota) => {
        const lab = new Lab();
        const asked = forms.map((form, index) => lab.ask(CREATE, { ...plain(quota), ...form(index) }));
        const kinds = (await Promise.all(asked)).map(kindOf);
        expect(kinds.filter((kind) => kind === "created").length).toBe(Math.min(quota, forms.length));
        expect(kinds.filter((kind) => kind !== "created" && kind !== "over_quota")).toEqual([]);
        expect(open(lab)).toBe(Math.min(quota, forms.length));
        lab.claims.file.close();
      },
    ),
    { numRuns: runs(30) },
  );
});

test("QUOTA-2, QUOTA-3: what is refused leaves no claim, no binding and no run, and is carried out once there is room", async () => {
  const lab = new Lab();
  const quota = 1;
  const all: Delivery = { routeId: "r", once: { key: "k", fingerprint: "f" }, bind: "b", starts: true, quota };
  const first = await lab.ask(CREATE, { ...withKey("first"), quota });
  expect(kindOf(first)).toBe("created");
  const calls = lab.calls.length;
  expect(await lab.ask(CREATE, all)).toEqual({ kind: "over_quota", of: "flows", most: 1 });
  expect(lab.calls.slice(calls)).toEqual(["list"]);
  const kept = lab.claims.look({ routeId: "r", owner: OWNER, once: all.once, bind: "b" })._unsafeUnwrap();
  expect([kept, lab.woken]).toEqual([{ record: undefined, binding: undefined }, 0]);
  // what was carried out is answered as before, at the quota too
  expect(await lab.ask(CREATE, { ...withKey("first"), quota })).toMatchObject({ kind: "created", replayed: true });
  const { flowId, revision: expectedRevision } = flowOf(first) as { flowId: string; revision: number };
  await lab.ask({ action: "finish_flow", flowId, expectedRevision });
  const made = await lab.ask(CREATE, all);
  expect(kindOf(made)).toBe("created");
  expect(kindOf(await lab.ask(CREATE, { ...withBind("b"), quota }))).toBe("existing");
  lab.claims.file.close();
});

test("QUOTA-2: an agent that makes a flow between the count and the call is not held up, and counts with the next request", async () => {
  const lab = new Lab();
  const { flows } = lab.host.bind(OWNER);
  const agent = (): unknown => flows.tryCreateManaged({ ...CREATE, goal: "an agent's" });
  const outcome = await withinQuota({
    owner: OWNER,
    action: CREATE,
    quota: 1,
    flows: { ...flows, list: () => later(flows.list()) },
    go: async () => {
      agent();
      return lab.store.execute(OWNER, CREATE, () => undefined);
    },
  });
  expect([outcome._unsafeUnwrap().kind, open(lab)]).toEqual(["created", 2]);
  expect(kindOf(await lab.ask(CREATE, plain(2)))).toBe("over_quota");
  lab.claims.file.close();
});

test("QUOTA-2: of tasks at once as many are made as the flow may have, and at the quota a claim that a crash left open is not guessed", async () => {
  const lab = new Lab();
  const { flowId } = flowOf(await lab.ask(CREATE)) as { flowId: string };
  const run = (runId?: string): FlowAction => ({ action: "run_task", flowId, runtime: "acp", task: "t", runId });
  const kinds = await Promise.all([1, 2, 3, 4].map(async () => kindOf(await lab.ask(run(), plain(2)))));
  expect(kinds.toSorted()).toEqual(["over_quota", "over_quota", "task_created", "task_created"]);
  expect(await lab.ask(run(), plain(2))).toEqual({ kind: "over_quota", of: "tasks", most: 2 });
  lab.troubles = ["throws after"];
  expect(await lab.ask(run(), { ...withKey("t"), quota: 3 })).toMatch(/^threw/u);
  expect(await lab.ask(run(), { ...withKey("t"), quota: 3 })).toBe("outcome_unknown");
  expect(kindOf(await lab.ask(run(), { ...withKey("t"), quota: 4 }))).toBe("task_created");
  expect(kindOf(await lab.ask({ ...run(), flowId: "none" } as FlowAction, plain(1)))).toBe("task_not_created");
  lab.claims.file.close();
});

test("QUOTA-2: a flow that has ended is counted before it is opened again, one that is open is not", async () => {
  for (const form of FORMS.slice(0, 2)) {
    const lab = new Lab();
    let forms = 0;
    const ask = (action: FlowAction, quota: number) => lab.ask(action, { ...plain(quota), ...form((forms += 1)) });
    const callsOf = async (action: FlowAction): Promise<readonly string[]> => {
      const before = lab.calls.length;
      await ask(action, 1);
      return lab.calls.slice(before);
    };
    const { flowId } = flowOf(await lab.ask(CREATE)) as { flowId: string };
    const wait: FlowAction = { action: "set_waiting", flowId, expectedRevision: 0 };
    expect(await callsOf(wait)).toEqual(["get", "setWaiting"]);
    await lab.ask({ action: "finish_flow", flowId, expectedRevision: 1 });
    await lab.ask(CREATE);
    for (const action of ["resume_flow", "set_waiting"] as const) {
      const about = { action, flowId } as const;
      expect(await ask({ ...about, expectedRevision: 2 }, 1)).toEqual({
        kind: "over_quota",
        of: "flows",
        most: 1,
        reopens: true,
      });
      // too late: the host refuses it, and is asked for no list
      expect(await callsOf({ ...about, expectedRevision: 1 })).toEqual([
        "get",
        action === "resume_flow" ? "resume" : "setWaiting",
      ]);
      // a guess: the revision may be there, and ended, when the host looks
      expect(await callsOf({ ...about, expectedRevision: 3 })).toEqual(["get", "list"]);
    }
    const absent = await ask({ action: "resume_flow", flowId: "none", expectedRevision: 0 }, 1);
    expect(absent).toMatchObject({ kind: "not_applied", refusal: "not_found" });
    const reopen: FlowAction = { action: "resume_flow", flowId, expectedRevision: 2 };
    expect(kindOf(await ask(reopen, 2))).toBe("applied");
    expect(await ask(CREATE, 2)).toMatchObject({ kind: "over_quota" });
    lab.claims.file.close();
  }
});

test("QUOTA-2: of reopenings at once as many are done as there is room for", async () => {
  const lab = new Lab();
  const ended: FlowAction[] = [];
  for (const _ of [1, 2, 3, 4]) {
    const { flowId } = flowOf(await lab.ask(CREATE)) as { flowId: string };
    await lab.ask({ action: "finish_flow", flowId, expectedRevision: 0 });
    ended.push({ action: "resume_flow", flowId, expectedRevision: 1 });
  }
  const kinds = (await Promise.all(ended.map((action) => lab.ask(action, plain(3))))).map(kindOf);
  expect(kinds.toSorted()).toEqual(["applied", "applied", "applied", "over_quota"]);
  lab.claims.file.close();
});

test("QUOTA-2: a text stays bound to its flow when a change of it meets the quota", async () => {
  const lab = new Lab();
  await lab.ask(CREATE, withBind("b"));
  await lab.ask(CREATE);
  const wait: FlowAction = { action: "set_waiting", flowId: "-", expectedRevision: 9 };
  expect(kindOf(await lab.ask(wait, { ...withBind("b"), quota: 1 }))).toBe("applied");
  expect(kindOf(await lab.ask(CREATE, { ...withBind("b"), quota: 1 }))).toBe("existing");
  lab.claims.file.close();
});

test("QUOTA-2: a request keeps its turn while the host does not answer, but not for ever", async () => {
  vi.useFakeTimers({ toFake: ["performance", "setTimeout", "clearTimeout"] });
  try {
    const lab = new Lab();
    lab.troubles = ["hangs"];
    const slow = lab.ask(CREATE, plain(1));
    await vi.advanceTimersByTimeAsync(0);
    expect(lab.hanging.length).toBe(1);
    // longer than a store may keep a command
    await vi.advanceTimersByTimeAsync(STORE_DEADLINE_MS + 1);
    const next = lab.ask(CREATE, plain(1));
    await vi.advanceTimersByTimeAsync(5000);
    expect([await next, lab.calls.filter((name) => name === "list").length]).toEqual(["persist_failed", 1]);
    const waits = lab.ask(CREATE, plain(1));
    for (const end of lab.hanging.splice(0)) end();
    expect([kindOf(await slow), kindOf(await waits), open(lab)]).toEqual(["created", "over_quota", 1]);
    lab.troubles = ["hangs"];
    const lost = lab.ask(CREATE, plain(2));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(kindOf(await lab.ask(CREATE, plain(2)))).toBe("created");
    for (const end of lab.hanging) end();
    expect(kindOf(await lost)).toBe("created");
    lab.claims.file.close();
  } finally {
    vi.useRealTimers();
  }
});

test("QUOTA-2: a host that answers nonsense, or fails, is not asked to create, and the next request has its turn", async () => {
  const view = viewFlow(createFlow("f", CREATE, 1))._unsafeUnwrap();
  const created: Outcome = { kind: "created", flow: view };
  let asked = 0;
  const go = () => {
    asked += 1;
    return ok(created);
  };
  const request = (flows: object, action: FlowAction = CREATE) =>
    withinQuota({ owner: "agent:main:nonsense", action: action as typeof CREATE, quota: 1, flows: flows as never, go });
  for (const answer of [undefined, null, "x", {}])
    expect((await request({ list: () => answer }))._unsafeUnwrapErr()).toBe("bad_host_answer");
  const task = { action: "run_task", flowId: "f", runtime: "acp", task: "t" } as const;
  expect((await request({ getTaskSummary: () => ({ active: "many" }) }, task))._unsafeUnwrapErr()).toBe(
    "bad_host_answer",
  );
  const reopen = { action: "resume_flow", flowId: "f", expectedRevision: 1 } as const;
  for (const answer of [{}, "x", { revision: "1", status: "queued" }, { revision: 1, status: "succeeded" }])
    expect((await request({ get: () => answer, list: () => "x" }, reopen))._unsafeUnwrapErr()).toBe("bad_host_answer");
  const fails = (): never => {
    throw new Error("gone");
  };
  await expect(request({ list: fails })).rejects.toThrow("gone");
  expect(asked).toBe(0);
  expect((await request({ list: () => [] }))._unsafeUnwrap()).toBe(created);
  expect(asked).toBe(1);
});
