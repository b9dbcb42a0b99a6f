// The in-flight limit: at most 8 unfinished requests of one client on one route, and at most 64 of one peer (M-15).
// Clients behind one proxy each have 8 slots of their own; the proxy, their common peer, has 64. A route may say otherwise.

import type { RouteLimits } from "./route.ts";

/** `client`: most slots of one client on one route; `peer`: of one peer, whatever clients it forwards. */
export type SlotRule = { readonly client: number; readonly peer: number };

/** The rule of a route that says nothing else. */
export const SLOTS: SlotRule = { client: 8, peer: 64 };

//= LIMIT-10
/** A peer has room for as many busy clients as it has without the route's number, and never for fewer requests. */
export const slotsOf = (rule: SlotRule, limits: RouteLimits | undefined): SlotRule =>
  limits === undefined
    ? rule
    : { client: limits.inFlight, peer: Math.max(rule.peer, Math.ceil((rule.peer * limits.inFlight) / rule.client)) };

/** The `Retry-After` of a refused slot, ms. Nobody knows when a slot frees, so it is the minimum. */
export const SLOT_RETRY_MS = 1000;

/** Slots on one route that are held already. */
export type Held = { readonly client: number; readonly peer: number };

//= SLOT-1
/** Whether one more slot may be taken. */
export const mayTakeSlot = (held: Held, rule: SlotRule = SLOTS): boolean =>
  held.client < rule.client && held.peer < rule.peer;
