// The places that cursors name. Flows have their numbers from one sequence for all owners, so that no owner's flows wait for each
// other; a cursor that showed the number would tell how many flows others make. So it shows another number, which only the
// database's key leads back: a permutation of 48 bits in four rounds (Feistel), another one for each owner.

import { createHmac } from "node:crypto";

const ROUNDS = [0, 1, 2, 3] as const;
const HALF = 2 ** 24;

/** Numbers from 0 to this are places. */
const MOST = HALF * HALF - 1;

export class Places {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  //= PG-10
  /** What a cursor shows for the flow with this number. */
  shown(owner: string, made: number): number {
    let [left, right] = [Math.floor(made / HALF), made % HALF];
    for (const round of ROUNDS) [left, right] = [right, left ^ this.#mix(owner, round, right)];
    return left * HALF + right;
  }

  /** The number that a cursor stands for; one that no cursor shows stands for the beginning of the list. */
  made(owner: string, shown: number): number {
    if (shown > MOST) return MOST;
    let [left, right] = [Math.floor(shown / HALF), shown % HALF];
    for (const round of ROUNDS.toReversed()) [left, right] = [right ^ this.#mix(owner, round, left), left];
    return left * HALF + right;
  }

  #mix(owner: string, round: number, half: number): number {
    return createHmac("sha256", this.#key)
      .update(`${String(round)} ${String(half)} ${owner}`)
      .digest()
      .readUIntBE(0, 3);
  }
}
