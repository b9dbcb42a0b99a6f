// The outboxes of the two stores: the same answers to the same calls, and their bounds.

import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryEngine } from "../../../adapters/flows/memory/store.ts";
import type { FlowEngine } from "../../../adapters/flows/engine.ts";
import type { Outbox, Settlement } from "../../../adapters/flows/outbox.ts";
import { SqliteEngine } from "../../../adapters/flows/sqlite/engine.ts";
import { migrate } from "../../../adapters/flows/sqlite/schema.ts";
import { type CallbackEvent, MAX_EVENTS, type Needs, type Write } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const WRITES: Needs = { load: [], tasks: false, writes: true, freshId: false, saved: undefined };

type Kept = { readonly engine: FlowEngine; readonly outbox: Outbox; readonly close: () => void };

const sqlite = (): Kept => {
  const database = new DatabaseSync(":memory:");
  migrate(database);
  const engine = new SqliteEngine(database);
  return { engine, outbox: engine.outbox, close: () => engine.close() };
};

const memory = (): Kept => {
  const engine = new MemoryEngine();
  return { engine, outbox: engine.outbox, close: () => undefined };
};

const put = async ({ engine }: Kept, events: readonly CallbackEvent[]): Promise<void> => {
  const writes = events.map((event): Write => ({ kind: "put_event", event }));
  (await engine.transact(WRITES, () => ({ writes })))._unsafeUnwrap();
};

const HOUR = 3_600_000;
const route = fc.constantFrom("a", "b");
const eventId = fc.constantFrom("e1", "e2", "e3");
const settlement: fc.Arbitrary<Settlement> = fc.oneof(
  fc.constant({ kind: "remove" } as const),
  fc.record({ kind: fc.constant("later" as const), dueAt: fc.integer({ min: 0, max: 48 }).map((at) => at * HOUR) }),
  fc.record({ kind: fc.constant("gone" as const), address: fc.constantFrom("x", "y") }),
);

type Call = (kept: Kept, now: number) => Promise<unknown>;

const unwrapped = async (said: ReturnType<Outbox[keyof Outbox & ("claim" | "settle" | "look" | "tidy")]>) =>
  (await said)._unsafeUnwrap();

const call: fc.Arbitrary<Call> = fc.oneof(
  fc.tuple(route, eventId).map(
    ([routeId, id]): Call =>
      (kept, now) =>
        put(kept, [{ routeId, eventId: id, body: `{"at":${String(now)}}`, at: now }]),
  ),
  fc.tuple(route, fc.constantFrom("x", "y"), fc.integer({ min: 1, max: 3 })).map(
    ([routeId, address, limit]): Call =>
      ({ outbox }, now) =>
        unwrapped(outbox.claim({ routeId, address }, limit, now)),
  ),
  fc.tuple(route, eventId, settlement).map(
    ([routeId, id, settled]): Call =>
      ({ outbox }) =>
        unwrapped(outbox.settle({ routeId, eventId: id }, settled)),
  ),
  fc.constant<Call>(({ outbox }) => unwrapped(outbox.look())),
  fc.tuple(route, fc.integer({ min: 0, max: 48 })).map(
    ([routeId, before]): Call =>
      ({ outbox }) =>
        unwrapped(outbox.tidy(routeId, before * HOUR)),
  ),
);

test("NOTIFY-3, NOTIFY-6: memory and SQLite keep the same events, whatever is asked in whatever order", async () => {
  const steps = fc.array(fc.tuple(call, fc.integer({ min: -2, max: 30 })), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(steps, async (calls) => {
      const [one, other] = [memory(), sqlite()];
      let now = 24 * HOUR;
      for (const [ask, hours] of calls) {
        now = Math.max(0, now + hours * HOUR);
        expect(await ask(one, now)).toEqual(await ask(other, now));
      }
      expect(await unwrapped(one.outbox.look())).toEqual(await unwrapped(other.outbox.look()));
      other.close();
    }),
    { numRuns: runs(100) },
  );
});

test.each([
  ["memory", memory],
  ["SQLite", sqlite],
])(
  "NOTIFY-3: %s: a claimed event is nobody else's until its lease is over, and stays until it is settled",
  async (_, open) => {
    const kept = open();
    const event: CallbackEvent = { routeId: "a", eventId: "e", body: "{}", at: HOUR };
    await put(kept, [event, { ...event, body: "another of the same name" }]);
    const target = { routeId: "a", address: "x" };
    const claim = (now: number) => unwrapped(kept.outbox.claim(target, 4, now));
    expect(await claim(HOUR)).toEqual([{ ...event, tries: 0 }]);
    expect(await claim(HOUR + 29_999)).toEqual([]);
    expect(await claim(HOUR + 30_000)).toEqual([{ ...event, tries: 0 }]);
    await kept.outbox.settle(event, { kind: "later", dueAt: 2 * HOUR });
    expect(await claim(2 * HOUR - 1)).toEqual([]);
    // a clock that was a month ahead has set it for then
    expect(await claim(-720 * HOUR)).toEqual([{ ...event, tries: 1 }]);
    await kept.outbox.settle(event, { kind: "remove" });
    expect(await claim(9 * HOUR)).toEqual([]);
    kept.close();
  },
);

test.each([
  ["memory", memory, 0],
  ["SQLite", sqlite, 100],
])(
  "NOTIFY-7: %s keeps 10,000 events of a route, the newest, and none of another route gives way",
  async (_, open, late) => {
    const kept = open();
    const event = (routeId: string, number: number): CallbackEvent => ({
      routeId,
      eventId: `e${String(number)}`,
      body: "{}",
      at: number,
    });
    await put(kept, [event("b", 1)]);
    const many = Array.from({ length: MAX_EVENTS + 150 }, (_unused, number) => event("a", number));
    await put(kept, many);
    const { routes } = (await kept.outbox.look())._unsafeUnwrap();
    const oldest = routes.get("a")?.oldestAt ?? 0;
    expect([routes.get("b")?.oldestAt, oldest <= 150, oldest > 150 - late - 1]).toEqual([1, true, true]);
    expect(kept.outbox.takeDropped().get("a")).toBe(oldest);
    expect(kept.outbox.takeDropped().size).toBe(0);
    kept.close();
  },
);
