// The limits in memory. The core decides about one request; this table keeps its buckets and slots, bounded: no bucket is
// dropped while its window is open, and a held slot is never forgotten.

import {
  allowanceOf,
  type Bucket,
  isLive,
  isSigned,
  type Located,
  mayTakeSlot,
  SLOT_RETRY_MS,
  type SlotRule,
  SLOTS,
  slotsOf,
  stepWindow,
  type Verdict,
  WINDOW,
  windowOf,
  type WindowRule,
  type WindowStep,
} from "../../core/index.ts";
import { KnownClients, type KnownState, type Places, placesFor } from "./known-clients.ts";
import type { Limits } from "./limits.ts";
import { OldestFirst } from "./oldest-first.ts";

//= LIMIT-5, LIMIT-12
/** Clients that are counted one by one: those that have not shown a secret lately, and as many more of one route that have. */
export const MAX_CLIENTS = 4096;

//= LIMIT-12
/** What an operator may set it to. */
export const CLIENT_BOUNDS = { least: 64, most: 1_000_000 } as const;

/** Most expired buckets dropped for one request, so that no request pays for all. */
const MAX_PURGE = 64;

/** Everything that the limits remember: plain tables, so that a state can be copied, compared and explored. */
export type LimitsState = {
  /** Strangers' buckets by client and route, in the order in which their windows opened. */
  readonly strangers: OldestFirst<Bucket>;
  /** Buckets of clients that have authenticated: strangers cannot push them out. */
  readonly known: KnownState;
  /** By route id, for newcomers while there is no room. */
  readonly overflow: Map<string, Bucket>;
  /** Held slots by client and route, and by peer and route. */
  readonly clientSlots: Map<string, number>;
  readonly peerSlots: Map<string, number>;
};

export const emptyState = (): LimitsState => ({
  strangers: new OldestFirst(),
  known: new OldestFirst(),
  overflow: new Map(),
  clientSlots: new Map(),
  peerSlots: new Map(),
});

/** How much is let in. Every route has RULES, unless it says otherwise; smaller ones are for exploring all states. */
export type Rules = { readonly window: WindowRule; readonly slots: SlotRule };

export const RULES: Rules = { window: WINDOW, slots: SLOTS };

/** For exploring and testing. `state` is kept and changed. */
export type MemoryParts = { readonly rules?: Rules; readonly state?: LimitsState; readonly places?: Places };

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

const isSize = (size: unknown): size is number =>
  Number.isSafeInteger(size) && CLIENT_BOUNDS.least <= Number(size) && Number(size) <= CLIENT_BOUNDS.most;

const BAD_SIZE = `maxClients must be a whole number from ${String(CLIENT_BOUNDS.least)} to ${String(CLIENT_BOUNDS.most)}`;

export class MemoryLimits implements Limits {
  readonly #capacity: number;
  readonly #rules: Rules;
  readonly #known: KnownClients;
  readonly state: LimitsState;

  /** `maxClients`: as MAX_CLIENTS, 64 to 1,000,000; throws a RangeError when it is anything else. */
  constructor(maxClients: number = MAX_CLIENTS, { rules = RULES, state = emptyState(), places }: MemoryParts = {}) {
    if (places === undefined && !isSize(maxClients)) throw new RangeError(BAD_SIZE);
    this.#capacity = maxClients;
    this.#rules = rules;
    this.#known = new KnownClients(state.known, places ?? placesFor(maxClients), KNOWN_MS);
    this.state = state;
  }

  //= LIMIT-2, LIMIT-10, SLOT-1
  admit(located: Located, now: number): Verdict {
    const { route, clientKey, peerKey } = located;
    const { clientSlots, peerSlots } = this.state;
    const known = this.#known.of(route.id);
    const before = known?.get(clientKey);
    const rule = windowOf(this.#rules.window, route.limits);
    const { bucket, passes } = this.#count(located, before === undefined ? undefined : known, before, rule, now);
    if (!passes) return { kind: "rate_limited", retryAfterMs: bucket.endsAt - now };
    const slots = slotsOf(this.#rules.slots, route.limits);
    const client = clientSlots.get(clientKey) ?? 0;
    // strangers hold no slots of a peer that proved senders could want
    const isDue = isSigned(route);
    const peer = isDue ? 0 : (peerSlots.get(peerKey) ?? 0);
    if (!mayTakeSlot({ client, peer }, slots)) return NO_SLOT;
    addSlot(clientSlots, clientKey, client);
    if (!isDue) addSlot(peerSlots, peerKey, peer);
    const allowance = allowanceOf(bucket, rule, slots, now);
    return isDue && isKnown(before, now)
      ? { kind: "admitted", isKnown: true, allowance }
      : { kind: "admitted", allowance };
  }

  //= LIMIT-4, LIMIT-5
  /** Keeps the client among the known ones, where there is room; its count goes with it. */
  confirm({ clientKey, peerKey, route }: Located, now: number): boolean {
    const { strangers, overflow } = this.state;
    if (this.#known.of(route.id)?.has(clientKey) !== true) {
      const bucket = strangers.get(clientKey) ?? overflow.get(route.id);
      if (bucket !== undefined && this.#known.add(route.id, clientKey, bucket, now)) strangers.delete(clientKey);
    }
    return !isSigned(route) || this.#takePeerSlot(peerKey, slotsOf(this.#rules.slots, route.limits));
  }

  //= SLOT-3
  release({ clientKey, peerKey, route }: Located, isProved: boolean): void {
    dropSlot(this.state.clientSlots, clientKey);
    if (isProved || !isSigned(route)) dropSlot(this.state.peerSlots, peerKey);
  }

  //= SLOT-1, SIGN-5
  #takePeerSlot(peerKey: string, slots: SlotRule): boolean {
    const peer = this.state.peerSlots.get(peerKey) ?? 0;
    const isFree = mayTakeSlot({ client: 0, peer }, slots);
    if (isFree) addSlot(this.state.peerSlots, peerKey, peer);
    return isFree;
  }

  /** `known`: the table that has the client's bucket, `kept`, if it is known. */
  #count(
    { clientKey, route }: Located,
    known: OldestFirst<Bucket> | undefined,
    kept: Bucket | undefined,
    rule: WindowRule,
    now: number,
  ): WindowStep {
    const { strangers, overflow } = this.state;
    const table = known ?? strangers;
    const own = kept ?? strangers.get(clientKey);
    const room = own !== undefined || this.#makeRoom(route.id, now);
    const step = stepWindow({ own, overflow: overflow.get(route.id), room }, now, rule);
    if (step.place === "overflow") overflow.set(route.id, step.bucket);
    else this.#keep(table, clientKey, own, step.bucket);
    return step;
  }

  //= LIMIT-3
  /** A bucket whose window is new goes to the end, so that the oldest window stands first. */
  #keep(table: OldestFirst<Bucket>, key: string, before: Bucket | undefined, bucket: Bucket): void {
    if (before !== undefined && before.endsAt !== bucket.endsAt) table.append(key, bucket);
    else table.set(key, bucket);
  }

  //= LIMIT-13
  /** Drops expired strangers, oldest first; says whether one more of the route fits. */
  #makeRoom(routeId: string, now: number): boolean {
    const { strangers } = this.state;
    for (let dropped = 0; dropped < MAX_PURGE; dropped += 1) {
      const { first } = strangers;
      if (first === undefined || isLive(first.value, now)) break;
      strangers.delete(first.key);
    }
    if (strangers.size < Math.ceil(this.#capacity / 2)) return true;
    return strangers.size < this.#capacity && this.#known.mayAdd(routeId, now);
  }
}
