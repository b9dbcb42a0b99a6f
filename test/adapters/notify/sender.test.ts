// Callbacks from real stores to real receivers, with a clock that the test moves.

import { ok } from "neverthrow";
import { afterEach, describe, expect, test, vi } from "vitest";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import type { EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import type { FlowEvents } from "../../../adapters/flows/outbox.ts";
import { openSqliteFlows } from "../../../adapters/flows/sqlite/index.ts";
import type { Routes } from "../../../core/index.ts";
import {
  act,
  Clock,
  endOne,
  isEmpty,
  OTHER_SECRET,
  routesOf,
  SECRET,
  send,
  type Sending,
  SESSION,
  START,
  untilOutbox,
} from "../../support/callbacks.ts";
import { Receiver, status, verify } from "../../support/receiver.ts";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

const receiver = async (): Promise<Receiver> => {
  const one = await new Receiver().start();
  ends.push(() => one.close());
  return one;
};

const STORES: readonly (readonly [string, (clock: Clock) => EmbeddedFlows])[] = [
  ["memory", ({ now }) => memoryFlows({ now })],
  [
    "SQLite",
    ({ now }) => {
      const flows = openSqliteFlows(":memory:", { now })._unsafeUnwrap();
      ends.push(() => flows.close());
      return flows;
    },
  ],
];

describe.each(STORES)("%s", (_, open) => {
  const begin = (routes: Routes, timeoutMs?: number) => {
    const clock = new Clock();
    const flows = open(clock);
    const start = (): Sending => {
      const sending = send(flows.events, routes, clock, timeoutMs === undefined ? {} : { timeoutMs });
      ends.push(() => sending.callbacks.stop());
      return sending;
    };
    return { clock, flows, sending: start(), start };
  };

  test("NOTIFY-1, NOTIFY-2, NOTIFY-4: a signed event with the view of get_flow is sent, once, and then it is gone", async () => {
    const hook = await receiver();
    const { flows } = begin(routesOf({ a: { url: `${hook.origin}/hook?x=1` } }));
    const flowId = await endOne(flows);
    await hook.has(1);
    await untilOutbox(flows.events, isEmpty);
    const [got] = hook.got;
    if (got === undefined) throw new Error("nothing was sent");
    const flow = await act(flows, { action: "get_flow", flowId });
    expect(verify(SECRET, got)).toEqual({
      type: "flow.ended",
      timestamp: new Date(START).toISOString(),
      data: { routeId: "a", flow: { ...flow, status: "succeeded" } },
    });
    expect(() => verify(OTHER_SECRET, got)).toThrow(/signature/u);
    expect(got.path).toBe("/hook?x=1");
    expect(got.headers["content-type"]).toBe("application/json");
    expect(got.id).toMatch(/^evt_[0-9a-f]{32}$/u);
    expect(got.body).not.toContain(SESSION);
    expect(hook.ids).toHaveLength(1);
  });

  test("NOTIFY-2: each route gets the events of its own session that it asks for", async () => {
    const [all, waiting, other] = [await receiver(), await receiver(), await receiver()];
    const { flows } = begin(
      routesOf({
        all: { url: all.origin },
        waiting: { url: waiting.origin, on: ["waiting"] },
        other: { url: other.origin, sessionKey: "agent:main:other" },
      }),
    );
    const { flowId } = await act(flows, { action: "create_flow", goal: "g", controllerId: "c", status: "waiting" });
    await act(flows, { action: "set_waiting", flowId, expectedRevision: 0, blockedSummary: "no key" });
    await act(flows, { action: "resume_flow", flowId, expectedRevision: 1 });
    await act(flows, { action: "cancel_flow", flowId });
    await endOne(flows, "agent:main:third");
    await all.has(3);
    await waiting.has(1);
    await untilOutbox(flows.events, isEmpty);
    const kinds = (one: Receiver): readonly unknown[] =>
      one.got.map(({ body }) => (JSON.parse(body) as { type: unknown }).type).toSorted();
    expect([kinds(all), kinds(waiting), kinds(other)]).toEqual([
      ["flow.blocked", "flow.ended", "flow.waiting"],
      ["flow.waiting"],
      [],
    ]);
  });

  test("NOTIFY-1: what a sweep ends is told to the session that it belongs to", async () => {
    const [one, other] = [await receiver(), await receiver()];
    const { flows } = begin(
      routesOf({ one: { url: one.origin }, other: { url: other.origin, sessionKey: "agent:main:other" } }),
    );
    for (const owner of [SESSION, "agent:main:other", "agent:main:third"]) {
      const { flowId } = await act(flows, { action: "create_flow", goal: owner, controllerId: "c" }, owner);
      await act(flows, { action: "request_cancel", flowId, expectedRevision: 0 }, owner);
    }
    expect(one.got).toEqual([]);
    expect((await flows.sweep())._unsafeUnwrap()).toBe(3);
    await one.has(1);
    await other.has(1);
    await untilOutbox(flows.events, isEmpty);
    const goals = [one, other].map(({ got }) =>
      got.map(({ body }) => (JSON.parse(body) as { data: { flow: { goal: unknown } } }).data.flow.goal),
    );
    expect(goals).toEqual([[SESSION], ["agent:main:other"]]);
  });

  test("NOTIFY-3, NOTIFY-6: a failed try is repeated under the same id, after 5, 10, 20 seconds and not before", async () => {
    const hook = await receiver();
    hook.answering = status(500);
    const { flows, clock, sending } = begin(routesOf({ a: { url: hook.origin } }));
    await endOne(flows);
    for (const [tries, waitMs] of [5000, 10_000, 20_000].entries()) {
      await hook.has(tries + 1);
      const due = clock.time + waitMs;
      await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === due);
      clock.time = due - 1;
      sending.callbacks.wake();
      await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === due);
      expect(hook.got).toHaveLength(tries + 1);
      clock.time = due;
      if (tries === 2) hook.answering = status(204);
      sending.callbacks.wake();
    }
    await hook.has(4);
    await untilOutbox(flows.events, isEmpty);
    expect(new Set(hook.ids).size).toBe(1);
    expect(sending.lines).toEqual([
      `warn route a: a callback to ${hook.origin} failed (status 500); the next try is in 5 seconds; more of these are not shown for a minute`,
      `info route a: ${hook.origin} takes callbacks again`,
    ]);
  });

  test.each([
    ["120", 120_000],
    ["3", 5000],
    ["172800", 86_400_000],
    ["99999999999999999999", 5000],
    [
      new Date(Math.ceil(START / 1000) * 1000 + 600_000).toUTCString(),
      Math.ceil(START / 1000) * 1000 + 600_000 - START,
    ],
    ["Thu, 01 Jan 1970 00:00:00 GMT", 5000],
    ["soon", 5000],
  ])("NOTIFY-6: Retry-After %s counts when it asks for longer, up to a day", async (field, waitMs) => {
    const hook = await receiver();
    hook.answering = status(429, { "retry-after": field });
    const { flows } = begin(routesOf({ a: { url: hook.origin } }));
    await endOne(flows);
    await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === START + waitMs);
    expect(hook.got).toHaveLength(1);
  });

  test("NOTIFY-6: after 410 the address gets nothing more, also after a restart, until it or the secret is another", async () => {
    const hook = await receiver();
    hook.answering = status(410);
    const at = (path: string, secret = SECRET): Routes => routesOf({ a: { url: `${hook.origin}${path}`, secret } });
    const { flows, sending, start } = begin(at("/one"));
    await endOne(flows);
    await untilOutbox(flows.events, (waiting) => isEmpty(waiting) && hook.got.length === 1);
    await sending.callbacks.stop();
    const again = start();
    await endOne(flows);
    await untilOutbox(flows.events, isEmpty);
    expect(again.callbacks.problems()).toEqual([
      `route a sends no callbacks to ${hook.origin}, which answered 410: set another notify.url or notify.secret.`,
    ]);
    hook.answering = status(200);
    again.routes = at("/one", OTHER_SECRET);
    await endOne(flows);
    await hook.has(2);
    await untilOutbox(flows.events, isEmpty);
    expect(hook.got.map(({ path }) => path)).toEqual(["/one", "/one"]);
    again.callbacks.wake();
    await again.callbacks.stop();
    expect(again.callbacks.problems()).toEqual([]);
  });

  test("NOTIFY-3, NOTIFY-6: a 410 of the address that a route has left takes no event away from the next one", async () => {
    const hook = await receiver();
    const at = (path: string): Routes => routesOf({ a: { url: `${hook.origin}${path}` } });
    const { clock, flows, sending } = begin(at("/one"));
    hook.answering = (...asked) => {
      sending.routes = at("/two");
      hook.answering = status(200);
      status(410)(...asked);
    };
    await endOne(flows);
    await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === START + 5000);
    clock.time += 5000;
    sending.callbacks.wake();
    await hook.has(2);
    await untilOutbox(flows.events, isEmpty);
    expect(hook.got.map(({ path }) => path)).toEqual(["/one", "/two"]);
    expect(new Set(hook.ids).size).toBe(1);
  });

  test("NOTIFY-5: a redirect is not followed", async () => {
    const [hook, target] = [await receiver(), await receiver()];
    for (const code of [301, 302, 303, 307, 308]) {
      hook.answering = status(code, { location: `${target.origin}/elsewhere` });
      const { flows, sending } = begin(routesOf({ a: { url: hook.origin } }));
      await endOne(flows);
      await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === START + 5000);
      await sending.callbacks.stop();
    }
    expect([hook.got.length, target.got.length]).toEqual([5, 0]);
  });

  test("NOTIFY-3, NOTIFY-9: nobody listens: the event waits, the log shows only the origin; then it arrives", async () => {
    const gone = await receiver();
    const { origin } = gone;
    await gone.close();
    const { flows, clock, sending } = begin(routesOf({ a: { url: `${origin}/path-secret?query-secret` } }));
    await endOne(flows);
    await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === START + 5000);
    expect(sending.lines.join("\n")).toMatch(new RegExp(`a callback to ${origin} failed \\(ECONNREFUSED\\)`, "u"));
    clock.time += 600_001;
    sending.callbacks.wake();
    await untilOutbox(flows.events, () => sending.callbacks.problems().length === 1);
    expect(sending.callbacks.problems()[0]).toBe(
      `route a has callbacks that ${origin} has not taken, the oldest of ${new Date(START).toISOString().slice(0, 19)}Z: see to that receiver.`,
    );
    await untilOutbox(flows.events, (waiting) => (waiting.get("a")?.nextAt ?? 0) === clock.time + 10_000);
    const back = await new Receiver().start(Number(new URL(origin).port));
    ends.push(() => back.close());
    clock.time += 10_000;
    sending.callbacks.wake();
    await back.has(1);
    await untilOutbox(flows.events, () => sending.callbacks.problems().length === 0);
    expect(sending.lines.join("\n")).not.toMatch(/path-secret|query-secret/u);
    expect(sending.lines.filter((line) => line.startsWith("info "))).toEqual([
      `info route a: ${origin} takes callbacks again`,
      expect.stringContaining("info solved: route a has callbacks"),
    ]);
  });

  test("NOTIFY-8: receivers that hang keep no other route waiting, and a stop ends their tries at once", async () => {
    const [dead, alive] = [await receiver(), await receiver()];
    dead.answering = () => undefined;
    const hanging = Array.from({ length: 20 }, (_unused, number) => [`dead${String(number)}`, { url: dead.origin }]);
    const { flows, sending } = begin(
      routesOf({ ...Object.fromEntries(hanging), alive: { url: alive.origin, sessionKey: "agent:main:other" } }),
      600_000,
    );
    await endOne(flows, "agent:main:other");
    await alive.has(1);
    await endOne(flows);
    await dead.has(8);
    for (let number = 2; number <= 100; number += 1) await endOne(flows, "agent:main:other");
    await alive.has(100);
    await untilOutbox(flows.events, (waiting) => !waiting.has("alive"));
    expect(dead.got).toHaveLength(8);
    await sending.callbacks.stop();
    const state = (await flows.events?.look())?._unsafeUnwrap();
    expect(state?.routes.size).toBe(20);
  });

  test("NOTIFY-8: an answer that comes too late is a failure, one without an end is not read", async () => {
    const [slow, endless] = [await receiver(), await receiver()];
    slow.answering = () => undefined;
    endless.answering = (response) => {
      response.writeHead(200);
      const more = (): void => void response.write("x".repeat(65_536), () => !response.destroyed && more());
      more();
    };
    const { flows, sending } = begin(routesOf({ slow: { url: slow.origin }, endless: { url: endless.origin } }), 150);
    await endOne(flows);
    await untilOutbox(
      flows.events,
      (waiting) => !waiting.has("endless") && waiting.get("slow")?.nextAt === START + 5000,
    );
    expect(sending.lines).toEqual([
      expect.stringContaining("failed (no answer in time); the next try is in 5 seconds"),
    ]);
  });

  test("NOTIFY-6: an event is given up 7 days after it happened", async () => {
    const hook = await receiver();
    hook.answering = status(503);
    const { flows, clock, sending } = begin(routesOf({ a: { url: hook.origin } }));
    await endOne(flows);
    for (;;) {
      const tried = hook.got.length + (hook.got.length === 0 ? 1 : 0);
      await hook.has(tried);
      await untilOutbox(
        flows.events,
        (waiting) => isEmpty(waiting) || Math.abs((waiting.get("a")?.nextAt ?? 0) - clock.time) !== 30_000,
      );
      const next = (await flows.events?.look())?._unsafeUnwrap().routes.get("a")?.nextAt;
      if (next === undefined) break;
      clock.time = next;
      sending.callbacks.wake();
      await hook.has(tried + 1);
    }
    expect(hook.got.length).toBeGreaterThan(15);
    expect(clock.time - START).toBeGreaterThan(5 * 86_400_000);
    expect(clock.time - START).toBeLessThan(7 * 86_400_000);
    // the next look, which may have come by now, says that what was wrong is over
    const ofTries = sending.lines.filter((line) => !line.startsWith("info solved: "));
    expect(ofTries.at(-1)).toContain("failed (status 503); it is given up, because it is 7 days old");
  });

  test("NOTIFY-3: of two senders on one store one sends; when it dies the other one does, under the same id", async () => {
    const hook = await receiver();
    const routes = routesOf({ a: { url: hook.origin } });
    const { flows, clock, sending, start } = begin(routes, 600_000);
    const second = start();
    hook.answering = () => undefined;
    await endOne(flows);
    await hook.has(1);
    sending.callbacks.wake();
    second.callbacks.wake();
    clock.time += 29_000;
    await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === START + 30_000);
    expect(hook.got).toHaveLength(1);
    hook.answering = status(200);
    clock.time += 1000;
    second.callbacks.wake();
    sending.callbacks.wake();
    await hook.has(2);
    await untilOutbox(flows.events, isEmpty);
    expect(new Set(hook.ids).size).toBe(1);
  });

  test("NOTIFY-7: the events of a route that lost its callbacks wait for them, at most 7 days", async () => {
    const hook = await receiver();
    const { flows, clock, sending } = begin(routesOf({ a: { url: hook.origin } }));
    hook.answering = status(500);
    await endOne(flows);
    await untilOutbox(flows.events, (waiting) => waiting.get("a")?.nextAt === START + 5000);
    sending.routes = routesOf({ b: { url: hook.origin, sessionKey: "agent:main:b" } });
    clock.time += 6 * 86_400_000;
    sending.callbacks.wake();
    await endOne(flows);
    await untilOutbox(flows.events, (waiting) => waiting.size === 1);
    clock.time += 86_400_000;
    sending.callbacks.wake();
    await untilOutbox(flows.events, isEmpty);
    expect(hook.got).toHaveLength(1);
  });
});

/** What a store of one's own may answer by mistake. */
const MISTAKES: readonly (readonly [string, Partial<Record<keyof FlowEvents, () => unknown>>])[] = [
  ["looks at nothing", { look: () => ok({}) }],
  ["looks, and throws", { look: () => expect.fail("gone") }],
  ["claims what is no list", { claim: () => ok(7) }],
  ["claims what is no event", { claim: () => ok([null, { eventId: 7 }]) }],
  ["cannot say what gave way", { takeDropped: () => expect.fail("gone") }],
  ["says that nothing gave way", { takeDropped: () => undefined }],
];

test.each(MISTAKES)("NOTIFY-8: a store that %s ends no process, and is asked again", async (_, mistake) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  ends.push(() => void vi.useRealTimers());
  const unhandled = vi.fn<() => void>();
  process.on("unhandledRejection", unhandled);
  ends.push(() => void process.off("unhandledRejection", unhandled));
  const hook = await receiver();
  const clock = new Clock();
  const flows = memoryFlows({ now: clock.now });
  // boundary: what answers by mistake is not what its type says.
  const events = { ...flows.events, ...mistake } as FlowEvents;
  const sending = send(events, routesOf({ a: { url: hook.origin } }), clock);
  ends.push(() => sending.callbacks.stop());
  await endOne(flows);
  await vi.advanceTimersByTimeAsync(4000);
  expect([unhandled.mock.calls, hook.got]).toEqual([[], []]);
  expect(sending.lines).toEqual([expect.stringMatching(/^warn the outbox of callbacks failed/u)]);
  Object.assign(events, flows.events);
  await vi.advanceTimersByTimeAsync(60_000);
  await hook.has(1);
});
