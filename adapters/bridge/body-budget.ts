// The room that bodies take in memory, for one bridge: bounded in all, and more narrowly for senders that have not proved
// themselves, so that strangers with large or slow bodies can take neither the memory nor the place of proved senders.

import type { Admitted } from "../../core/index.ts";

/** `all`: bytes of all bodies. `unproved`, `client`: of unproved bodies, in all and of one client; `bodies`: their number. */
export type Room = {
  readonly all: number;
  readonly unproved: number;
  readonly client: number;
  readonly bodies: number;
};

//= BODY-8, SIGN-5
export const ROOM: Room = { all: 67_108_864, unproved: 33_554_432, client: 26_214_400, bodies: 128 };

/** What one body takes. `isKnown`: its client has proved itself before, so that it is not counted among the strangers. */
export class BodyTicket {
  readonly #budget: BodyBudget;
  readonly client: string;
  readonly isKnown: boolean;
  bytes = 0;
  /** Of `bytes`, those that count for the client as unproved. */
  unproved = 0;
  #isOver = false;
  isProved: boolean;
  /** Set while the body is coming: ends it as one that came too slowly. */
  giveWay: (() => void) | undefined;

  constructor(budget: BodyBudget, client: string, isProved: boolean, isKnown: boolean) {
    this.#budget = budget;
    this.client = client;
    this.isProved = isProved;
    this.isKnown = isKnown;
  }

  /**
   * Takes room for `bytes` more; false, and takes nothing, when there is none. `isWhole`: they are all there and are proved or
   * refused in this turn, so that only the bound on all bodies counts.
   */
  take(bytes: number, isWhole: boolean = false): boolean {
    return !this.#isOver && this.#budget.take(this, bytes, isWhole);
  }

  /** The body has proved its sender: from now on only the bound on all bodies counts it. */
  prove(): void {
    if (this.isProved) return;
    this.#budget.leave(this);
    this.isProved = true;
  }

  /** Gives the room back. */
  end(): void {
    this.#isOver = true;
    this.#budget.end(this);
  }
}

export class BodyBudget {
  readonly #room: Room;
  #all = 0;
  #strangers = 0;
  readonly #byClient = new Map<string, number>();
  /** Of strangers, oldest first. */
  readonly #coming = new Set<BodyTicket>();

  constructor(room: Room = ROOM) {
    this.#room = room;
  }

  /** Bytes that are taken. */
  get taken(): number {
    return this.#all;
  }

  ticket({ located, proof }: Admitted): BodyTicket {
    if (proof.kind === "authenticated") return new BodyTicket(this, located.client, true, false);
    return new BodyTicket(this, located.client, false, proof.isKnown);
  }

  //= BODY-8, SIGN-5
  take(ticket: BodyTicket, bytes: number, isWhole: boolean): boolean {
    const isUnproved = !isWhole && !ticket.isProved;
    if (isUnproved && !this.#admits(ticket, bytes)) return false;
    if (this.#all + bytes > this.#room.all) return false;
    this.#all += bytes;
    ticket.bytes += bytes;
    if (isUnproved) this.#count(ticket, bytes);
    return true;
  }

  /** Whether there is room for unproved bytes, if need be that of older strangers: an honest body is short-lived. */
  #admits(ticket: BodyTicket, bytes: number): boolean {
    if ((this.#byClient.get(ticket.client) ?? 0) + bytes > this.#room.client) return false;
    if (ticket.isKnown) return true;
    while (!this.#hasRoom(ticket, bytes)) if (!this.#displaceOldest(ticket)) return false;
    return true;
  }

  #hasRoom(ticket: BodyTicket, bytes: number): boolean {
    const isOneMore = !this.#coming.has(ticket);
    return this.#strangers + bytes <= this.#room.unproved && (!isOneMore || this.#coming.size < this.#room.bodies);
  }

  #displaceOldest(newcomer: BodyTicket): boolean {
    const [oldest] = this.#coming;
    if (oldest === undefined || oldest === newcomer) return false;
    const { giveWay } = oldest;
    oldest.end();
    giveWay?.();
    return true;
  }

  #count(ticket: BodyTicket, bytes: number): void {
    ticket.unproved += bytes;
    this.#byClient.set(ticket.client, (this.#byClient.get(ticket.client) ?? 0) + bytes);
    if (ticket.isKnown) return;
    this.#coming.add(ticket);
    this.#strangers += bytes;
  }

  /** Ends what the narrower bounds count of a ticket. */
  leave(ticket: BodyTicket): void {
    if (this.#coming.delete(ticket)) this.#strangers -= ticket.unproved;
    const rest = (this.#byClient.get(ticket.client) ?? 0) - ticket.unproved;
    if (rest > 0) this.#byClient.set(ticket.client, rest);
    else this.#byClient.delete(ticket.client);
    ticket.unproved = 0;
  }

  end(ticket: BodyTicket): void {
    this.leave(ticket);
    this.#all -= ticket.bytes;
    ticket.bytes = 0;
  }
}
