// The limits that several processes share. The server decides in one script for each step; this side keeps the leases of its own
// requests, and says what becomes of a request when the server cannot be asked.

import {
  allowanceOf,
  isSigned,
  type Located,
  SLOT_RETRY_MS,
  SLOTS,
  slotsOf,
  type Unavailable,
  type Verdict,
  WINDOW,
  windowOf,
} from "../../../core/index.ts";
import { type Awaitable } from "../../flows/awaitable.ts";
import { OWN_PLACES } from "../known-clients.ts";
import type { Limits } from "../limits.ts";
import { KNOWN_MS, MAX_CLIENTS, MemoryLimits } from "../memory.ts";
import { Gate, type Trouble } from "./gate.ts";
import { DEFAULT_PREFIX, keysOf, probeKey, withoutRoute } from "./keys.ts";
import { type Lease, LEASE_MS, Leases, RENEW_MS } from "./leases.ts";
import type { Link } from "./link.ts";
import { ADMIT, CONFIRM, PROBE, RELEASE, RENEW } from "./scripts.ts";

/** What happens to requests while the server cannot be asked. */
export type WhenGone = "refuse" | "local";

export type SharedOptions = {
  readonly link: Link;
  /** Tells processes apart: another one for each. */
  readonly name: string;
  /** What the keys begin with. Default: DEFAULT_PREFIX. */
  readonly prefix?: string | undefined;
  /** Clients of a route that are counted one by one: as many strangers, and 64 more known ones. Default: MAX_CLIENTS. */
  readonly maxClients?: number | undefined;
  /**
   * `refuse`: requests are refused with 503 `admission_unavailable`. `local`: each process counts its own, so that all together
   * let through as many times the limits as there are processes. Default: `refuse`.
   */
  readonly whenGone?: WhenGone | undefined;
  /** Told when the server has gone, with the reason, and when it is there again. Must not throw. */
  readonly onChange?: ((trouble: Trouble | undefined) => void) | undefined;
};

/** The `Retry-After` while the server cannot be asked, ms. It is probed more often, so it is the minimum. */
const RETRY_MS = 1000;

const GONE: Unavailable = { kind: "admission_unavailable", retryAfterMs: RETRY_MS };

/** Monotonic milliseconds of this process, for when to renew. What counts for callers is the server's time. */
const clock = (): number => performance.now();

type Said = readonly [kind: number, count: number, endsInMs: number, known: number];

/** What ADMIT gives, if it is that. */
const readSaid = (reply: unknown): Said | undefined => {
  const said = Array.isArray(reply) ? reply.map(Number) : [];
  const [kind = NaN, count = NaN, endsInMs = NaN, known = NaN] = said;
  return [kind, count, endsInMs, known].every(Number.isSafeInteger) ? [kind, count, endsInMs, known] : undefined;
};

/** What is no answer of a server that runs the scripts. */
const refuseAnswer = (): never => {
  throw new Error("it gives answers that are not of its scripts");
};

export class SharedLimits implements Limits {
  readonly #link: Link;
  readonly #prefix: string;
  readonly #maxClients: number;
  readonly #gate: Gate;
  readonly #leases: Leases;
  /** Where requests are counted while the server cannot be asked, if the operator says so. */
  readonly #local: MemoryLimits | undefined;
  readonly #renewing: NodeJS.Timeout;

  /** Throws a RangeError when `maxClients` is out of bounds. */
  constructor({ link, name, prefix = DEFAULT_PREFIX, maxClients = MAX_CLIENTS, whenGone, onChange }: SharedOptions) {
    this.#link = link;
    this.#prefix = prefix;
    this.#maxClients = maxClients;
    const local = new MemoryLimits(maxClients);
    this.#local = whenGone === "local" ? local : undefined;
    this.#leases = new Leases(name);
    this.#gate = new Gate({
      clock,
      probe: async () => (await link.run(PROBE, [probeKey(prefix)], [])) === 1 || refuseAnswer(),
      prepare: () => link.prepare?.([ADMIT, CONFIRM, RELEASE, RENEW]),
      onChange: (trouble) => {
        // what the server has forgotten or dropped meanwhile is told before anything new is asked
        if (trouble === undefined) this.#renew(0);
        onChange?.(trouble);
      },
    });
    this.#renewing = setInterval(() => this.#renew(RENEW_MS), RENEW_MS / 2).unref();
  }

  /** Whether the server answers in time. */
  get isShared(): boolean {
    return this.#gate.isOpen;
  }

  //= LIMIT-17
  /** Whether requests are admitted, by the server or without it. */
  get isReady(): boolean {
    return this.#gate.isOpen || this.#local !== undefined;
  }

  /** What the server was last seen to fail with, while it does not answer. */
  get trouble(): Trouble | undefined {
    return this.#gate.trouble;
  }

  //= LIMIT-14, LIMIT-15
  admit(located: Located, now: number): Awaitable<Verdict> {
    if (!this.#gate.isOpen) return this.#without(located, now);
    const { route, clientKey } = located;
    const keys = keysOf(this.#prefix, located);
    const lease = this.#leases.make(keys, clock());
    const rule = windowOf(WINDOW, route.limits);
    const slots = slotsOf(SLOTS, route.limits);
    const isDue = isSigned(route);
    const ask = async (): Promise<Said> => {
      const reply = await this.#link.run(
        ADMIT,
        [keys.strangers, keys.known, keys.overflow, keys.client, keys.peer],
        [
          withoutRoute(clientKey, located),
          rule.limit,
          rule.ms,
          slots.client,
          isDue ? 0 : slots.peer,
          this.#maxClients,
          lease.id,
          LEASE_MS,
          KNOWN_MS,
        ],
      );
      return readSaid(reply) ?? refuseAnswer();
    };
    return this.#gate
      .pass(ask, () => void this.#giveBack(lease))
      .then((said) => {
        if (said.isErr()) return this.#without(located, now);
        const [kind, count, endsInMs, known] = said.value;
        if (kind === 1) return { kind: "rate_limited", retryAfterMs: endsInMs };
        if (kind !== 0) return { kind: "too_many_in_flight", retryAfterMs: SLOT_RETRY_MS };
        lease.isKnown = known > 0;
        lease.hasPeerSlot = !isDue;
        this.#leases.hold(located, lease);
        const allowance = allowanceOf({ endsAt: endsInMs, count }, rule, slots, 0);
        return isDue && known === 2 ? { kind: "admitted", isKnown: true, allowance } : { kind: "admitted", allowance };
      });
  }

  /** A client that is known already, on a route with a secret, costs no call. */
  confirm(located: Located, now: number): Awaitable<boolean | Unavailable> {
    const lease = this.#leases.of(located);
    if (lease === undefined) return this.#local?.confirm(located, now) ?? GONE;
    const { route, clientKey } = located;
    const isDue = isSigned(route);
    if (lease.isKnown && !isDue) return true;
    const { strangers, known, overflow, peer } = lease.keys;
    const args = [
      withoutRoute(clientKey, located),
      this.#maxClients + OWN_PLACES,
      isDue ? slotsOf(SLOTS, route.limits).peer : 0,
      lease.id,
      LEASE_MS,
      KNOWN_MS,
    ];
    return this.#gate
      .pass(async () => {
        const reply = await this.#link.run(CONFIRM, [strangers, known, overflow, peer], args);
        return reply === 0 || reply === 1 ? reply : refuseAnswer();
      })
      .then((reply) => {
        if (reply.isErr()) return GONE;
        const hasSlot = reply.value === 1;
        if (isDue) lease.hasPeerSlot = hasSlot;
        return hasSlot;
      });
  }

  //= SLOT-6
  /** Whoever waits for it knows that the slot is free for other processes, too, or that its lease must end. */
  release(located: Located, isProved: boolean): Awaitable<void> {
    const lease = this.#leases.drop(located);
    return lease === undefined ? this.#local?.release(located, isProved) : this.#giveBack(lease);
  }

  /** Ends the connection. Slots that are held then are free once their leases have ended. */
  close(): void {
    clearInterval(this.#renewing);
    this.#gate.end();
    this.#link.close();
  }

  //= LIMIT-15
  #without(located: Located, now: number): Verdict {
    return this.#local?.admit(located, now) ?? GONE;
  }

  //= SLOT-6
  /** Also while the gate is closed, because each slot is given back once; of one that cannot be given back the lease ends. */
  async #giveBack({ id, keys }: Lease): Promise<void> {
    try {
      await this.#link.run(RELEASE, [keys.client, keys.peer], [id]);
    } catch {
      // its lease ends
    }
  }

  /** Renews what was not renewed for `age` milliseconds. */
  #renew(age: number): void {
    if (!this.#gate.isOpen) return;
    for (const { id, keys, hasPeerSlot } of this.#leases.due(clock(), age)) {
      const held = hasPeerSlot ? [keys.client, keys.peer] : [keys.client];
      void this.#gate.pass(() => this.#link.run(RENEW, held, [id, LEASE_MS]));
    }
  }
}
