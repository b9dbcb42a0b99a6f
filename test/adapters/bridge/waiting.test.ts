// Requests that wait for a flow: when they are answered, what they hold meanwhile, and what they cost the store.

import fc from "fast-check";
import { err, ok, type Result } from "neverthrow";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Bridge, createBridge, type OnGone, type ReadBody } from "../../../adapters/bridge/bridge.ts";
import { STORE_DEADLINE_MS } from "../../../adapters/bridge/execute.ts";
import { Log } from "../../../adapters/bridge/log.ts";
import type { EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import { FlowChanges } from "../../../adapters/flows/changes.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { MemoryLimits } from "../../../adapters/limits/memory.ts";
import { nodePrimitives } from "../../../adapters/node/primitives.ts";
import {
  type Answer,
  type FlowAction,
  type Outcome,
  PLACES,
  STORE_FAILURES,
  type StoreFailure,
  viewFlow,
} from "../../../core/index.ts";
import { bytes, head, PATH_A, PATH_B, ROUTE_A, ROUTE_B, ROUTES } from "../../core/arbitraries.ts";
import { laterFlows } from "../../support/later.ts";
import { runs } from "../../support/runs.ts";

const ignore = (): void => undefined;

/** Who gets an answer, and may go before. */
class Caller {
  readonly #listeners = new Set<() => void>();
  isGone = false;

  static readonly onGone: OnGone<Caller> = (caller, listener) => {
    caller.#listeners.add(listener);
    if (caller.isGone) listener();
    return () => void caller.#listeners.delete(listener);
  };

  get listeners(): number {
    return this.#listeners.size;
  }

  go(): void {
    this.isGone = true;
    for (const listener of this.#listeners) listener();
  }
}

/** The store, with the commands that it gets. */
const counted = (
  store: FlowStore,
): { readonly store: FlowStore; readonly asked: { readonly at: number; readonly flowId: string }[] } => {
  const asked: { readonly at: number; readonly flowId: string }[] = [];
  const execute: FlowStore["execute"] = (owner, action, report, delivery) => {
    if (action.action === "get_flow") asked.push({ at: Date.now(), flowId: action.flowId });
    return store.execute(owner, action, report, delivery);
  };
  return { store: { ...store, execute }, asked };
};

const rig = (store: FlowStore) => {
  const limits = new MemoryLimits();
  const held = { taken: 0, released: 0 };
  const errors: string[] = [];
  const bridge = createBridge({
    routes: () => ROUTES,
    store,
    limits: {
      admit: (located, now) => {
        const verdict = limits.admit(located, now);
        if (verdict.kind === "admitted") held.taken += 1;
        return verdict;
      },
      confirm: (located, now) => limits.confirm(located, now),
      release: (located, isProved) => {
        held.released += 1;
        limits.release(located, isProved);
      },
    },
    primitives: nodePrimitives,
    clock: Date.now,
    time: Date.now,
    log: new Log({ info: ignore, warn: ignore, error: (line) => errors.push(line) }, Date.now),
  });
  return { bridge, held, errors, slots: () => held.taken - held.released };
};

/** `taking`: until the answer has been taken. */
type From = {
  readonly client?: string;
  readonly path?: string;
  readonly caller?: Caller;
  readonly taking?: Promise<void>;
};

type Asked = {
  readonly answers: Answer[];
  /** When the answer came, on the fake clock. */
  at: number | undefined;
  readonly done: Promise<void>;
};

const ask = (
  bridge: Bridge,
  action: object,
  { client = "10.0.0.1", path = PATH_A, caller = new Caller(), taking }: From = {},
): Asked => {
  const { secret } = path === PATH_A ? ROUTE_A : ROUTE_B;
  const headers = { "content-type": "application/json", authorization: `Bearer ${secret}` };
  const request = head({ target: path, headers, client });
  const body: ReadBody = () => Promise.resolve(ok(bytes(JSON.stringify(action))));
  const answers: Answer[] = [];
  const deliver = (answer: Answer): void | Promise<void> => {
    answers.push(answer);
    asked.at = Date.now();
    return taking;
  };
  const asked: { -readonly [name in keyof Asked]: Asked[name] } = { answers, at: undefined, done: Promise.resolve() };
  asked.done = bridge.handle(bridge.locate(request), body, deliver, caller, Caller.onGone);
  return asked;
};

type Said = {
  readonly ok: boolean;
  readonly code?: string;
  readonly result: {
    readonly flow?: { readonly flowId: string; readonly revision: number; readonly goal: string } | null;
  };
};

const said = ({ answers }: Asked): Said => {
  const [only, ...more] = answers;
  if (only === undefined || more.length > 0) return expect.fail("REPLY-4: not exactly one answer");
  return JSON.parse(only.reply.body);
};

const goalIn = (asked: Asked): string | undefined => said(asked).result.flow?.goal;

const revisionIn = (asked: Asked): number | undefined => said(asked).result.flow?.revision;

/** Lets everything go on that does not wait for a timer. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 12; turn += 1) await new Promise(setImmediate);
};

const pass = async (ms: number): Promise<void> => {
  await settle();
  await vi.advanceTimersByTimeAsync(ms);
  await settle();
};

const waitFor = (flowId: string, afterRevision = 0, waitSeconds = 20): object => ({
  action: "get_flow",
  flowId,
  afterRevision,
  waitSeconds,
});

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }));
afterEach(() => vi.useRealTimers());

const OWNER = ROUTE_A.sessionKey;
const report = ignore;

const create = async (flows: FlowStore, owner: string = OWNER): Promise<string> => {
  const made = await flows.execute(owner, { action: "create_flow", goal: "g", controllerId: "c" }, report);
  const outcome = made._unsafeUnwrap();
  return outcome.kind === "created" ? String(outcome.flow.json["flowId"]) : expect.fail("no flow");
};

const write = async (flows: FlowStore, flowId: string, expectedRevision: number): Promise<void> => {
  const done = await flows.execute(OWNER, { action: "set_waiting", flowId, expectedRevision }, report);
  expect(done._unsafeUnwrap().kind).toBe("applied");
};

const STORES: Readonly<Record<string, () => EmbeddedFlows>> = { "at once": memoryFlows, later: laterFlows };

/** The store as one of a host to which others write: what they write is not told. */
const untold = ({ execute }: FlowStore): FlowStore => ({ execute });

describe.each(Object.entries(STORES))("a store that answers %s", (_, make) => {
  test("WAIT-1: an answer comes with the first write that passes the revision, else once the time is over", async () => {
    const plan = fc.record({
      seconds: fc.integer({ min: 1, max: 20 }),
      after: fc.nat({ max: 3 }),
      writes: fc.array(fc.integer({ min: 0, max: 25_000 }), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(plan, async ({ seconds, after, writes }) => {
        const flows = make();
        const flowId = await create(flows);
        const { bridge, slots } = rig(flows);
        const began = Date.now();
        const asked = ask(bridge, waitFor(flowId, after, seconds));
        await settle();
        const over = seconds * 1000;
        const times = writes.toSorted((one, other) => one - other);
        let revision = 0;
        for (const time of [...times, over].toSorted((one, other) => one - other)) {
          await pass(began + time - Date.now());
          if (revision < times.length && times[revision] === time) await write(flows, flowId, revision++);
          await settle();
        }
        const passed = times[after];
        const isPassed = passed !== undefined && passed < over;
        expect(asked.at).toBe(began + (isPassed ? passed : over));
        expect(revisionIn(asked)).toBe(isPassed ? after + 1 : times.filter((time) => time < over).length);
        expect([slots(), flows.changes.isWatched, vi.getTimerCount()]).toEqual([0, false, 0]);
      }),
      { numRuns: runs(40) },
    );
  });

  test("WAIT-1: nothing waits that has an answer already, or no seconds", async () => {
    const flows = make();
    const flowId = await create(flows);
    await write(flows, flowId, 0);
    const { bridge } = rig(flows);
    for (const [action, revision] of [
      [waitFor(flowId, 0), 1],
      [waitFor(flowId, 7, 0), 1],
      [{ action: "get_flow", flowId }, 1],
      [{ action: "get_flow", flowId, afterRevision: 7 }, 1],
      [waitFor("none"), undefined],
    ] as const) {
      const asked = ask(bridge, action);
      await settle();
      expect(revisionIn(asked)).toBe(revision);
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test("WAIT-2, SLOT-2: who waits holds a place and no slot; the ninth of a client on a route is refused, and a place is free again with the answer", async () => {
    const flows = make();
    const flowId = await create(flows);
    const other = await create(flows, ROUTE_B.sessionKey);
    const { bridge, slots } = rig(flows);
    const waits = Array.from({ length: PLACES.client }, () => ask(bridge, waitFor(flowId, 0, 20)));
    await settle();
    expect([slots(), waits.some(({ at }) => at !== undefined)]).toEqual([0, false]);
    const ninth = ask(bridge, waitFor(flowId));
    const [plain, elsewhere, another] = [
      ask(bridge, { action: "get_flow", flowId }),
      ask(bridge, waitFor(other), { path: PATH_B }),
      ask(bridge, waitFor(flowId), { client: "10.0.0.2" }),
    ];
    await settle();
    expect([said(ninth).code, ninth.answers[0]?.reply.status, ninth.answers[0]?.reply.headers["Retry-After"]]).toEqual([
      "too_many_waiting",
      429,
      "5",
    ]);
    expect([revisionIn(plain), elsewhere.at, another.at]).toEqual([0, undefined, undefined]);
    await write(flows, flowId, 0);
    await settle();
    expect(waits.map(revisionIn)).toEqual(waits.map(() => 1));
    const again = ask(bridge, waitFor(flowId, 1, 1));
    await settle();
    expect([again.at, slots()]).toEqual([undefined, 0]);
    await pass(1000);
    expect(revisionIn(again)).toBe(1);
  });

  test("WAIT-2: 64 may wait on one route", async () => {
    const flows = make();
    const flowId = await create(flows);
    const { bridge } = rig(flows);
    const waits: Asked[] = [];
    for (let n = 0; n < PLACES.route + 2; n += 1) {
      waits.push(ask(bridge, waitFor(flowId), { client: `10.0.${String(n >> 2)}.1` }));
      await settle();
    }
    const refused = waits.filter(({ at }) => at !== undefined);
    expect(refused.map((one) => said(one).code)).toEqual(["too_many_waiting", "too_many_waiting"]);
    bridge.endWaits();
    await settle();
    expect(waits.every(({ at }) => at !== undefined)).toBe(true);
  });

  test("WAIT-3: a flow of another session is none, and its writes are nobody else's", async () => {
    const flows = make();
    const [own, other] = [await create(flows), await create(flows, ROUTE_B.sessionKey)];
    const { bridge } = rig(flows);
    const foreign = ask(bridge, waitFor(other));
    const waiting = ask(bridge, waitFor(own, 0, 5));
    await settle();
    expect([said(foreign).result, waiting.at]).toEqual([{ flow: null }, undefined]);
    await flows.execute(ROUTE_B.sessionKey, { action: "set_waiting", flowId: other, expectedRevision: 0 }, report);
    await settle();
    expect(waiting.at).toBeUndefined();
    await pass(5000);
    expect(revisionIn(waiting)).toBe(0);
  });

  test("WAIT-4: while nothing changes, a store that tells is read three times for a wait, and nothing is polled", async () => {
    const flows = make();
    const flowId = await create(flows);
    const { store, asked } = counted(flows);
    const { bridge } = rig(store);
    const waiting = ask(bridge, waitFor(flowId));
    await pass(19_999);
    expect([asked.length, waiting.at]).toEqual([2, undefined]);
    await pass(1);
    expect([asked.length, revisionIn(waiting)]).toEqual([3, 0]);
  });

  test("WAIT-5, REPLY-4: a client that goes frees its place at once, has one answer, and is not asked for again", async () => {
    const flows = make();
    const flowId = await create(flows);
    const { store, asked } = counted(flows);
    const { bridge, slots } = rig(store);
    const callers = Array.from({ length: PLACES.client }, () => new Caller());
    const waits = callers.map((caller) => ask(bridge, waitFor(flowId), { caller }));
    await settle();
    for (const caller of callers) caller.go();
    await settle();
    const reads = asked.length;
    expect(waits.map(revisionIn)).toEqual(waits.map(() => 0));
    expect(callers.map(({ listeners }) => listeners)).toEqual(callers.map(() => 0));
    expect([vi.getTimerCount(), flows.changes.isWatched, slots()]).toEqual([0, false, 0]);
    await write(flows, flowId, 0);
    await pass(20_000);
    expect(asked.length).toBe(reads);
    const next = Array.from({ length: PLACES.client }, () => ask(bridge, waitFor(flowId, 1, 1)));
    await settle();
    expect(next.map(({ at }) => at)).toEqual(next.map(() => undefined));
    const gone = new Caller();
    gone.isGone = true;
    bridge.endWaits();
    bridge.resumeWaits();
    await settle();
    const late = ask(bridge, waitFor(flowId, 1), { caller: gone });
    await settle();
    expect([revisionIn(late), gone.listeners]).toEqual([1, 0]);
  });

  test("WAIT-6: a stop answers all that wait, and none waits until they may again", async () => {
    const flows = make();
    const flowId = await create(flows);
    const { bridge } = rig(flows);
    const waits = Array.from({ length: 5 }, () => ask(bridge, waitFor(flowId)));
    await settle();
    bridge.endWaits();
    await settle();
    const after = ask(bridge, waitFor(flowId));
    await settle();
    expect([...waits, after].map(revisionIn)).toEqual([0, 0, 0, 0, 0, 0]);
    bridge.resumeWaits();
    const again = ask(bridge, waitFor(flowId, 0, 1));
    await settle();
    expect(again.at).toBeUndefined();
    await pass(1000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("WAIT-2, SLOT-2, REPLY-4: of any mix of waits, writes, clients that go and stops, each has one answer, and all is given back", async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("ask"),
        client: fc.nat({ max: 1 }),
        flow: fc.nat({ max: 1 }),
        after: fc.nat({ max: 2 }),
        seconds: fc.nat({ max: 3 }),
      }),
      fc.record({ kind: fc.constant("write"), flow: fc.nat({ max: 1 }) }),
      fc.record({ kind: fc.constant("go"), which: fc.nat() }),
      fc.record({ kind: fc.constant("pass"), ms: fc.integer({ min: 0, max: 2000 }) }),
      fc.record({ kind: fc.constantFrom("stop", "resume", "settle") }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step as fc.Arbitrary<Step>, { maxLength: 30 }), fc.boolean(), async (steps, isTold) => {
        const flows = make();
        const ids = [await create(flows), await create(flows)];
        const revisions = [0, 0];
        const { bridge, held, errors } = rig(isTold ? flows : untold(flows));
        const asked: { readonly one: Asked; readonly caller: Caller }[] = [];
        for (const one of steps) {
          if (one.kind === "ask") {
            const caller = new Caller();
            const body = waitFor(ids[one.flow] ?? "", one.after, one.seconds);
            asked.push({ one: ask(bridge, body, { caller, client: `10.0.0.${String(one.client)}` }), caller });
          }
          if (one.kind === "write") {
            await write(flows, ids[one.flow] ?? "", revisions[one.flow] ?? 0);
            revisions[one.flow] = (revisions[one.flow] ?? 0) + 1;
          }
          if (one.kind === "go") asked[one.which % Math.max(1, asked.length)]?.caller.go();
          if (one.kind === "pass") await pass(one.ms);
          if (one.kind === "stop") bridge.endWaits();
          if (one.kind === "resume") bridge.resumeWaits();
          if (one.kind === "settle") await settle();
        }
        await pass(4000);
        await Promise.all(asked.map(({ one: { done } }) => done));
        for (const { one } of asked)
          expect(["too_many_waiting", "too_many_in_flight", undefined]).toContain(said(one).code);
        expect(asked.map(({ caller }) => caller.listeners)).toEqual(asked.map(() => 0));
        expect([held.released, vi.getTimerCount(), flows.changes.isWatched, errors]).toEqual([
          held.taken,
          0,
          false,
          [],
        ]);
        bridge.resumeWaits();
        const all = Array.from({ length: PLACES.client }, () => ask(bridge, waitFor(ids[0] ?? "", 99, 1)));
        await settle();
        expect(all.map(({ at }) => at)).toEqual(all.map(() => undefined));
        await pass(1000);
      }),
      { numRuns: runs(40) },
    );
  });
});

type Step =
  | {
      readonly kind: "ask";
      readonly client: number;
      readonly flow: number;
      readonly after: number;
      readonly seconds: number;
    }
  | { readonly kind: "write"; readonly flow: number }
  | { readonly kind: "go"; readonly which: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "stop" | "resume" | "settle" };

test("WAIT-4: a store that does not tell is asked at most 10 times a second in all, each of few flows once a second, and one read serves all who wait for a flow", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 2 }), async (count, each) => {
      const flows = memoryFlows();
      const ids = await Promise.all(Array.from({ length: count }, () => create(flows)));
      const { store, asked } = counted(untold(flows));
      const { bridge } = rig(store);
      for (const [n, flowId] of ids.entries())
        for (let more = 0; more < each; more += 1) ask(bridge, waitFor(flowId), { client: `10.0.${String(n)}.1` });
      await settle();
      expect(asked.length).toBeLessThanOrEqual(2 * count * each);
      asked.length = 0;
      await pass(10_000);
      const times = asked.map(({ at }) => at);
      for (const from of times)
        expect(times.filter((at) => at >= from && at < from + 1000).length).toBeLessThanOrEqual(10);
      for (const flowId of ids) {
        const looks = asked.filter((one) => one.flowId === flowId).length;
        expect(looks).toBeGreaterThanOrEqual(count <= 10 ? 10 : Math.floor(100 / count));
      }
      await pass(10_000);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: runs(20) },
  );
});

test("WAIT-4: what others write to a host is seen within a second, also when the host tells of its own writes", async () => {
  const flows = memoryFlows();
  const flowId = await create(flows);
  const changes = new FlowChanges();
  const { bridge } = rig({ execute: flows.execute, changes, changesElsewhere: true });
  const [first, second] = [ask(bridge, waitFor(flowId)), ask(bridge, waitFor(flowId, 1))];
  await pass(500);
  await write(flows, flowId, 0);
  await pass(500);
  expect([revisionIn(first), second.at]).toEqual([1, undefined]);
  await write(flows, flowId, 1);
  changes.tell(OWNER, flowId);
  await settle();
  expect(revisionIn(second)).toBe(2);
});

const BAD_CHANGES: readonly (readonly [string, unknown])[] = [
  [
    "throws",
    {
      watch: () => {
        throw new Error("boom");
      },
    },
  ],
  ["gives nothing back", { watch: ignore }],
  [
    "cannot be ended",
    {
      watch: () => () => {
        throw new Error("boom");
      },
    },
  ],
];

test.each(BAD_CHANGES)("WAIT-4, REPLY-4: changes whose watch %s cost nobody an answer", async (_, changes) => {
  const flows = memoryFlows();
  const flowId = await create(flows);
  const bad: FlowStore = { execute: flows.execute, changes: changes as FlowStore["changes"] };
  const { bridge } = rig(bad);
  const asked = ask(bridge, waitFor(flowId, 0, 3));
  await pass(3000);
  expect([revisionIn(asked), vi.getTimerCount()]).toEqual([0, 0]);
});

const flowAt = (revision: number, goal = "g"): Outcome => ({
  kind: "flow",
  flow: viewFlow({
    flowId: "f",
    syncMode: "managed",
    revision,
    status: "running",
    notifyPolicy: "silent",
    goal,
    createdAt: 1,
    updatedAt: 1,
  })._unsafeUnwrap(),
});

/** A store whose answers a test sets. */
const scripted = () => {
  const changes = new FlowChanges();
  const script: { next: Result<Outcome, StoreFailure> } = { next: ok(flowAt(0)) };
  const store: FlowStore = { changes, execute: (_owner: string, _action: FlowAction) => script.next };
  return { store, script, changes };
};

/** What a store may say of a read of one flow. */
const FAILURES = STORE_FAILURES.filter((one) => !one.startsWith("idempotency_key") && one !== "list_too_large");

test.each([...FAILURES, "nonsense", "gone"] as const)(
  "WAIT-1: a store that fails during a wait (%s), or whose flow has gone, ends it with that answer",
  async (what) => {
    const { store, script, changes } = scripted();
    const { bridge } = rig(store);
    const asked = ask(bridge, waitFor("f"));
    await settle();
    expect(asked.at).toBeUndefined();
    if (what === "gone") script.next = ok({ kind: "flow", flow: null });
    else if (what === "nonsense") script.next = ok({ kind: "flow", flow: {} } as unknown as Outcome);
    else script.next = err(what);
    changes.tell(OWNER, "f");
    await settle();
    const { code, result } = said(asked);
    expect([code, result]).toEqual(
      what === "gone" ? [undefined, { flow: null }] : [what === "nonsense" ? "bad_host_answer" : what, {}],
    );
  },
);

test("WAIT-1: a wait ends at most the store's deadline after its time, when the store hangs", async () => {
  const { store, script } = scripted();
  let hangs = false;
  const hanging: FlowStore = {
    execute: (...given) => (hangs ? new Promise<never>(ignore) : store.execute(...given)),
    changes: store.changes,
  };
  const { bridge } = rig(hanging);
  const began = Date.now();
  const asked = ask(bridge, waitFor("f", 0, 7));
  await settle();
  expect(script.next.isOk()).toBe(true);
  hangs = true;
  await pass(7000 + STORE_DEADLINE_MS);
  expect([said(asked).code, asked.at]).toEqual(["outcome_unknown", began + 7000 + STORE_DEADLINE_MS]);
});

test("LIMIT-11: a request that waits is told the limits of the moment at which it was counted", async () => {
  const { bridge } = rig(scripted().store);
  const asked = ask(bridge, waitFor("f", 0, 7));
  await settle();
  for (let times = 0; times < 3; times += 1) await ask(bridge, { action: "list_flows" }).done;
  await pass(7000);
  expect(asked.answers.map(({ reply }) => reply.headers["RateLimit"])).toEqual(['"default";r=119;t=60']);
});

test("WAIT-3: of two sessions whose flows have the same id each is told of its own alone", async () => {
  const revisions = new Map([
    [ROUTE_A.sessionKey, 0],
    [ROUTE_B.sessionKey, 0],
  ]);
  const execute: FlowStore["execute"] = (owner) => ok(flowAt(revisions.get(owner) ?? 0, owner));
  const { bridge } = rig({ execute });
  const [own, other] = [ask(bridge, waitFor("f", 0, 9)), ask(bridge, waitFor("f", 0, 9), { path: PATH_B })];
  await pass(2000);
  revisions.set(ROUTE_A.sessionKey, 1);
  await pass(2000);
  expect([goalIn(own), revisionIn(own), other.at]).toEqual([ROUTE_A.sessionKey, 1, undefined]);
  await pass(5000);
  expect([goalIn(other), revisionIn(other)]).toEqual([ROUTE_B.sessionKey, 0]);
});

test("WAIT-1: what changes between the first read and the wait, or while the flow is being read, is not missed", async () => {
  const changes = new FlowChanges();
  const reads: ((outcome: Outcome) => void)[] = [];
  const execute = (): Promise<Result<Outcome, StoreFailure>> =>
    new Promise((resolve) => reads.push((outcome) => resolve(ok(outcome))));
  const { bridge } = rig({ execute, changes });
  const asked = ask(bridge, waitFor("f", 1));
  await settle();
  reads[0]?.(flowAt(0));
  await settle();
  // nobody was told of revision 1, which the second read finds; while it is under way there is another change
  expect(reads.length).toBe(2);
  changes.tell(OWNER, "f");
  await settle();
  reads[1]?.(flowAt(1));
  await settle();
  expect([reads.length, asked.at]).toEqual([3, undefined]);
  reads[2]?.(flowAt(2));
  await settle();
  expect(revisionIn(asked)).toBe(2);
});

test("WAIT-5: the place of a client that has gone is free although its answer is never taken", async () => {
  const flows = memoryFlows();
  const flowId = await create(flows);
  const { bridge } = rig(flows);
  const callers = Array.from({ length: PLACES.client }, () => new Caller());
  const taking = new Promise<void>(ignore);
  for (const caller of callers) ask(bridge, waitFor(flowId), { caller, taking });
  await settle();
  for (const caller of callers) caller.go();
  await settle();
  const next = callers.map(() => ask(bridge, waitFor(flowId, 0, 1), { taking }));
  await settle();
  expect(next.map(({ at }) => at)).toEqual(next.map(() => undefined));
  await pass(1000);
  // an answer that a client has yet to take keeps its place
  const late = ask(bridge, waitFor(flowId));
  await settle();
  expect(said(late).code).toBe("too_many_waiting");
});
