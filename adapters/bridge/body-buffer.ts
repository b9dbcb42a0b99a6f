// A body that arrives in pieces, kept in one buffer: a client chooses how small its pieces are, and an object for each
// would take hundreds of times the room of its bytes.

import { MAX_BODY_BYTES } from "../../core/index.ts";

const EMPTY = new Uint8Array();

//= BODY-2
/**
 * At most MAX_BODY_BYTES, in a buffer of at most twice as many as have arrived, or as were announced. A body that comes in
 * one piece is that piece.
 */
export class BodyBuffer {
  readonly #announced: number;
  #buffer: Uint8Array = EMPTY;
  #size = 0;

  /** `announced`: bytes that are to come, if it is known; no room is made for them before the second piece. */
  constructor(announced: number = 0) {
    this.#announced = announced;
  }

  /** Keeps a piece; false, and keeps nothing of it, when that would be more than a body may have. */
  add(piece: Uint8Array): boolean {
    const size = this.#size + piece.length;
    if (size > MAX_BODY_BYTES) return false;
    if (this.#size === 0) this.#buffer = piece;
    else this.#append(piece, size);
    this.#size = size;
    return true;
  }

  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  #append(piece: Uint8Array, size: number): void {
    if (size > this.#buffer.length) this.#grow(size);
    this.#buffer.set(piece, this.#size);
  }

  /** `size`: what must find room now. What was announced may be any number: a client wrote it. */
  #grow(size: number): void {
    const wanted = this.#announced > size ? this.#announced : 2 * this.#size;
    const grown = new Uint8Array(Math.max(size, Math.min(wanted, MAX_BODY_BYTES)));
    grown.set(this.bytes);
    this.#buffer = grown;
  }
}
