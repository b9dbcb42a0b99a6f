// The places of requests that wait for a flow, for one bridge: bounded in all, on each route, and for each client on it.

import { type Located, mayWait, type PlaceCounts, PLACES } from "../../core/index.ts";

const change = (counts: Map<string, number>, key: string, by: number): void => {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
};

//= WAIT-2
export class Places {
  readonly #most: PlaceCounts;
  #all = 0;
  /** By the route's id, and by client and route. */
  readonly #routes = new Map<string, number>();
  readonly #clients = new Map<string, number>();

  constructor(most: PlaceCounts = PLACES) {
    this.#most = most;
  }

  /** Places that are taken. */
  get taken(): number {
    return this.#all;
  }

  /** What gives the place back, however often it is called; undefined when there is no place. */
  take({ route, clientKey }: Located): (() => void) | undefined {
    const taken = {
      all: this.#all,
      route: this.#routes.get(route.id) ?? 0,
      client: this.#clients.get(clientKey) ?? 0,
    };
    if (!mayWait(taken, this.#most)) return undefined;
    this.#count(route.id, clientKey, 1);
    let isTaken = true;
    return () => {
      if (isTaken) this.#count(route.id, clientKey, -1);
      isTaken = false;
    };
  }

  #count(routeId: string, clientKey: string, by: number): void {
    this.#all += by;
    change(this.#routes, routeId, by);
    change(this.#clients, clientKey, by);
  }
}
