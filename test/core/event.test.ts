// Which changes are events, what is said of them, and what an answer to a callback means.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  callbackRequest,
  type CommandIds,
  decide,
  decideSweep,
  eventOf,
  eventsOf,
  eventWrites,
  EVENT_KINDS,
  EVENT_MS,
  fateOf,
  type FlowAction,
  type FlowRecord,
  hmacSha256,
  isDueAt,
  isEnded,
  isoTime,
  type JsonValue,
  loadConfig,
  MAX_WAIT_MS,
  originOf,
  readSignature,
  sha256,
  standingOf,
  subscriptionsOf,
  tellableFlow,
  verifySignature,
  viewFlow,
  type Write,
} from "../../core/index.ts";
import { SECRET } from "../support/callbacks.ts";
import { runs } from "../support/runs.ts";

const NOW = 1_700_000_000_000;
const OWNER = "agent:main:owner";
const IDS: CommandIds = { owner: OWNER, fresh: "f" };

const all = new Set(EVENT_KINDS);
const SUBSCRIBED = new Map([[OWNER, [{ routeId: "r", name: "r", on: all }]]]);

const actions: fc.Arbitrary<(flow: FlowRecord | undefined) => FlowAction> = fc.oneof(
  fc
    .constantFrom("queued", "running", "waiting", "blocked")
    .map((status) => (): FlowAction => ({ action: "create_flow", goal: "g", controllerId: "c", status }) as FlowAction),
  fc.constantFrom("set_waiting", "resume_flow", "finish_flow", "fail_flow", "request_cancel").map(
    (action) =>
      (flow: FlowRecord | undefined): FlowAction =>
        ({ action, flowId: "f", expectedRevision: flow?.revision ?? 0 }) as FlowAction,
  ),
  fc.constant(
    (flow: FlowRecord | undefined): FlowAction =>
      ({
        action: "set_waiting",
        flowId: "f",
        expectedRevision: flow?.revision ?? 0,
        blockedSummary: "b",
      }) as FlowAction,
  ),
  fc.constant((): FlowAction => ({ action: "cancel_flow", flowId: "f" }) as FlowAction),
);

const told = (flow: FlowRecord | undefined): string =>
  flow === undefined ? "nothing" : isEnded(flow) ? `ended ${flow.status}` : flow.status;

const flowIn = (writes: readonly Write[]): FlowRecord | undefined =>
  writes.flatMap((write) => ("flow" in write ? [write.flow] : [])).at(-1);

test("NOTIFY-1: a write is told exactly when the flow then has ended, waits or is blocked, and was not so before", () => {
  fc.assert(
    fc.property(fc.array(actions, { minLength: 1, maxLength: 8 }), (all_) => {
      let flow: FlowRecord | undefined;
      for (const of of all_) {
        const stored = { flows: flow === undefined ? [] : [flow], tasks: [] };
        const { writes } = decide(of(flow), stored, IDS, NOW);
        const after = flowIn(writes) ?? flow;
        const events = eventWrites(writes, stored, OWNER, SUBSCRIBED, NOW);
        const isTold = told(after) !== told(flow) && !["nothing", "queued", "running"].includes(told(after));
        expect(events.length).toBe(isTold ? 1 : 0);
        flow = after;
      }
    }),
    { numRuns: runs(300) },
  );
});

const recordOf = (status: FlowRecord["status"], endedAt?: number): FlowRecord => ({
  flowId: "f",
  syncMode: "managed",
  controllerId: "c",
  revision: 3,
  status,
  notifyPolicy: "done_only",
  goal: "g",
  createdAt: NOW,
  updatedAt: NOW,
  endedAt,
});

test("NOTIFY-1: each ended status is told, blocked with an end as ended, and another end of an ended flow", () => {
  const ended = ["succeeded", "failed", "cancelled", "lost"] as const;
  for (const status of ended) {
    expect(eventOf(undefined, recordOf(status, NOW))).toBe("ended");
    expect(eventOf(standingOf(recordOf("running")), recordOf(status, NOW))).toBe("ended");
    expect(eventOf(standingOf(recordOf(status, NOW)), recordOf(status, NOW + 1))).toBeUndefined();
  }
  expect(eventOf(standingOf(recordOf("blocked")), recordOf("blocked", NOW))).toBe("ended");
  expect(eventOf(standingOf(recordOf("blocked", NOW)), recordOf("blocked"))).toBe("blocked");
  expect(eventOf(standingOf(recordOf("waiting")), recordOf("waiting"))).toBeUndefined();
  expect(eventOf(standingOf(recordOf("failed", NOW)), recordOf("succeeded", NOW))).toBe("ended");
  expect(eventOf(standingOf(recordOf("waiting")), recordOf("running"))).toBeUndefined();
  expect(eventOf(undefined, recordOf("queued"))).toBeUndefined();
});

const json = fc.jsonValue().map((value) => value as JsonValue);

test("NOTIFY-2: an event holds the name of the route, the kind, the time and the view, and nothing else of the record", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.option(json, { nil: undefined }),
      fc.constantFrom(...EVENT_KINDS),
      (goal, stateJson, kind) => {
        const status = kind === "ended" ? "succeeded" : kind;
        const record = { ...recordOf(status, kind === "ended" ? NOW : undefined), goal, stateJson, ownerKey: OWNER };
        const [event] = eventsOf(undefined, record, [{ routeId: "id", name: "name", on: new Set([kind]) }], NOW + 5);
        const shown = viewFlow(record)._unsafeUnwrap().json;
        expect(JSON.parse(event?.body ?? "")).toEqual(
          JSON.parse(
            JSON.stringify({ type: `flow.${kind}`, timestamp: isoTime(NOW), data: { routeId: "name", flow: shown } }),
          ),
        );
        expect([event?.routeId, event?.at]).toEqual(["id", NOW + 5]);
        const others = new Set(EVENT_KINDS.filter((one) => one !== kind));
        expect(eventsOf(undefined, record, [{ routeId: "id", name: "name", on: others }], NOW)).toEqual([]);
      },
    ),
    { numRuns: runs(200) },
  );
});

test("NOTIFY-3: the id is the same for each observer, another for each route, flow, revision and kind, and the owner is not in it", () => {
  const idOf = (routeId: string, flow: FlowRecord): string | undefined =>
    eventsOf(undefined, flow, [{ routeId, name: "n", on: all }], NOW)[0]?.eventId;
  const flow = recordOf("waiting");
  const ids = [
    idOf("r", flow),
    idOf("q", flow),
    idOf("r", { ...flow, flowId: "g" }),
    idOf("r", { ...flow, revision: 4 }),
    idOf("r", { ...flow, status: "blocked" }),
  ];
  expect(new Set(ids).size).toBe(5);
  expect(idOf("r", { ...flow, goal: "another", updatedAt: NOW + 9 })).toBe(ids[0]);
  for (const id of ids) expect(id).toMatch(/^evt_[0-9a-f]{32}$/u);
});

const routes = (given: Readonly<Record<string, { sessionKey: string; on?: readonly string[]; notified?: boolean }>>) =>
  loadConfig(
    {
      routes: Object.fromEntries(
        Object.entries(given).map(([id, { sessionKey, on, notified = true }]) => [
          id,
          {
            sessionKey,
            secret: `secret of the route ${id}`,
            ...(notified ? { notify: { url: "https://hook.test/x", secret: SECRET, ...(on && { on }) } } : {}),
          },
        ]),
      ),
    },
    sha256,
  ).routes;

test("NOTIFY-2: each route with notify gets its own session's events, and a route id that holds the session is not told", () => {
  const subscriptions = subscriptionsOf(
    routes({
      one: { sessionKey: "s" },
      two: { sessionKey: "s", on: ["waiting"] },
      quiet: { sessionKey: "s", notified: false },
      "agent:main:other": { sessionKey: "agent:main:other" },
    }),
  );
  expect([...subscriptions].map(([owner, wanted]) => [owner, wanted.map(({ name }) => name)])).toEqual([
    ["s", ["one", "two"]],
    ["agent:main:other", ["[hidden]"]],
  ]);
  expect(subscriptions.get("s")?.map(({ on }) => [...on])).toEqual([["ended", "waiting", "blocked"], ["waiting"]]);
});

test("NOTIFY-1: a sweep's events are of the owner that the store names for each flow", () => {
  const due = (flowId: string): FlowRecord => ({ ...recordOf("running"), flowId, cancelRequestedAt: NOW });
  const stored = { flows: [due("x"), due("y")], tasks: [], owners: ["nobody", OWNER] };
  const events = eventWrites(decideSweep(stored, NOW), stored, "", SUBSCRIBED, NOW);
  expect(events.map((write) => write.kind === "put_event" && JSON.parse(write.event.body).data.flow.flowId)).toEqual([
    "y",
  ]);
});

test("NOTIFY-1: what is no change of a flow, and a flow that stays open, is not told", () => {
  const flow = recordOf("succeeded", NOW);
  const stored = { flows: [flow], tasks: [] };
  const others: readonly Write[] = [
    { kind: "remove_flow", flowId: "f" },
    { kind: "bind_key", routeId: "r", owner: OWNER, key: "k", flowId: "f" },
  ];
  expect(eventWrites(others, stored, OWNER, SUBSCRIBED, NOW)).toEqual([]);
  const any = new Set([...EVENT_KINDS, undefined, "undefined"]) as ReadonlySet<(typeof EVENT_KINDS)[number]>;
  expect(eventsOf(undefined, recordOf("running"), [{ routeId: "r", name: "r", on: any }], NOW)).toEqual([]);
  expect(standingOf(recordOf("running"))).toBe("open running");
});

test("NOTIFY-1, TOTAL-1: of a host's record decides what has an id, a revision, a status and its times, and nothing else", () => {
  const flow = { ...recordOf("waiting"), more: [1] };
  expect(tellableFlow(flow)).toEqual(flow);
  expect(tellableFlow({ ...flow, endedAt: NOW, flowId: "a long id" })).toBeDefined();
  for (const wrong of [
    { flowId: "" },
    { flowId: 5 },
    { revision: "1" },
    { status: "paused" },
    { endedAt: "x" },
    { updatedAt: null },
  ])
    expect(tellableFlow({ ...flow, ...wrong }), JSON.stringify(wrong)).toBeUndefined();
  for (const record of [undefined, null, 5, "flow", []]) expect(tellableFlow(record)).toBeUndefined();
  const trap = {
    get flowId(): string {
      throw new Error("a host's getter");
    },
  };
  expect(tellableFlow(trap)).toBeUndefined();
});

test("NOTIFY-6: a try is due at its time, and one that is set later than any wait lasts was set by a wrong clock", () => {
  const longest = MAX_WAIT_MS * 1.1;
  for (const [ahead, isDue] of [
    [-1, true],
    [0, true],
    [1, false],
    [longest, false],
    [longest + 1, true],
  ] as const)
    expect(isDueAt(NOW + ahead, NOW), String(ahead)).toBe(isDue);
});

test("NOTIFY-4: a try has the body's bytes, signed as Standard Webhooks for its id and its time", () => {
  const [route] = routes({ one: { sessionKey: "s" } }).values();
  const notify = route?.notify;
  if (notify === undefined) throw new Error("it tells");
  const body = '{"type":"flow.ended","data":"\u00e9"}';
  const { headers, bytes } = callbackRequest({ eventId: "evt_1", body }, notify, NOW, hmacSha256);
  expect(new TextDecoder().decode(bytes)).toBe(body);
  const { "content-type": type, "user-agent": agent, ...signature } = headers;
  expect([type, agent]).toEqual(["application/json", "openclaw-webhooks"]);
  expect(Object.keys(signature)).toEqual(["webhook-id", "webhook-timestamp", "webhook-signature"]);
  const claim = readSignature("standard", (name) => headers[name], NOW)._unsafeUnwrap();
  expect(claim.id).toBe("evt_1");
  expect(verifySignature(claim, [notify.key], bytes, hmacSha256)).toBe(0);
});

test("NOTIFY-9: what is shown of an address is its origin, and of what is no address nothing", () => {
  expect(originOf({ url: "https://hook.test:8443/path?query" })).toBe("https://hook.test:8443");
  for (const url of ["", "hook.test/path", " https://hook.test", "1https://hook.test"])
    expect(originOf({ url })).toBe("");
});

test("NOTIFY-2: a time is written as the platform writes it", () => {
  const last = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: last }), (time) => {
      expect(isoTime(time)).toBe(new Date(time).toISOString());
    }),
    { numRuns: runs(1000), examples: [[0], [last], [Date.UTC(2000, 1, 29)], [Date.UTC(2100, 1, 28, 23, 59)]] },
  );
  expect([-5, Number.NaN, Infinity, -Infinity, 1.9].map(isoTime)).toEqual(
    [0, 0, last, 0, 1].map((time) => new Date(time).toISOString()),
  );
});

const tried = fc.record({
  tries: fc.integer({ min: 1, max: 60 }),
  at: fc.constant(NOW),
  hasMoved: fc.boolean(),
});
const chance = fc.double({ min: 0, max: 1, noNaN: true });

test("NOTIFY-6: a wait doubles from 5 seconds to a day, is moved by a tenth at most, and no shorter than asked up to a day", () => {
  fc.assert(
    fc.property(tried, chance, fc.option(fc.nat({ max: 2 * MAX_WAIT_MS }), { nil: undefined }), (of, luck, asked) => {
      const fate = fateOf({ status: 503, retryAfterMs: asked }, of, NOW, luck);
      if (fate.kind !== "later") throw new Error(fate.kind);
      const plain = Math.min(5000 * 2 ** (of.tries - 1), MAX_WAIT_MS);
      expect(fate.waitMs).toBeGreaterThanOrEqual(Math.max(Math.floor(plain * 0.9), Math.min(asked ?? 0, MAX_WAIT_MS)));
      expect(fate.waitMs).toBeLessThanOrEqual(Math.max(Math.ceil(plain * 1.1), Math.min(asked ?? 0, MAX_WAIT_MS)));
    }),
    { numRuns: runs(300) },
  );
});

test("NOTIFY-6: only 2xx takes, only 410 of the present address ends; all else comes again until the next try would be 7 days after the event", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 599 }),
      tried,
      fc.integer({ min: 0, max: 2 * EVENT_MS }),
      (code, of, age) => {
        const fate = fateOf({ status: code, retryAfterMs: undefined }, of, NOW + age, 0.5);
        const waitMs = Math.min(5000 * 2 ** (of.tries - 1), MAX_WAIT_MS);
        const failed = age + waitMs >= EVENT_MS ? { kind: "given_up" } : { kind: "later", waitMs };
        const isGone = code === 410 && !of.hasMoved;
        expect(fate).toEqual(code >= 200 && code < 300 ? { kind: "taken" } : isGone ? { kind: "gone" } : failed);
      },
    ),
    {
      numRuns: runs(500),
      examples: [
        [200, { tries: 1, at: NOW, hasMoved: false }, 0],
        [299, { tries: 1, at: NOW, hasMoved: false }, 0],
        [300, { tries: 1, at: NOW, hasMoved: false }, 0],
        [410, { tries: 1, at: NOW, hasMoved: false }, EVENT_MS],
        [410, { tries: 1, at: NOW, hasMoved: true }, 0],
        [503, { tries: 1, at: NOW, hasMoved: false }, EVENT_MS - 5000],
        [503, { tries: 1, at: NOW, hasMoved: false }, EVENT_MS - 5001],
      ],
    },
  );
  expect(fateOf(undefined, { tries: 1, at: NOW, hasMoved: false }, NOW, 0.5)).toEqual({ kind: "later", waitMs: 5000 });
});
