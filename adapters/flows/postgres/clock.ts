// The database's clock, which all replicas share: their own may be an hour apart. Each write takes a reading once it
// has its locks, and is dated by it; in between the clock goes on by this process's monotonic one.

/** Milliseconds that only go on. */
type Monotonic = () => number;

/** A column of a SELECT. */
export const NOW = "extract(epoch FROM clock_timestamp()) * 1000 AS now";

export class DatabaseClock {
  readonly #monotonic: Monotonic;
  #ahead = 0;

  /** `database`: what it has just named, milliseconds since the epoch. */
  constructor(database: number, monotonic: Monotonic = () => performance.now()) {
    this.#monotonic = monotonic;
    this.set(database);
  }

  /** `database`: what it has just named, milliseconds since the epoch. */
  set(database: number): void {
    this.#ahead = database - this.#monotonic();
  }

  //= PG-9
  /** Milliseconds since the epoch. */
  now(): number {
    return Math.floor(this.#monotonic() + this.#ahead);
  }
}
