// Events that wait to be sent, in memory.

import { ok, type Result } from "neverthrow";
import { type CallbackEvent, isDueAt, MAX_EVENTS } from "../../../core/index.ts";
import { type Claimed, LEASE_MS, type Outbox, type OutboxState, type Settlement, type Target } from "../outbox.ts";

type Kept = { readonly event: CallbackEvent; tries: number; dueAt: number };

const done: Result<void, never> = ok();

export class MemoryEvents implements Outbox {
  /** By route and event, in the order in which they were made. */
  readonly #events = new Map<string, Map<string, Kept>>();
  readonly #gone = new Map<string, string>();
  #dropped = new Map<string, number>();

  put(event: CallbackEvent): void {
    const { routeId, eventId, at } = event;
    const events = this.#events.get(routeId) ?? new Map<string, Kept>();
    if (events.has(eventId)) return;
    this.#events.set(routeId, events.set(eventId, { event, tries: 0, dueAt: at }));
    const [oldest = ""] = events.keys();
    //= NOTIFY-7
    if (events.size > MAX_EVENTS && events.delete(oldest))
      this.#dropped.set(routeId, (this.#dropped.get(routeId) ?? 0) + 1);
  }

  claim({ routeId, address }: Target, limit: number, now: number): Result<readonly Claimed[], never> {
    const gone = this.#gone.get(routeId);
    if (gone === address) this.#events.delete(routeId);
    else this.#gone.delete(routeId);
    const due = [...(this.#events.get(routeId)?.values() ?? [])].filter(({ dueAt }) => isDueAt(dueAt, now));
    const first = due.toSorted((a, b) => a.dueAt - b.dueAt).slice(0, limit);
    for (const kept of first) kept.dueAt = now + LEASE_MS;
    return ok(first.map(({ event, tries }) => ({ ...event, tries })));
  }

  settle({ routeId, eventId }: Pick<CallbackEvent, "routeId" | "eventId">, settled: Settlement): Result<void, never> {
    const events = this.#events.get(routeId);
    const kept = events?.get(eventId);
    if (settled.kind === "gone") {
      this.#gone.set(routeId, settled.address);
      this.#events.delete(routeId);
    } else if (settled.kind === "remove") {
      this.#forget(routeId, [eventId]);
    } else if (kept !== undefined) {
      kept.tries += 1;
      kept.dueAt = settled.dueAt;
    }
    return done;
  }

  look(): Result<OutboxState, never> {
    const states = [...this.#events].map(([routeId, events]) => {
      const [oldest] = events.values();
      const nextAt = Math.min(...[...events.values()].map(({ dueAt }) => dueAt));
      return [routeId, { oldestAt: oldest?.event.at ?? 0, nextAt }] as const;
    });
    return ok({ routes: new Map(states), gone: new Map(this.#gone) });
  }

  tidy(routeId: string, before: number): Result<void, never> {
    const old = [...(this.#events.get(routeId)?.values() ?? [])].filter(({ event }) => event.at <= before);
    this.#forget(
      routeId,
      old.map(({ event }) => event.eventId),
    );
    return done;
  }

  takeDropped(): ReadonlyMap<string, number> {
    const dropped = this.#dropped;
    this.#dropped = new Map();
    return dropped;
  }

  #forget(routeId: string, eventIds: readonly string[]): void {
    const events = this.#events.get(routeId);
    for (const eventId of eventIds) events?.delete(eventId);
    if (events?.size === 0) this.#events.delete(routeId);
  }
}
