// What becomes of a run: every function over all rows, flows, traces and configurations.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  afterCrash,
  beginningOf,
  begun,
  ended,
  endingOf,
  failedRun,
  type FlowView,
  isKnown,
  isOrphan,
  type KnownRun,
  MAX_REPLY,
  nextTurn,
  parseAction,
  placeMs,
  readRunResult,
  readyRuns,
  resumptionOf,
  RUN_FAULTS,
  RUN_STATES,
  type RunFault,
  runIdOf,
  type RunResult,
  type RunRow,
  runSession,
  succeeded,
  type Trace,
  viewFlow,
  waiting,
  watchingOf,
} from "../../core/index.ts";
import { runs } from "../support/runs.ts";
import { flowFields, goodJson, load, ROUTE_A, wildText } from "./arbitraries.ts";

const FAULTS = Object.keys(RUN_FAULTS) as readonly RunFault[];

const result: fc.Arbitrary<RunResult> = fc.oneof(
  fc.record({
    status: fc.constant("succeeded" as const),
    reply: wildText.map((text) => text.toWellFormed()),
    isCut: fc.boolean(),
  }),
  fc.record({ status: fc.constant("failed" as const), code: fc.constantFrom(...FAULTS) }),
);

const row: fc.Arbitrary<RunRow> = fc.record({
  seq: fc.nat(),
  routeId: fc.constantFrom("a", "b"),
  owner: fc.constant(ROUTE_A.sessionKey),
  stamp: fc.nat(),
  plan: fc.constant(undefined),
  flowId: fc.option(wildText, { nil: undefined }),
  state: fc.constantFrom(...RUN_STATES),
  turn: fc.integer({ min: 1, max: 5 }),
  tries: fc.integer({ min: 0, max: 3 }),
  boot: fc.constantFrom(undefined, "this", "other"),
  at: fc.nat({ max: 1000 }),
  result: fc.option(result, { nil: undefined }),
});

const known: fc.Arbitrary<KnownRun> = row.map((one) => ({ ...one, flowId: one.flowId ?? "f" }));

const flow: fc.Arbitrary<FlowView> = flowFields.map((fields) => viewFlow(fields)._unsafeUnwrap());
const found: fc.Arbitrary<FlowView | null> = fc.option(flow, { nil: null });

const trace: fc.Arbitrary<Trace> = fc.oneof(
  fc.constantFrom<Trace>({ kind: "not_begun" }, { kind: "running" }, { kind: "lost" }),
  result.map((one): Trace => ({ kind: "ended", result: one })),
);

const OPEN: readonly unknown[] = ["queued", "running", "waiting", "blocked"];
const isOver = (one: FlowView | null): boolean =>
  one === null ||
  !OPEN.includes(one.json["status"]) ||
  (one.json["status"] === "blocked" && one.json["endedAt"] !== undefined) ||
  one.json["cancelRequestedAt"] !== undefined;
const waits = (one: FlowView | null): boolean => ["waiting", "blocked"].includes(String(one?.json["status"]));

test("RUN-5: a flow is worked on exactly while it is open, not to be cancelled, and does not wait", () => {
  fc.assert(
    fc.property(found, (one) => {
      const [over, isWaiting] = [isOver(one), waits(one)];
      expect(beginningOf(one)).toBe(over ? "drop" : isWaiting ? "wait" : "begin");
      expect(resumptionOf(one)).toBe(over ? "drop" : isWaiting ? "wait" : "next_turn");
    }),
    { numRuns: runs(500) },
  );
});

test("RUN-5: a turn ends with its flow first, then with its time, to the millisecond", () => {
  fc.assert(
    fc.property(
      known,
      fc.option(found, { nil: undefined }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: -2, max: 60 }),
      (one, its, timeout, later) => {
        const is = watchingOf(one, its, timeout, one.at + later);
        expect(is).toBe(its !== undefined && isOver(its) ? "stop" : later >= timeout ? "time_out" : "go_on");
      },
    ),
    { numRuns: runs(500) },
  );
});

test("RUN-2, RUN-3: a flow that is over keeps what it has; any other is told the end, beside all that its state held", () => {
  fc.assert(
    fc.property(known, found, fc.option(result, { nil: undefined }), (one, its, end) => {
      const ending = endingOf({ ...one, result: end }, its);
      if (its === null || isOver(its) || end === undefined) {
        expect(ending).toEqual({ kind: "drop" });
        return;
      }
      if (end.status === "succeeded" && waits(its)) {
        expect(ending).toEqual({ kind: "wait" });
        return;
      }
      if (ending.kind !== "tell") return void expect.fail("the flow is not told");
      const { action } = ending;
      expect([action.action, action.flowId, action.expectedRevision]).toEqual([
        end.status === "succeeded" ? "finish_flow" : "fail_flow",
        its.json["flowId"],
        its.json["revision"],
      ]);
      const told =
        end.status === "succeeded"
          ? { status: "succeeded", reply: end.reply, ...(end.isCut ? { isCut: true } : {}) }
          : { status: "failed", code: end.code, error: RUN_FAULTS[end.code] };
      const state = its.json["stateJson"] ?? undefined;
      const isMembers = typeof state === "object" && !Array.isArray(state);
      const kept = state === undefined ? {} : isMembers ? { ...state } : { state };
      expect(action.stateJson).toEqual({ ...kept, run: told });
    }),
    { numRuns: runs(500) },
  );
});

test("RUN-3: a state of any shape keeps its members, `run` aside, and odd names are members like others", () => {
  fc.assert(
    fc.property(goodJson, (json) => {
      const state = JSON.parse(`{"__proto__":1,"constructor":2,"run":3,"rest":${JSON.stringify(json)}}`) as object;
      const its = viewFlow({
        flowId: "f",
        syncMode: "managed",
        revision: 4,
        status: "running",
        notifyPolicy: "silent",
        goal: "g",
        createdAt: 1,
        updatedAt: 1,
        stateJson: state,
      })._unsafeUnwrap();
      const ending = endingOf(ended(waitingRow, succeeded("Done.")), its);
      const text = JSON.stringify(ending.kind === "tell" ? ending.action.stateJson : null);
      const run = { status: "succeeded", reply: "Done." };
      expect(text).toBe(JSON.stringify(state).replace('"run":3', `"run":${JSON.stringify(run)}`));
    }),
    { numRuns: runs(100) },
  );
});

const waitingRow: KnownRun = {
  seq: 1,
  routeId: "a",
  owner: "agent:main:a",
  stamp: 1,
  plan: undefined,
  flowId: "f",
  state: "waiting",
  turn: 1,
  tries: 0,
  boot: undefined,
  at: 0,
  result: undefined,
};

test("RUN-3: a reply is kept as well-formed text of bounded length, whole if it fits", () => {
  const long = fc
    .tuple(fc.integer({ min: MAX_REPLY - 3, max: MAX_REPLY + 3 }), wildText)
    .map(([length, end]) => `${"x".repeat(length - 1)}${end}😀${end}`);
  fc.assert(
    fc.property(fc.oneof(wildText, long), (reply) => {
      const is = succeeded(reply);
      if (is.status !== "succeeded") return void expect.fail("a reply is a success");
      expect([is.isCut, is.reply.isWellFormed(), is.reply.length <= MAX_REPLY + 1]).toEqual([
        reply.length > MAX_REPLY,
        true,
        true,
      ]);
      if (!is.isCut) expect(is.reply).toBe(reply.toWellFormed());
      expect(readRunResult(JSON.stringify(is))).toEqual(is);
    }),
    { numRuns: runs(200) },
  );
});

test("RUN-2: what is read of a result in a file is one of those that are written, or nothing", () => {
  fc.assert(
    fc.property(result, (one) => {
      expect(readRunResult(JSON.stringify(one))).toEqual(one);
    }),
    { numRuns: runs(100) },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        wildText,
        goodJson.map((json) => JSON.stringify(json)),
      ),
      (text) => {
        expect(readRunResult(text)).toBeUndefined();
      },
    ),
    { numRuns: runs(200) },
  );
});

test("RUN-4: those that may begin are queued, the oldest of their route, and never more than there is room for", () => {
  const queue = fc.array(row, { maxLength: 12 }).map((rows) => rows.map((one, seq): RunRow => ({ ...one, seq })));
  const places = fc.record({ a: fc.nat({ max: 3 }), b: fc.nat({ max: 3 }) });
  fc.assert(
    fc.property(queue, places, (rows, widths) => {
      const widthOf = (id: string): number => (id === "a" ? widths.a : widths.b);
      const ready = readyRuns(rows, widthOf);
      for (const id of ["a", "b"]) {
        const mine = rows.filter(({ routeId }) => routeId === id);
        const taken = mine.filter(({ state }) => ["starting", "running", "ending"].includes(state)).length;
        const queued = mine.filter(isKnown).filter(({ state }) => state === "queued");
        const free = Math.max(0, widthOf(id) - taken);
        expect(ready.filter(({ routeId }) => routeId === id)).toEqual(queued.slice(0, free));
      }
    }),
    { numRuns: runs(300) },
  );
});

test("RUN-4: a run that fails keeps its place for a minute, and one whose turn may be at work for its time as well", () => {
  fc.assert(
    fc.property(row, fc.nat(), (one, timeout) => {
      const isAtWork = one.state === "starting" || one.state === "running";
      expect(placeMs(one, timeout)).toBe(60_000 + (isAtWork ? timeout : 0));
    }),
    { numRuns: runs(100) },
  );
});

test("RUN-8: of a turn that nobody knows, only one that was not begun is tried again, and once", () => {
  fc.assert(
    fc.property(known, trace, (one, sign) => {
      const after = afterCrash(one, sign);
      expect({ ...after, state: one.state, result: one.result }).toEqual(one);
      if (sign.kind === "ended") {
        expect(after).toEqual(ended(one, sign.result));
        return;
      }
      if (sign.kind === "running") {
        expect(after.state).toBe("running");
        return;
      }
      const isAgain = sign.kind === "not_begun" && one.tries < 2;
      expect(after).toEqual(isAgain ? { ...one, state: "queued" } : failedRun(one, "run_lost"));
    }),
    { numRuns: runs(300) },
  );
});

test("RUN-2, RUN-8, RUN-9: no two beginnings of a flow have one key, and the first one's is the flow's id", () => {
  const beginnings = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 2 })), {
    selector: String,
    minLength: 2,
  });
  fc.assert(
    fc.property(known, beginnings, (one, pairs) => {
      const keys = pairs.map(([turn, tries]) => runIdOf({ ...one, turn, tries }));
      expect(new Set(keys).size).toBe(pairs.length);
      expect(keys.every((key) => key.startsWith(one.flowId))).toBe(true);
      expect(runIdOf(begun({ ...one, turn: 1, tries: 0 }, "this", 5))).toBe(one.flowId);
    }),
    { numRuns: runs(100) },
  );
});

test("RUN-2: a beginning is written with its process, its time and its number, and is an orphan of any other process", () => {
  fc.assert(
    fc.property(known, fc.nat(), (one, now) => {
      const is = begun(one, "this", now);
      expect(is).toEqual({ ...one, state: "starting", tries: one.tries + 1, boot: "this", at: now });
      expect([isOrphan(is, "this"), isOrphan(is, "other"), isOrphan({ ...is, state: "ending" }, "other")]).toEqual([
        false,
        true,
        false,
      ]);
    }),
    { numRuns: runs(100) },
  );
});

test("RUN-9: after a wait the next turn has its own number; a flow that was made waiting has its first one", () => {
  fc.assert(
    fc.property(known, (one) => {
      const next = nextTurn(waiting(one));
      expect(next).toMatchObject({ seq: one.seq, state: "queued", tries: 0, boot: undefined, result: undefined });
      expect(next.turn).toBe(one.tries === 0 ? one.turn : one.turn + 1);
    }),
    { numRuns: runs(100) },
  );
});

test("RUN-6, RUN-7: a session's name is the configuration's or has the flow's id alone", () => {
  const routeWith = (run: object) =>
    load({ routes: { r: { sessionKey: "agent:Reviews:hook", secret: ROUTE_A.secret, run } } })
      .routes.values()
      .next().value ?? expect.fail("no route");
  const child = routeWith({ message: "{{flow.goal}}" });
  const named = routeWith({ message: "{{flow.goal}}", session: "agent:main:reviews" });
  fc.assert(
    fc.property(fc.uuid(), (flowId) => {
      expect(runSession(child.run, "agent:reviews:hook", flowId)).toBe(`agent:reviews:subagent:webhooks-${flowId}`);
      expect(runSession(named.run, "agent:reviews:hook", flowId)).toBe("agent:main:reviews");
    }),
    { numRuns: runs(20) },
  );
});

test("RUN-3: what a flow is told is an action that a caller could have asked for", () => {
  fc.assert(
    fc.property(known, flow, result, (one, its, end) => {
      const ending = endingOf(ended(one, end), its);
      if (ending.kind === "tell") expect(parseAction(ending.action).isOk()).toBe(true);
    }),
    { numRuns: runs(100) },
  );
});
