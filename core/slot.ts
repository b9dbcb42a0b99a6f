// The in-flight limit: at most 8 unfinished requests of one client on one route, and at most 64 of one peer (M-15).
// Clients behind one proxy each have 8 slots of their own; the proxy, their common peer, has 64.

/**
 * `client`: most slots of one client on one route; `peer`: of one peer, whatever clients it forwards; `unproved`: of one peer's
 * requests to a signed route that have not proved themselves yet, nor has their client before.
 */
export type SlotRule = { readonly client: number; readonly peer: number; readonly unproved: number };

/** The rule of every route. */
export const SLOTS: SlotRule = { client: 8, peer: 64, unproved: 32 };

/** The `Retry-After` of a refused slot, ms. Nobody knows when a slot frees, so it is the minimum. */
export const SLOT_RETRY_MS = 1000;

/** Slots on one route that are held already. */
export type Held = { readonly client: number; readonly peer: number };

//= SLOT-1
/** Whether one more slot may be taken. */
export const mayTakeSlot = (held: Held, rule: SlotRule = SLOTS): boolean =>
  held.client < rule.client && held.peer < rule.peer;

//= SIGN-5
/** Whether a request to a signed route may take one. `unproved`: slots of its peer that strangers hold there. */
export const mayTakeUnproved = (unproved: number, isKnown: boolean, rule: SlotRule = SLOTS): boolean =>
  isKnown || unproved < rule.unproved;
