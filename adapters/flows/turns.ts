// When the records of a route are counted, because counting them all costs as much as many writes.

/** Writes of a route from one count to the next. */
const EVERY = 100;

export class Turns {
  /** Writes of each route since the store was opened. */
  readonly #writes = new Map<string, number>();

  //= ONCE-5
  /** Notes a write. Whether it is one with which to count: the route's first since the store was opened, and each hundredth after. */
  take(routeId: string): boolean {
    const writes = this.#writes.get(routeId) ?? 0;
    this.#writes.set(routeId, writes + 1);
    return writes % EVERY === 0;
  }
}
