// The buckets of clients that have shown a secret, by route. Each route has places of its own, and takes some of those that all
// share, so that the clients of one secret cannot crowd out those of another.

import { type Bucket, isLive } from "../../core/index.ts";
import { OldestFirst } from "./oldest-first.ts";

/** Buckets by client, in one table for each route. Of one route the oldest window stands first; routes take turns. */
export type KnownState = OldestFirst<OldestFirst<Bucket>>;

/** `own`: of each route. `shared`: of all routes together, beside those; `part`: of these, for one route. */
export type Places = { readonly own: number; readonly shared: number; readonly part: number };

/** Of each route, whatever other routes' clients do. */
export const OWN_PLACES = 64;

//= LIMIT-5, LIMIT-12
/** Two secrets would have to be used to fill what is shared. */
export const placesFor = (maxClients: number): Places => ({
  own: OWN_PLACES,
  shared: 2 * maxClients,
  part: maxClients,
});

//= LIMIT-7
/** How many of a route's oldest clients, and of how many other routes the oldest one, are looked at to find an ended window. */
const MAX_SCAN = 8;

export class KnownClients {
  readonly #tables: KnownState;
  readonly #places: Places;
  readonly #idleMs: number;
  /** Shared places that are taken. */
  #shared: number;

  /** `tables` is kept and changed. `idleMs`: milliseconds after its last window for which a route is remembered. */
  constructor(tables: KnownState, places: Places, idleMs: number) {
    this.#tables = tables;
    this.#places = places;
    this.#idleMs = idleMs;
    this.#shared = [...tables].reduce((sum, [, { size }]) => sum + this.#sharedOf(size), 0);
  }

  /** The route's clients, if there are any. Their buckets may be exchanged, and nothing else. */
  of(routeId: string): OldestFirst<Bucket> | undefined {
    return this.#tables.get(routeId);
  }

  //= LIMIT-13
  /** Whether one more client of the route would find a place. Changes nothing; looks at as many as `add`. */
  mayAdd(routeId: string, now: number): boolean {
    const { own, shared, part } = this.#places;
    const clients = this.#tables.get(routeId);
    if (clients === undefined || clients.size < own) return true;
    const isBelow = this.#sharedOf(clients.size) < part;
    if (isBelow && this.#shared < shared) return true;
    return this.#endedOf(clients, MAX_SCAN, now) !== undefined || (isBelow && this.#mayDropOfOthers(now));
  }

  //= LIMIT-5
  /** Takes in a client of the route that is not there yet; false when there is no place. */
  add(routeId: string, clientKey: string, bucket: Bucket, now: number): boolean {
    const clients = this.#tables.get(routeId) ?? this.#begin(routeId, now);
    if (!this.#makePlace(clients, now)) return false;
    clients.set(clientKey, bucket);
    if (clients.size > this.#places.own) this.#shared += 1;
    return true;
  }

  /** A free place before one that another client has to leave. */
  #makePlace(clients: OldestFirst<Bucket>, now: number): boolean {
    const { own, shared, part } = this.#places;
    if (clients.size < own) return true;
    const isBelow = this.#sharedOf(clients.size) < part;
    if (isBelow && this.#shared < shared) return true;
    return this.#dropEnded(clients, MAX_SCAN, now) || (isBelow && this.#dropOfOthers(now));
  }

  #sharedOf(size: number): number {
    return Math.max(0, size - this.#places.own);
  }

  /** The first of the `looks` oldest clients whose window has ended. */
  #endedOf(clients: OldestFirst<Bucket>, looks: number, now: number): string | undefined {
    let entry = clients.first;
    for (let look = 0; entry !== undefined && look < looks; look += 1) {
      if (!isLive(entry.value, now)) return entry.key;
      entry = entry.next;
    }
    return undefined;
  }

  #dropEnded(clients: OldestFirst<Bucket>, looks: number, now: number): boolean {
    const ended = this.#endedOf(clients, looks, now);
    return ended !== undefined && this.#drop(clients, ended);
  }

  #drop(clients: OldestFirst<Bucket>, clientKey: string): boolean {
    if (clients.size > this.#places.own) this.#shared -= 1;
    return clients.delete(clientKey);
  }

  /** Whether one of the routes that are asked next can give a place. */
  #mayDropOfOthers(now: number): boolean {
    let entry = this.#tables.first;
    for (let look = 0; entry !== undefined && look < MAX_SCAN; look += 1) {
      const { value: clients } = entry;
      if (clients.size > this.#places.own && this.#endedOf(clients, 1, now) !== undefined) return true;
      entry = entry.next;
    }
    return false;
  }

  /** Frees a shared place of a route that has some. Routes are asked in turn, so that each is reached at some time. */
  #dropOfOthers(now: number): boolean {
    const looks = Math.min(MAX_SCAN, this.#tables.size);
    for (let look = 0; look < looks; look += 1) {
      const { first } = this.#tables;
      if (first === undefined) return false;
      if (first.value.size > this.#places.own && this.#dropEnded(first.value, 1, now)) return true;
      this.#tables.append(first.key, first.value);
    }
    return false;
  }

  /** A route that comes looks at one other, so that routes which are gone are forgotten as fast as new ones come. */
  #begin(routeId: string, now: number): OldestFirst<Bucket> {
    const { first } = this.#tables;
    if (first !== undefined) {
      this.#tables.delete(first.key);
      if (this.#isIdle(first.value, now)) this.#shared -= this.#sharedOf(first.value.size);
      else this.#tables.set(first.key, first.value);
    }
    const clients = new OldestFirst<Bucket>();
    this.#tables.set(routeId, clients);
    return clients;
  }

  #isIdle({ last }: OldestFirst<Bucket>, now: number): boolean {
    return last === undefined || now >= last.value.endsAt + this.#idleMs;
  }
}
