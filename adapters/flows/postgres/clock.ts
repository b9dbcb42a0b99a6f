// The database's clock, which all replicas share: their own may be an hour apart. It is read with each write, and in between it goes
// on by this process's monotonic clock. What an answer names is a little past when it comes, so the answer that was on its way for
// the shortest time counts: else a replica that is busy would date a flow before one that another replica has made earlier.

/** By how much the two clocks may part, as a share of the time between two readings. */
const DRIFT = 0.001;

/** Milliseconds that only go on. */
type Monotonic = () => number;

/** What the database has named, milliseconds since the epoch, and when it was asked, by the monotonic clock. */
export type Reading = { readonly database: number; readonly asked: number };

/** A column of a SELECT. */
export const NOW = "extract(epoch FROM clock_timestamp()) * 1000 AS now";

export class DatabaseClock {
  readonly #monotonic: Monotonic;
  /** By how much the database's clock was ahead of the monotonic one, at least, and when. */
  #ahead: number;
  #at: number;

  /** With a reading of this moment. */
  constructor({ database }: Reading, monotonic: Monotonic = () => performance.now()) {
    this.#monotonic = monotonic;
    this.#at = monotonic();
    this.#ahead = database - this.#at;
  }

  /** Takes a reading of this moment. */
  set({ database, asked }: Reading): void {
    const got = this.#monotonic();
    const [least, most] = [database - got, database - asked];
    const known = this.#ahead - DRIFT * (got - this.#at);
    // one that says that the clock was put back begins anew
    this.#ahead = known > most ? least : Math.max(known, least);
    this.#at = got;
  }

  //= PG-9
  /** Milliseconds since the epoch. */
  now(): number {
    return Math.floor(this.#monotonic() + this.#ahead);
  }
}
