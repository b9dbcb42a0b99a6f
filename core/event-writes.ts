// The events of a transaction. They are decided from the flows before and after its writes, and written with them.

import { eventsOf, standingOf, type Subscription } from "./event.ts";
import type { Stored, Write } from "./flow-command.ts";

/** The routes that want to know of a session's flows, by session. */
export type Subscriptions = ReadonlyMap<string, readonly Subscription[]>;

//= NOTIFY-1, NOTIFY-2
/**
 * The events of a transaction's `writes`. `stored`: what it had found; `owner`: of the flows that it found, unless `stored` names
 * each one's. `now`: milliseconds since the epoch.
 */
export const eventWrites = (
  writes: readonly Write[],
  stored: Stored,
  owner: string,
  subscriptions: Subscriptions,
  now: number,
): readonly Write[] =>
  writes.flatMap((write) => {
    if (write.kind !== "insert_flow" && write.kind !== "update_flow") return [];
    const place = stored.flows.findIndex(({ flowId }) => flowId === write.flow.flowId);
    const before = stored.flows[place];
    const wanted = subscriptions.get(stored.owners?.[place] ?? owner) ?? [];
    const events = eventsOf(before && standingOf(before), write.flow, wanted, now);
    return events.map((event): Write => ({ kind: "put_event", event }));
  });
