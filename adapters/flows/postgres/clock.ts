// The database's clock, which all replicas share: their own may be an hour apart. It is read with each transaction, and in between
// it goes on by this process's monotonic clock.

export class DatabaseClock {
  #database = Date.now();
  #monotonic = performance.now();

  /** `database`: milliseconds since the epoch that the database has just named. */
  set(database: number): void {
    this.#database = database;
    this.#monotonic = performance.now();
  }

  //= PG-9
  /** Milliseconds since the epoch. */
  now(): number {
    return Math.trunc(this.#database + performance.now() - this.#monotonic);
  }
}
