// The limits' state in memory. The core decides about one request; this table keeps its buckets and slots, bounded:
// no bucket is dropped while its window is open, and a held slot is never forgotten.

import {
  type Admission,
  type Bucket,
  isLive,
  type LimitView,
  type Located,
  WINDOW,
  type WindowRule,
} from "../../core/index.ts";

/** What the owner of the limits offers to whoever runs the pipeline. `now`: monotonic milliseconds. */
export interface Limits {
  look(located: Located, now: number): LimitView;
  /** Writes what the request changed; takes a slot when it was admitted. */
  commit(located: Located, admission: Admission, now: number): void;
  /** Gives the slot of an admitted request back; once for each. */
  release(located: Located): void;
}

/** Buckets of clients that have not shown a secret lately; the same number again for those that have. */
export const MAX_BUCKETS = 4096;

/** How many of the oldest known clients are looked at to find one whose window has ended. */
const MAX_EVICTION_SCAN = 16;

/** Most expired buckets dropped for one request, so that no request pays for all. */
const MAX_PURGE = 64;

/** Everything that the limits remember: plain maps, so that a state can be copied, compared and explored. */
export type LimitsState = {
  /** Strangers' buckets, in the order in which their windows opened. */
  readonly strangers: Map<string, Bucket>;
  /** Buckets of clients that have authenticated, oldest window first: strangers cannot push them out. */
  readonly known: Map<string, Bucket>;
  /** By route id, for newcomers while there is no room. */
  readonly overflow: Map<string, Bucket>;
  readonly slots: Map<string, number>;
};

export const emptyState = (): LimitsState => ({
  strangers: new Map(),
  known: new Map(),
  overflow: new Map(),
  slots: new Map(),
});

export class MemoryLimits implements Limits {
  readonly #capacity: number;
  readonly #rule: WindowRule;
  readonly state: LimitsState;

  /** `state` is kept and changed. */
  constructor(capacity: number = MAX_BUCKETS, rule: WindowRule = WINDOW, state: LimitsState = emptyState()) {
    this.#capacity = capacity;
    this.#rule = rule;
    this.state = state;
  }

  look({ windowKey, slotKey, route }: Located, now: number): LimitView {
    const own = this.state.known.get(windowKey) ?? this.state.strangers.get(windowKey);
    const window = {
      own,
      overflow: this.state.overflow.get(route.id),
      room: own !== undefined || this.#makeRoom(now),
    };
    return { window, held: this.state.slots.get(slotKey) ?? 0 };
  }

  commit(located: Located, { window, verdict }: Admission, now: number): void {
    const { windowKey, slotKey, route } = located;
    if (window.place === "overflow") this.state.overflow.set(route.id, window.bucket);
    else this.#keep(windowKey, window.bucket);
    if (verdict.isErr()) return;
    this.state.slots.set(slotKey, (this.state.slots.get(slotKey) ?? 0) + 1);
    this.#promote(windowKey, window.bucket, now);
  }

  //= SLOT-3
  release({ slotKey }: Located): void {
    const held = this.state.slots.get(slotKey) ?? 0;
    if (held > 1) this.state.slots.set(slotKey, held - 1);
    else this.state.slots.delete(slotKey);
  }

  //= LIMIT-3
  /** A bucket whose window is new goes to the end, so that the oldest window stands first. */
  #keep(key: string, bucket: Bucket): void {
    const kept = this.state.known.get(key);
    const table = kept === undefined ? this.state.strangers : this.state.known;
    const before = kept ?? table.get(key);
    if (before !== undefined && before.openedAt !== bucket.openedAt) table.delete(key);
    table.set(key, bucket);
  }

  //= LIMIT-4, LIMIT-5
  /** Keeps a client that has shown the secret among the known ones, where there is room; its count goes with it. */
  #promote(key: string, bucket: Bucket, now: number): void {
    if (this.state.known.has(key)) return;
    if (this.state.known.size >= this.#capacity && !this.#evictKnown(now)) return;
    this.state.strangers.delete(key);
    this.state.known.set(key, bucket);
  }

  #evictKnown(now: number): boolean {
    let scanned = 0;
    for (const [key, bucket] of this.state.known) {
      if (!isLive(bucket, now, this.#rule)) return this.state.known.delete(key);
      scanned += 1;
      if (scanned >= MAX_EVICTION_SCAN) return false;
    }
    return false;
  }

  /** Drops expired strangers, oldest first; says whether one more fits. */
  #makeRoom(now: number): boolean {
    let dropped = 0;
    for (const [key, bucket] of this.state.strangers) {
      if (dropped >= MAX_PURGE || isLive(bucket, now, this.#rule)) break;
      this.state.strangers.delete(key);
      dropped += 1;
    }
    return this.state.strangers.size < this.#capacity;
  }
}
