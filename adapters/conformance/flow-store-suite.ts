// What every store of flows must do, as properties. Run them against your own store, under any test runner.

import fc from "fast-check";
import type { FlowStore, ManagedFlows } from "../flows/flow-store.ts";
import { memoryFlows } from "../flows/memory/store.ts";
import { check, same } from "./check.ts";
import { type Command, commands, type Named } from "./commands.ts";
import { Actor, type Plain, type Seen, seenIn, settled } from "./transcript.ts";

/** `test` of node:test, vitest, Bun or Deno. */
export type TestFunction = (name: string, run: () => Promise<void>) => unknown;

export type StoreUnderTest = {
  /** Called for each test; flows of earlier tests may still be there. */
  readonly open: () => FlowStore | Promise<FlowStore>;
  readonly close?: (store: FlowStore) => void | Promise<void>;
  /** For a store that promises durability: ends `store` as a crash would, and opens what it left. */
  readonly reopen?: (store: FlowStore) => FlowStore | Promise<FlowStore>;
  /** For a store whose owners are given; by default two new ones for each run. */
  readonly owners?: readonly [string, string];
  /** How often each property is tried. Default 200. */
  readonly runs?: number;
  /** The order of flows of one millisecond; `any` for a store that does not keep the port's. Default `by_id`. */
  readonly ties?: "by_id" | "any";
  /** Most commands at once; for a store behind HTTP no more than its in-flight limit. Default 8. */
  readonly writers?: number;
};

type Owners = readonly [string, string];
type Property = (store: FlowStore, owners: Owners) => Promise<void>;

const quiet = (): void => undefined;
const create = async (flows: ManagedFlows, stateJson: number | null = null): Promise<Seen> => {
  const made = await settled(flows.create({ goal: "Conformance", controllerId: "conformance", stateJson }));
  return seenIn(made.flow);
};

/** What A is answered beside B on `store` is what A is answered alone on the reference store. */
const asTheReference =
  (mine: readonly Command[], theirs: readonly Command[]): Property =>
  async (store, [a, b]) => {
    const [subject, neighbour, reference] = [new Actor(store, a), new Actor(store, b), new Actor(memoryFlows(), a)];
    for (const [index, command] of mine.entries()) {
      const other = theirs[index];
      if (other !== undefined) await neighbour.run(other);
      same(await subject.run(command), await reference.run(command), `command ${String(index + 1)}, ${command.name}`);
    }
  };

const idsOf = (views: readonly { readonly flowId?: unknown }[]): readonly string[] =>
  views.map(({ flowId }) => String(flowId));

const isEnded = ({ status, endedAt }: { readonly status?: unknown; readonly endedAt?: unknown }): boolean =>
  ["succeeded", "failed", "cancelled", "lost"].includes(String(status)) ||
  (status === "blocked" && endedAt !== undefined);

/** list, latest, resolve and get say the same about the same flows. */
const readsAgree =
  (mine: readonly Command[], ties: "by_id" | "any"): Property =>
  async (store, [a]) => {
    const actor = new Actor(store, a);
    for (const command of mine) await actor.run(command);
    const flows = store.bind(a, quiet);
    const { flows: listed = [] } = await settled(flows.list());
    const times = listed.map((flow) => Number(flow["createdAt"]));
    check(
      times.every((time, index) => index === 0 || time <= (times[index - 1] ?? 0)),
      "list is newest createdAt first",
    );
    const ids = idsOf(listed);
    const isInOrder = (index: number): boolean =>
      index === 0 || times[index] !== times[index - 1] || (ids[index] ?? "") > (ids[index - 1] ?? "");
    check(ties === "any" || ids.every((_, index) => isInOrder(index)), "list has flows of one createdAt by flowId");
    check(
      actor.made.every((flowId) => ids.includes(flowId)),
      "list has every flow that was made",
    );
    check(new Set(ids).size === ids.length, "list has every flow once");
    same((await settled(flows.latest())).flow, listed[0] ?? null, "latest is the first of list");
    const open = listed.find((flow) => !isEnded(flow)) ?? listed[0] ?? null;
    same((await settled(flows.resolve(a))).flow, open, "resolve by the owner's key is the newest open flow");
    for (const flowId of actor.made) {
      const found = (await settled(flows.get(flowId))).flow;
      same(
        found,
        listed.find((flow) => flow["flowId"] === flowId),
        "get is what list shows",
      );
      same((await settled(flows.resolve(flowId))).flow, found, "resolve by id is get");
    }
  };

/** Milliseconds by which a store's clock may differ from that of the test. */
const CLOCK_MS = 60_000;

/** Times are milliseconds since the epoch, by a clock that is right. */
const tellsTheTime: Property = async (store, [a]) => {
  const { view } = await create(store.bind(a, quiet));
  const distance = Math.abs(Number(view["createdAt"]) - Date.now());
  check(distance < CLOCK_MS, `createdAt is the time in milliseconds: got ${String(view["createdAt"])}`);
  same(view["updatedAt"], view["createdAt"], "a new flow's updatedAt is its createdAt");
};

type Status = "succeeded" | "failed" | "cancelled";

/** How a flow comes to its end. */
const END: Readonly<Record<Status, (flows: ManagedFlows, named: Named) => Promise<Plain>>> = {
  succeeded: (flows, named) => settled(flows.finish(named)),
  failed: (flows, named) => settled(flows.fail(named)),
  cancelled: (flows, { flowId }) => settled(flows.cancel(flowId)),
};

/** Every refusal, by the shortest way to it, with all that it says. */
const refusesByTheBook: Property = async (store, [a]) => {
  const flows = store.bind(a, quiet);
  const runTask = (flowId: string, more: object = {}): Promise<Plain> =>
    settled(flows.runTask({ flowId, runtime: "acp", task: "Look", ...more }));
  for (const status of ["succeeded", "failed"] as const) {
    const { flowId } = await create(flows);
    const { flow } = await END[status](flows, { flowId, expectedRevision: 0 });
    const refusal = { refusal: "terminal", ended: status, flow };
    same(await runTask(flowId), { kind: "task_not_created", ...refusal }, `run_task on a flow that ${status}`);
    const cancel = await settled(flows.cancel(flowId));
    same(cancel, { kind: "not_cancelled", ...refusal, tasks: [] }, `cancel of a flow that ${status}`);
  }
  const { flowId } = await create(flows);
  const stale = await settled(flows.finish({ flowId, expectedRevision: 5 }));
  const { flow } = await settled(flows.get(flowId));
  same(stale, { kind: "not_applied", refusal: "revision_conflict", flow }, "an update of another revision");
  const child = await runTask(flowId, { childSessionKey: "agent:main:no-such-child" });
  same(child, { kind: "task_not_created", refusal: "unverified", flow }, "a child session that does not exist");
  const ended = await END.cancelled(flows, { flowId, expectedRevision: 0 });
  same([ended.kind, ended.flow?.["status"], ended.flow?.["revision"]], ["cancelled", "cancelled", 2], "cancel");
  const late = await runTask(flowId);
  same(late, { kind: "task_not_created", refusal: "cancel_requested", flow: ended.flow }, "run_task after a cancel");
};

/** The same run is one task, however often it is asked for, and an active task holds a cancel up. */
const countsTasksOnce: Property = async (store, [a]) => {
  const flows = store.bind(a, quiet);
  const { flowId } = await create(flows);
  const runTask = async (runtime: "acp" | "subagent", label: string, runId?: string): Promise<unknown> =>
    (await settled(flows.runTask({ flowId, runtime, task: "Look", label, ...(runId === undefined ? {} : { runId }) })))
      .task?.["taskId"];
  const first = await runTask("acp", "one", "run-1");
  same(await runTask("acp", "two", "run-1"), first, "the same run finds its task");
  const child = await runTask("subagent", "one", "run-1");
  same(await runTask("subagent", "one", "run-1"), child, "the same run of a subagent finds its task");
  const others = [
    child,
    await runTask("subagent", "two", "run-1"),
    await runTask("acp", "one"),
    await runTask("acp", "one"),
  ];
  check(new Set([first, ...others]).size === 5, "another label of a subagent, and no runId, make new tasks");
  const { summary } = await settled(flows.summary(flowId));
  same([summary?.["total"], summary?.["active"]], [5, 5], "the summary counts each task once");
  const pending = await settled(flows.cancel(flowId));
  same(
    [pending.kind, pending.refusal, pending.tasks?.length],
    ["not_cancelled", "cancel_pending", 5],
    "cancel waits for tasks",
  );
  check(
    pending.tasks?.every((task) => task["parentFlowId"] === flowId && task["task"] === "Look") === true,
    "cancel shows the flow's own tasks",
  );
  same([pending.flow?.["status"], pending.flow?.["revision"]], ["queued", 1], "cancel stores its intent");
};

/** Every method of the port that takes a flow's id. */
const ABOUT_ONE: Readonly<Record<string, (flows: ManagedFlows, named: Named) => Promise<Plain>>> = {
  get: (flows, { flowId }) => settled(flows.get(flowId)),
  resolve: (flows, { flowId }) => settled(flows.resolve(flowId)),
  summary: (flows, { flowId }) => settled(flows.summary(flowId)),
  setWaiting: (flows, named) => settled(flows.setWaiting(named)),
  resume: (flows, named) => settled(flows.resume(named)),
  finish: (flows, named) => settled(flows.finish(named)),
  fail: (flows, named) => settled(flows.fail(named)),
  requestCancel: (flows, named) => settled(flows.requestCancel(named)),
  cancel: (flows, { flowId }) => settled(flows.cancel(flowId)),
  runTask: (flows, { flowId }) => settled(flows.runTask({ flowId, runtime: "acp", task: "Look" })),
};

const ODD_IDS: readonly string[] = [
  "'; DROP TABLE flows; --",
  "%",
  "__proto__",
  "constructor",
  "../../etc/passwd",
  "\u0000",
  "x".repeat(10_000),
  "\u{1f600}",
];

/** A flow of another owner, or with no possible id, is in every way as one that does not exist. */
const confined: Property = async (store, [a, b]) => {
  const theirs = await create(store.bind(b, quiet));
  const flows = store.bind(a, quiet);
  const mine = await create(flows);
  const spellings = [mine.flowId.toUpperCase(), `${mine.flowId}0`, mine.flowId.slice(0, -1)];
  for (const [name, ask] of Object.entries(ABOUT_ONE)) {
    const nothing = await ask(flows, { flowId: "no-such-flow", expectedRevision: 0 });
    for (const flowId of [theirs.flowId, ...ODD_IDS, ...spellings]) {
      same(await ask(flows, { flowId, expectedRevision: 0 }), nothing, `${name} of ${flowId.slice(0, 40)}`);
    }
  }
  same((await settled(flows.resolve(b))).flow, null, "resolve by another owner's key");
  const { flows: listed = [] } = await settled(flows.list());
  check(!idsOf(listed).includes(theirs.flowId), "list has no flow of another owner");
  same(
    (await settled(store.bind(b, quiet).get(theirs.flowId))).flow,
    theirs.view,
    "the other owner's flow is untouched",
  );
};

const MANY = 120;

/** A list has all flows, however many. */
const listsAll: Property = async (store, [a]) => {
  const flows = store.bind(a, quiet);
  const made: string[] = [];
  for (let count = 0; count < MANY; count += 1) made.push((await create(flows)).flowId);
  const ids = new Set(idsOf((await settled(flows.list())).flows ?? []));
  check(
    made.every((flowId) => ids.has(flowId)),
    `list has all of ${String(MANY)} flows`,
  );
};

/** Of two commands at once that cannot both be right, one is refused. */
const refusesOneOf: Property = async (store, [a]) => {
  for (const name of ["setWaiting", "resume", "finish", "fail", "requestCancel"] as const) {
    const { flowId } = await create(store.bind(a, quiet));
    const ask = (): Promise<Plain> => settled(store.bind(a, quiet)[name]({ flowId, expectedRevision: 0 }));
    const kinds = (await Promise.all([ask(), ask(), ask()])).map(({ kind }) => kind).toSorted();
    same(kinds, ["applied", "not_applied", "not_applied"], `three ${name} of one revision`);
    same(seenIn((await settled(store.bind(a, quiet).get(flowId))).flow).revision, 1, `the revision after ${name}`);
  }
};

/** Of several simultaneous updates of one revision exactly one is applied, and the others are told the revision. */
const oneWins =
  (writers: number): Property =>
  async (store, [a]) => {
    const { flowId } = await create(store.bind(a, quiet));
    for (let revision = 0; revision < 5; revision += 1) {
      const update = (stateJson: number): Promise<Plain> =>
        settled(store.bind(a, quiet).setWaiting({ flowId, expectedRevision: revision, stateJson }));
      const outcomes = await Promise.all(Array.from({ length: writers }, (_, index) => update(index)));
      const kinds = outcomes.map(({ kind, refusal = "" }) => `${kind} ${refusal}`.trim()).toSorted();
      const lost = Array.from({ length: writers - 1 }, () => "not_applied revision_conflict");
      same(kinds, ["applied", ...lost], "one update is applied and the others conflict");
      const winner = outcomes.find(({ kind }) => kind === "applied");
      same((await settled(store.bind(a, quiet).get(flowId))).flow, winner?.flow, "what is stored is the winner's");
    }
  };

/** Read, add one, write, until each writer has added his share: nothing is lost and nothing counts twice. */
const nothingIsLost =
  (writers: number): Property =>
  async (store, [a]) => {
    const SHARE = 4;
    const { flowId } = await create(store.bind(a, quiet), 0);
    const addOne = async (): Promise<void> => {
      for (;;) {
        const { revision, view } = seenIn((await settled(store.bind(a, quiet).get(flowId))).flow);
        const asked = { flowId, expectedRevision: revision, stateJson: Number(view["stateJson"]) + 1 };
        if ((await settled(store.bind(a, quiet).setWaiting(asked))).kind === "applied") return;
      }
    };
    const work = async (): Promise<void> => {
      for (let done = 0; done < SHARE; done += 1) await addOne();
    };
    await Promise.all(Array.from({ length: writers }, work));
    const { revision, view } = seenIn((await settled(store.bind(a, quiet).get(flowId))).flow);
    same([view["stateJson"], revision], [writers * SHARE, writers * SHARE], "each addition counts once");
  };

const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));

/** Values as large and as deep as the bridge lets through come back as they were. */
const keepsLargeValues: Property = async (store, [a]) => {
  const flows = store.bind(a, quiet);
  const large = {
    text: '\u00e9\u{1f600}\u0000"\\'.repeat(5000),
    list: Array.from({ length: 5000 }, (_, at) => at / 3),
  };
  const value = JSON.parse(JSON.stringify({ large, deep: nested(990) }));
  const made = await settled(flows.create({ goal: "Large", controllerId: "conformance", stateJson: value }));
  same(made.flow?.["stateJson"], value, "the new flow's stateJson");
  same((await settled(flows.get(seenIn(made.flow).flowId))).flow, made.flow, "the stored flow");
};

/** What was answered is there after a crash, and can be gone on with. */
const survives =
  (
    mine: readonly Command[],
    reopen: NonNullable<StoreUnderTest["reopen"]>,
  ): ((store: FlowStore, owners: Owners) => Promise<FlowStore>) =>
  async (store, [a]) => {
    const actor = new Actor(store, a);
    for (const command of mine) await actor.run(command);
    const look = async (flows: ManagedFlows): Promise<object> => {
      const summaries = await Promise.all(actor.made.map((flowId) => settled(flows.summary(flowId))));
      return { listed: await settled(flows.list()), summaries };
    };
    const before = await look(store.bind(a, quiet));
    const after = await reopen(store);
    same(await look(after.bind(a, quiet)), before, "flows and tasks after the crash");
    await create(after.bind(a, quiet));
    return after;
  };

let ownersMade = 0;

/** Alike to a store that folds case, trims, or cuts keys short. */
const freshOwners = (): Owners => {
  ownersMade += 1;
  const owner = `agent:main:conformance-${"x".repeat(300)}-${String(ownersMade)}`;
  const twins = [owner.toUpperCase(), `${owner}-b`, `${owner} `] as const;
  return [owner, twins[ownersMade % twins.length] ?? `${owner}-b`];
};

/** Registers the suite's tests with `test`. */
export const flowStoreSuite = (test: TestFunction, subject: StoreUnderTest): void => {
  const { open, close, reopen, runs: numRuns = 200, writers = 8, ties = "by_id" } = subject;
  const owners = (): Owners => subject.owners ?? freshOwners();
  const withStore = (name: string, run: (store: FlowStore) => Promise<FlowStore | void>): unknown =>
    test(name, async () => {
      const store = await open();
      const last = (await run(store)) ?? store;
      await close?.(last);
    });

  withStore("what an owner is answered is what the lifecycle says, whatever another owner does meanwhile", (store) =>
    fc.assert(
      fc.asyncProperty(commands, commands, (mine, theirs) => asTheReference(mine, theirs)(store, owners())),
      { numRuns },
    ),
  );
  withStore("list, latest, resolve and get agree", (store) =>
    fc.assert(
      fc.asyncProperty(commands, (mine) => readsAgree(mine, ties)(store, owners())),
      { numRuns: Math.ceil(numRuns / 5) },
    ),
  );
  withStore("a flow of another owner, or with an odd id, is as one that does not exist", (store) =>
    confined(store, owners()),
  );
  withStore("a list has every flow, however many", (store) => listsAll(store, owners()));
  withStore("of simultaneous commands of every kind one is applied", (store) => refusesOneOf(store, owners()));
  withStore("times are milliseconds by the clock", (store) => tellsTheTime(store, owners()));
  withStore("each refusal says all that it has to say", (store) => refusesByTheBook(store, owners()));
  withStore("the same run is one task, and tasks hold a cancel up", (store) => countsTasksOnce(store, owners()));
  withStore("of simultaneous updates of one revision exactly one wins", (store) => oneWins(writers)(store, owners()));
  withStore("many writers that try again lose no update", (store) => nothingIsLost(writers)(store, owners()));
  withStore("large and deep values come back as they were", (store) => keepsLargeValues(store, owners()));
  if (reopen === undefined) return;
  withStore("what was answered is there after a crash", async (store) => {
    let current = store;
    await fc.assert(
      fc.asyncProperty(commands, async (mine) => {
        current = await survives(mine, reopen)(current, owners());
      }),
      { numRuns: Math.ceil(numRuns / 5) },
    );
    return current;
  });
};
