// Which routes are told of a session's flows.

import { routeName } from "./audit.ts";
import type { Subscription } from "./event.ts";
import type { Subscriptions } from "./event-writes.ts";
import type { Routes } from "./route.ts";

//= NOTIFY-2
/** Each route with `notify` gets the events of its own session, and no session key in them. */
export const subscriptionsOf = (routes: Routes): Subscriptions => {
  const subscriptions = new Map<string, readonly Subscription[]>();
  for (const route of routes.values()) {
    const { id: routeId, sessionKey, notify } = route;
    if (notify === undefined) continue;
    const others = subscriptions.get(sessionKey) ?? [];
    subscriptions.set(sessionKey, [...others, { routeId, name: routeName(route), on: notify.on }]);
  }
  return subscriptions;
};
