// The slots that this process holds on the server. Each is a lease: it is renewed while its request lives, and ends by itself
// when the process has ended.

import type { Located } from "../../../core/index.ts";
import type { Keys } from "./keys.ts";

//= SLOT-6
/** Milliseconds after which a slot that nobody renews is free. */
export const LEASE_MS = 15_000;

/** Milliseconds after which it is renewed; two renewals may be lost. */
export const RENEW_MS = 5000;

export type Lease = {
  readonly id: string;
  readonly keys: Keys;
  /** By the clock of this process. */
  renewedAt: number;
  hasPeerSlot: boolean;
  /** Whether the client is among the known ones. */
  isKnown: boolean;
};

export class Leases {
  /** Tells processes apart. */
  readonly #name: string;
  /** The embedder's requests may be located once for several. */
  readonly #of = new WeakMap<Located, Lease[]>();
  readonly #held = new Set<Lease>();
  #count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  make(keys: Keys, now: number): Lease {
    this.#count += 1;
    const id = `${this.#name}${this.#count.toString(36)}`;
    return { id, keys, renewedAt: now, hasPeerSlot: false, isKnown: false };
  }

  hold(located: Located, lease: Lease): void {
    this.#held.add(lease);
    const others = this.#of.get(located);
    if (others === undefined) this.#of.set(located, [lease]);
    else others.push(lease);
  }

  /** The one that was taken last. */
  of(located: Located): Lease | undefined {
    return this.#of.get(located)?.at(-1);
  }

  drop(located: Located): Lease | undefined {
    const lease = this.#of.get(located)?.pop();
    if (lease !== undefined) this.#held.delete(lease);
    return lease;
  }

  /** Those that were taken or renewed `age` milliseconds ago, or longer. They count as renewed. */
  due(now: number, age: number): readonly Lease[] {
    const due = [...this.#held].filter((lease) => now - lease.renewedAt >= age);
    for (const lease of due) lease.renewedAt = now;
    return due;
  }
}
