// The live routes that have callbacks, by id, and the addresses that they have now.

import { addressOf, type HmacSha256, type Notify, type Route, type Routes, subscriptionsOf } from "../../core/index.ts";
import type { Subscriptions } from "../../core/index.ts";

export type Told = Route & { readonly notify: Notify };

const isTold = (route: Route): route is Told => route.notify !== undefined;

/** `routes` is asked again and again; what is made of an answer is kept until there is another one. */
export class ToldRoutes {
  readonly #routes: () => Routes;
  readonly #hmac: HmacSha256;
  #made: Routes | undefined;
  #byId: ReadonlyMap<string, Told> = new Map();
  #subscriptions: Subscriptions = new Map();
  readonly #addresses = new WeakMap<Notify, string>();

  constructor(routes: () => Routes, hmac: HmacSha256) {
    this.#routes = routes;
    this.#hmac = hmac;
  }

  get byId(): ReadonlyMap<string, Told> {
    this.#follow();
    return this.#byId;
  }

  get subscriptions(): Subscriptions {
    this.#follow();
    return this.#subscriptions;
  }

  addressOf({ notify }: Told): string {
    const known = this.#addresses.get(notify) ?? addressOf(notify, this.#hmac);
    this.#addresses.set(notify, known);
    return known;
  }

  #follow(): void {
    const routes = this.#routes();
    if (routes === this.#made) return;
    this.#made = routes;
    this.#byId = new Map([...routes.values()].filter(isTold).map((route) => [route.id, route]));
    this.#subscriptions = subscriptionsOf(routes);
  }
}
