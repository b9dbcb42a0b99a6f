// A body that arrives in pieces, kept in one buffer: a client chooses how small its pieces are, and an object for each
// would take hundreds of times the room of its bytes.

import { type BodyFault, MAX_BODY_BYTES } from "../../core/index.ts";

const EMPTY = new Uint8Array();

/** Where the room for a body comes from. */
export type RoomFor = { take(bytes: number): boolean };

//= BODY-2, BODY-8
/**
 * At most `maxBytes`, in a buffer of at most twice as many as have arrived, or of the 262,144 that were announced. A body that
 * comes in one piece is that piece.
 */
export class BodyBuffer {
  readonly #maxBytes: number;
  readonly #announced: number;
  readonly #room: RoomFor;
  #buffer: Uint8Array = EMPTY;
  #size = 0;

  /** `announced`: bytes that are to come, if it is known; no room is made for them before the second piece. */
  constructor(maxBytes: number, room: RoomFor, announced: number = 0) {
    this.#maxBytes = maxBytes;
    this.#room = room;
    this.#announced = announced;
  }

  /** Keeps a piece; says why not, and keeps nothing of it, when the body would be too large or there is no room. */
  add(piece: Uint8Array): BodyFault | undefined {
    const size = this.#size + piece.length;
    if (size > this.#maxBytes) return "too_large";
    if (!this.#hasRoom(piece, size)) return "no_room";
    this.#size = size;
    return undefined;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  #hasRoom(piece: Uint8Array, size: number): boolean {
    if (this.#size === 0) {
      if (!this.#room.take(piece.length)) return false;
      this.#buffer = piece;
      return true;
    }
    if (size > this.#buffer.length && !this.#grow(size)) return false;
    this.#buffer.set(piece, this.#size);
    return true;
  }

  /** `size`: what must find room now. What was announced may be any number: a client wrote it. */
  #grow(size: number): boolean {
    const wanted = this.#announced > size ? Math.min(this.#announced, MAX_BODY_BYTES) : 0;
    const length = Math.max(size, Math.min(Math.max(wanted, 2 * this.#size), this.#maxBytes));
    if (!this.#room.take(length - this.#buffer.length)) return false;
    const grown = new Uint8Array(length);
    grown.set(this.bytes);
    this.#buffer = grown;
    return true;
  }
}
