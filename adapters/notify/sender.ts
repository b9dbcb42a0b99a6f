// Sends the events of an outbox: when one is written, when the next try is due, and at least once a minute, because another process
// may have written some. What it has begun and not settled stays in the outbox.

import type { Result } from "neverthrow";
import * as z from "zod";
import {
  callbackRequest,
  type CallbackEvent,
  EVENT_MS,
  type Fate,
  fateOf,
  type HmacSha256,
  isDueAt,
} from "../../core/index.ts";
import { type Awaitable, turn } from "../flows/awaitable.ts";
import type { StoreFault } from "../flows/engine.ts";
import type { Claimed, Outbox, OutboxState, Settlement } from "../flows/outbox.ts";
import { FAST_MS, Places } from "./places.ts";
import { post } from "./post.ts";
import type { Reports } from "./reports.ts";
import type { Told, ToldRoutes } from "./told-routes.ts";

export type SenderOptions = {
  readonly told: ToldRoutes;
  readonly outbox: Outbox;
  readonly reports: Reports;
  readonly hmac: HmacSha256;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 to 1, at random. */
  readonly chance: () => number;
  /** Milliseconds for one try. */
  readonly timeoutMs: number;
};

/** Milliseconds to the next look at the latest, and after one that failed. */
const LOOK_MS = 60_000;
const RETRY_MS = 5000;

const FAILED = "the outbox of callbacks failed";

/** What a store of the host's own says that it has claimed may be anything. */
const CLAIMS = z.array(z.object({ eventId: z.string(), body: z.string(), at: z.number(), tries: z.number() }));

const isClaims = (claimed: readonly Claimed[]): boolean => CLAIMS.safeParse(claimed).success;

/** A route that has events, and when the next one is due. */
type Due = { readonly route: Told; readonly nextAt: number };

export class Sender {
  readonly #options: SenderOptions;
  readonly #places = new Places();
  /** The tries that are under way, and what ends each. */
  readonly #tries = new Map<Promise<void>, AbortController>();
  #looking: Promise<void> | undefined;
  #isWanted = false;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Looks for events that are due, soon. */
  wake(): void {
    this.#isWanted = true;
    if (this.#isStopped || this.#looking !== undefined) return;
    this.#looking = this.#lookWhileWanted().finally(() => {
      this.#looking = undefined;
    });
  }

  /** Ends what is under way. Resolves once nothing asks the outbox any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const controller of this.#tries.values()) controller.abort();
    await this.#looking;
    await Promise.all(this.#tries.keys());
  }

  async #lookWhileWanted(): Promise<void> {
    clearTimeout(this.#timer);
    let waitMs = LOOK_MS;
    while (this.#isWanted && !this.#isStopped) {
      // so that the request whose event it is gets its answer first
      await turn();
      this.#isWanted = false;
      waitMs = this.#isStopped ? LOOK_MS : await this.#look().catch((error: unknown) => this.#failed(error));
    }
    if (!this.#isStopped) this.#timer = setTimeout(() => this.wake(), waitMs);
  }

  /** Milliseconds to the next look. */
  async #look(): Promise<number> {
    const { outbox, reports, told, now } = this.#options;
    const state = await this.#ask(() => outbox.look());
    if (state === undefined) return RETRY_MS;
    const { byId } = told;
    this.#places.keepOnly((routeId) => byId.has(routeId));
    for (const [routeId, count] of outbox.takeDropped()) {
      const route = byId.get(routeId);
      if (route !== undefined) reports.dropped(route, count);
    }
    const isGone = (route: Told): boolean => state.gone.get(route.id) === told.addressOf(route);
    const known = [...byId.values()].filter(({ id }) => state.routes.has(id) || state.gone.has(id));
    reports.stand(
      known.map((route) => ({ route, isGone: isGone(route), state: state.routes.get(route.id) })),
      now(),
    );
    await this.#tidy(state);
    return this.#sendDue(
      known.flatMap((route) => {
        const nextAt = state.routes.get(route.id)?.nextAt;
        return nextAt === undefined ? [] : [{ route, nextAt }];
      }),
    );
  }

  //= NOTIFY-7
  /** Events of routes without callbacks wait as long as the others, because a secret that does not resolve may do so later. */
  async #tidy({ routes }: OutboxState): Promise<void> {
    const { outbox, told, now } = this.#options;
    const before = now() - EVENT_MS;
    for (const [routeId, { oldestAt }] of routes) {
      if (oldestAt <= before && !told.byId.has(routeId)) await this.#ask(() => outbox.tidy(routeId, before));
    }
  }

  /** Begins what is due; milliseconds to what is not. */
  async #sendDue(all: readonly Due[]): Promise<number> {
    const time = this.#options.now();
    const due = all.filter(({ nextAt }) => isDueAt(nextAt, time));
    const later = all.filter(({ nextAt }) => !isDueAt(nextAt, time));
    const inTurn = due.toSorted((a, b) => this.#places.compare(a.route.id, b.route.id) || a.nextAt - b.nextAt);
    for (const { route } of inTurn) if (!this.#isStopped) await this.#sendSome(route);
    return Math.min(LOOK_MS, ...later.map(({ nextAt }) => nextAt - time));
  }

  async #sendSome(route: Told): Promise<void> {
    const { outbox, told, now } = this.#options;
    const free = this.#places.free(route.id);
    if (free === 0) return;
    const target = { routeId: route.id, address: told.addressOf(route) };
    const claimed = (await this.#ask(() => outbox.claim(target, free, now()))) ?? [];
    if (!isClaims(claimed)) throw new Error("it answered nonsense");
    for (const event of claimed) this.#begin(event, route);
  }

  /** Milliseconds to the next look. A store of the host's own may answer what it must not. */
  #failed(error: unknown): number {
    this.#options.reports.failed(FAILED, error);
    return RETRY_MS;
  }

  #begin(event: Claimed, route: Told): void {
    const controller = new AbortController();
    this.#places.take(route.id);
    const tried = this.#try(event, route, controller)
      .catch((error: unknown) => void this.#failed(error))
      .finally(() => {
        this.#tries.delete(tried);
        this.wake();
      });
    this.#tries.set(tried, controller);
    if (this.#isStopped) controller.abort();
  }

  async #try(event: Claimed, route: Told, controller: AbortController): Promise<void> {
    const { reports, told, now, chance, hmac, timeoutMs } = this.#options;
    const begun = performance.now();
    const timer = setTimeout(() => controller.abort(), timeoutMs);
    const request = callbackRequest(event, route.notify, now(), hmac);
    const posted = await post({ url: route.notify.url, ...request, signal: controller.signal, now });
    clearTimeout(timer);
    const tried = { tries: event.tries + 1, at: event.at, hasMoved: this.#hasMoved(route) };
    const fate = fateOf(posted.answered, tried, now(), chance());
    this.#places.leave(route.id, fate.kind === "taken" && performance.now() - begun < FAST_MS);
    if (this.#isStopped && fate.kind !== "taken") return this.#settle(event, { kind: "later", dueAt: now() });
    reports.tried(route, posted, fate);
    await this.#settle(event, settlementOf(fate, told.addressOf(route), now()));
  }

  /** Whether the route has another address by now. */
  #hasMoved(route: Told): boolean {
    const { told } = this.#options;
    const present = told.byId.get(route.id);
    return present !== undefined && told.addressOf(present) !== told.addressOf(route);
  }

  async #settle(event: CallbackEvent, settlement: Settlement): Promise<void> {
    await this.#ask(() => this.#options.outbox.settle(event, settlement));
  }

  /** Undefined when the outbox fails, of which the operator is told. */
  async #ask<T>(call: () => Awaitable<Result<T, StoreFault>>): Promise<T | undefined> {
    try {
      const said = await call();
      if (said.isOk()) return said.value;
      this.#failed(said.error.error);
    } catch (error) {
      this.#failed(error);
    }
    return undefined;
  }
}

const settlementOf = (fate: Fate, address: string, now: number): Settlement => {
  switch (fate.kind) {
    case "taken":
    case "given_up":
      return { kind: "remove" };
    case "later":
      return { kind: "later", dueAt: now + fate.waitMs };
    case "gone":
      return { kind: "gone", address };
  }
};
