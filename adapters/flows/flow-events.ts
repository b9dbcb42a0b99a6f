// Events of a store that writes them in the transactions of its flows: who wants them, and who waits to send them.

import { eventWrites, type Stored, type Subscription, type Subscriptions, type Write } from "../../core/index.ts";
import type { FlowEvents, Outbox } from "./outbox.ts";

const merged = (all: readonly Subscriptions[]): Subscriptions => {
  const owners = new Set(all.flatMap((one) => [...one.keys()]));
  const of = (owner: string): readonly Subscription[] => all.flatMap((one) => one.get(owner) ?? []);
  return new Map([...owners].map((owner) => [owner, of(owner)]));
};

export class EventWriter {
  readonly #sources = new Set<() => Subscriptions>();
  readonly #listeners = new Set<() => void>();

  /** Behind the port of senders. */
  over(outbox: Outbox): FlowEvents {
    return {
      claim: (target, limit, now) => outbox.claim(target, limit, now),
      settle: (event, settlement) => outbox.settle(event, settlement),
      look: () => outbox.look(),
      tidy: (routeId, before) => outbox.tidy(routeId, before),
      takeDropped: () => outbox.takeDropped(),
      subscribe: (subscriptions) => {
        // a function of its own, so that one that is given twice is there twice
        const source = (): Subscriptions => subscriptions();
        this.#sources.add(source);
        return () => void this.#sources.delete(source);
      },
      watch: (listener) => {
        const told = (): void => listener();
        this.#listeners.add(told);
        return () => void this.#listeners.delete(told);
      },
    };
  }

  //= NOTIFY-1
  /** The writes with the events that belong to them; the very same where nobody wants any. */
  withEvents(writes: readonly Write[], stored: Stored, owner: string, now: number): readonly Write[] {
    if (this.#sources.size === 0 || writes.length === 0) return writes;
    const events = eventWrites(writes, stored, owner, this.#subscriptions(), now);
    return events.length === 0 ? writes : [...writes, ...events];
  }

  /** Tells senders of events that are there now. */
  tell(writes: readonly Write[]): void {
    if (this.#listeners.size === 0 || !writes.some(({ kind }) => kind === "put_event")) return;
    for (const listener of this.#listeners) listener();
  }

  #subscriptions(): Subscriptions {
    const all = [...this.#sources].map((source) => source());
    const [only] = all;
    return all.length === 1 && only !== undefined ? only : merged(all);
  }
}
