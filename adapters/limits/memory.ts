// The limits in memory. The core decides about one request; this table keeps its buckets and slots, bounded: no bucket is
// dropped while its window is open, and a held slot is never forgotten.

import {
  type Bucket,
  isLive,
  isSigned,
  type Located,
  mayTakeSlot,
  SLOT_RETRY_MS,
  type SlotRule,
  SLOTS,
  stepWindow,
  type Verdict,
  WINDOW,
  type WindowRule,
} from "../../core/index.ts";
import type { Limits } from "./limits.ts";

/** Buckets of clients that have not shown a secret lately; the same number again for those that have. */
export const MAX_BUCKETS = 4096;

/** How many of the oldest known clients are looked at to find one whose window has ended. */
const MAX_EVICTION_SCAN = 16;

/** Most expired buckets dropped for one request, so that no request pays for all. */
const MAX_PURGE = 64;

/** Everything that the limits remember: plain maps, so that a state can be copied, compared and explored. */
export type LimitsState = {
  /** Strangers' buckets by client and route, in the order in which their windows opened. */
  readonly strangers: Map<string, Bucket>;
  /** Buckets of clients that have authenticated, oldest window first: strangers cannot push them out. */
  readonly known: Map<string, Bucket>;
  /** By route id, for newcomers while there is no room. */
  readonly overflow: Map<string, Bucket>;
  /** Held slots by client and route, and by peer and route. */
  readonly clientSlots: Map<string, number>;
  readonly peerSlots: Map<string, number>;
};

export const emptyState = (): LimitsState => ({
  strangers: new Map(),
  known: new Map(),
  overflow: new Map(),
  clientSlots: new Map(),
  peerSlots: new Map(),
});

/** How much is let in. Every route has RULES; smaller ones are for exploring all states. */
export type Rules = { readonly window: WindowRule; readonly slots: SlotRule };

export const RULES: Rules = { window: WINDOW, slots: SLOTS };

const ADMITTED: Verdict = { kind: "admitted" };
const KNOWN: Verdict = { kind: "admitted", isKnown: true };
/** Milliseconds after the end of its last window for which a client that has proved itself is known. */
export const KNOWN_MS = 86_400_000;

const isKnown = (bucket: Bucket | undefined, now: number): boolean =>
  bucket !== undefined && now < bucket.endsAt + KNOWN_MS;

const NO_SLOT: Verdict = { kind: "too_many_in_flight", retryAfterMs: SLOT_RETRY_MS };

const addSlot = (slots: Map<string, number>, key: string, held: number): void => void slots.set(key, held + 1);

const dropSlot = (slots: Map<string, number>, key: string): void => {
  const held = slots.get(key) ?? 0;
  if (held > 1) slots.set(key, held - 1);
  else slots.delete(key);
};

export class MemoryLimits implements Limits {
  readonly #capacity: number;
  readonly #rules: Rules;
  readonly state: LimitsState;

  /** `state` is kept and changed. */
  constructor(capacity: number = MAX_BUCKETS, rules: Rules = RULES, state: LimitsState = emptyState()) {
    this.#capacity = capacity;
    this.#rules = rules;
    this.state = state;
  }

  //= LIMIT-2, SLOT-1
  admit(located: Located, now: number): Verdict {
    const before = this.state.known.get(located.clientKey);
    const { bucket, passes } = this.#count(located, now);
    if (!passes) return { kind: "rate_limited", retryAfterMs: bucket.endsAt - now };
    const { clientSlots, peerSlots } = this.state;
    const client = clientSlots.get(located.clientKey) ?? 0;
    // strangers hold no slots of a peer that proved senders could want
    const isDue = isSigned(located.route);
    const peer = isDue ? 0 : (peerSlots.get(located.peerKey) ?? 0);
    if (!mayTakeSlot({ client, peer }, this.#rules.slots)) return NO_SLOT;
    addSlot(clientSlots, located.clientKey, client);
    if (isDue) return isKnown(before, now) ? KNOWN : ADMITTED;
    addSlot(peerSlots, located.peerKey, peer);
    return ADMITTED;
  }

  //= LIMIT-4, LIMIT-5
  /** Keeps the client among the known ones, where there is room; its count goes with it. */
  confirm({ clientKey, peerKey, route }: Located, now: number): boolean {
    this.#remember(clientKey, route.id, now);
    return !isSigned(route) || this.#takePeerSlot(peerKey);
  }

  //= STORE-11
  isFull({ clientKey, peerKey }: Located): boolean {
    const { clientSlots, peerSlots } = this.state;
    const [client, peer] = [clientSlots.get(clientKey) ?? 0, peerSlots.get(peerKey) ?? 0];
    return !mayTakeSlot({ client, peer }, this.#rules.slots);
  }

  //= SLOT-3
  release({ clientKey, peerKey, route }: Located, isProved: boolean): void {
    dropSlot(this.state.clientSlots, clientKey);
    if (isProved || !isSigned(route)) dropSlot(this.state.peerSlots, peerKey);
  }

  #remember(clientKey: string, routeId: string, now: number): void {
    const { strangers, known, overflow } = this.state;
    if (known.has(clientKey)) return;
    if (known.size >= this.#capacity && !this.#evictKnown(now)) return;
    const bucket = strangers.get(clientKey) ?? overflow.get(routeId);
    if (bucket === undefined) return;
    strangers.delete(clientKey);
    known.set(clientKey, bucket);
  }

  //= SLOT-1, SIGN-5
  #takePeerSlot(peerKey: string): boolean {
    const peer = this.state.peerSlots.get(peerKey) ?? 0;
    const isFree = mayTakeSlot({ client: 0, peer }, this.#rules.slots);
    if (isFree) addSlot(this.state.peerSlots, peerKey, peer);
    return isFree;
  }

  #count({ clientKey, route }: Located, now: number): { readonly bucket: Bucket; readonly passes: boolean } {
    const { strangers, known, overflow } = this.state;
    const kept = known.get(clientKey);
    const own = kept ?? strangers.get(clientKey);
    const room = own !== undefined || this.#makeRoom(now);
    const step = stepWindow({ own, overflow: overflow.get(route.id), room }, now, this.#rules.window);
    if (step.place === "overflow") overflow.set(route.id, step.bucket);
    else this.#keep(kept === undefined ? strangers : known, clientKey, own, step.bucket);
    return step;
  }

  //= LIMIT-3
  /** A bucket whose window is new goes to the end, so that the oldest window stands first. */
  #keep(table: Map<string, Bucket>, key: string, before: Bucket | undefined, bucket: Bucket): void {
    if (before !== undefined && before.endsAt !== bucket.endsAt) table.delete(key);
    table.set(key, bucket);
  }

  #evictKnown(now: number): boolean {
    let scanned = 0;
    for (const [key, bucket] of this.state.known) {
      if (!isLive(bucket, now)) return this.state.known.delete(key);
      scanned += 1;
      if (scanned >= MAX_EVICTION_SCAN) return false;
    }
    return false;
  }

  /** Drops expired strangers, oldest first; says whether one more fits. */
  #makeRoom(now: number): boolean {
    let dropped = 0;
    for (const [key, bucket] of this.state.strangers) {
      if (dropped >= MAX_PURGE || isLive(bucket, now)) break;
      this.state.strangers.delete(key);
      dropped += 1;
    }
    return this.state.strangers.size < this.#capacity;
  }
}
