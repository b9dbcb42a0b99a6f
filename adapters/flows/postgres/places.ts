// The places that cursors name. Flows have their numbers from one sequence for all owners, so that no owner's flows wait for each
// other; a cursor that showed the number would tell how many flows others make. So it shows another number, which only the
// database's key leads back: a permutation of 48 bits in four rounds (Feistel), another one for each owner.

import { createCipheriv, createHmac } from "node:crypto";

const ROUNDS = [0, 1, 2, 3] as const;
const HALF = 2 ** 24;

/** Numbers from 0 to this are places. */
const MOST = HALF * HALF - 1;

/** Bytes that the cipher takes and gives at once. */
const BLOCK = 16;

type Halves = readonly [left: number, right: number];

/** What a round mixes into one half for each other half; all in one call, because a page has many. */
type Mix = (round: number, halves: readonly number[]) => readonly number[];

const halvesOf = (number: number): Halves => [Math.floor(number / HALF), number % HALF];
const joined = ([left, right]: Halves): number => left * HALF + right;

export class Places {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  //= PG-10
  /** What cursors show for the flows with these numbers. */
  shown(owner: string, made: readonly number[]): readonly number[] {
    const mix = this.#mixOf(owner);
    let halves = made.map(halvesOf);
    for (const round of ROUNDS) {
      const mixed = mix(
        round,
        halves.map(([, right]) => right),
      );
      halves = halves.map(([left, right], at): Halves => [right, left ^ (mixed[at] ?? 0)]);
    }
    return halves.map(joined);
  }

  /** The number that a cursor stands for; one that no cursor shows stands for the beginning of the list. */
  made(owner: string, shown: number): number {
    if (shown > MOST) return MOST;
    const mix = this.#mixOf(owner);
    let [left, right] = halvesOf(shown);
    for (const round of ROUNDS.toReversed()) {
      const [mixed = 0] = mix(round, [left]);
      [left, right] = [right ^ mixed, left];
    }
    return joined([left, right]);
  }

  #mixOf(owner: string): Mix {
    const key = createHmac("sha256", this.#key).update(owner).digest().subarray(0, BLOCK);
    const cipher = createCipheriv("aes-128-ecb", key, null);
    return (round, halves) => {
      const blocks = Buffer.alloc(halves.length * BLOCK);
      for (const [at, half] of halves.entries()) {
        blocks.writeUInt8(round, at * BLOCK);
        blocks.writeUIntBE(half, at * BLOCK + 1, 3);
      }
      const mixed = cipher.update(blocks);
      return halves.map((_, at) => mixed.readUIntBE(at * BLOCK, 3));
    };
  }
}
