// What keeps the tables bounded, beside the requests: records that are over, and the oldest of too many records or events. Each
// step is one short transaction, which passes over what another replica has locked.

import { Turns } from "../turns.ts";
import { dropOldestEvents } from "./event-rows.ts";
import { UPKEEP_ROWS } from "./oldest.ts";
import { BEGIN, type Connections } from "./pool.ts";
import { UPKEEP_SETTING } from "./schema.ts";
import { type Statement, statement } from "./statement.ts";
import { dropExpired, dropOldest } from "./tables.ts";

const BEGIN_UPKEEP = [BEGIN, statement(`SELECT set_config('${UPKEEP_SETTING}', 'on', true)`)];

const ignore = (): void => undefined;

export class Upkeep {
  readonly #connections: Connections;
  readonly #records = new Turns();
  readonly #events = new Turns();
  #dropped = new Map<string, number>();
  #last: Promise<void> = Promise.resolve();

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  //= ONCE-5
  /** A record of the route was written. */
  recorded(routeId: string): void {
    if (this.#records.take(routeId)) this.#later(async () => void (await this.#drop(() => dropOldest(routeId))));
  }

  //= NOTIFY-7
  /** An event of the route was written. */
  queued(routeId: string): void {
    if (!this.#events.take(routeId)) return;
    this.#later(async () => {
      const dropped = await this.#drop(() => dropOldestEvents(routeId));
      if (dropped > 0) this.#dropped.set(routeId, (this.#dropped.get(routeId) ?? 0) + dropped);
    });
  }

  /** How many events of each route gave way since the last call. */
  takeDropped(): ReadonlyMap<string, number> {
    const dropped = this.#dropped;
    this.#dropped = new Map();
    return dropped;
  }

  //= PG-5
  /** Drops the records that are over. `now`: milliseconds since the epoch. Rejects with what PostgreSQL says. */
  async sweep(now: number): Promise<void> {
    await this.#drop(() => dropExpired(now));
  }

  /** Resolves once nothing is being dropped any more. */
  settled(): Promise<void> {
    return this.#last;
  }

  /** One after the other, because they are in no hurry. What fails is tried with the next turn. */
  #later(work: () => Promise<void>): void {
    this.#last = this.#last.then(work).catch(ignore);
  }

  /** In short batches. */
  async #drop(batch: () => Statement): Promise<number> {
    for (let total = 0; ;) {
      const [done] = await this.#connections.run(BEGIN_UPKEEP, [batch()]);
      total += done?.count ?? 0;
      if ((done?.count ?? 0) < UPKEEP_ROWS) return total;
    }
  }
}
