// Whether the database takes writes: asked of it, at most twice a second, however many want to know.

import { BEGIN, type Connections } from "./pool.ts";
import { statement } from "./statement.ts";

/** Milliseconds for which an answer counts, and for which it is waited for. */
const FRESH_MS = 500;
const PATIENCE_MS = 2000;

const ASK = statement(
  "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS takes_writes",
);

export class Health {
  readonly #connections: Connections;
  #asked: Promise<boolean> | undefined;
  #freshUntil = 0;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  //= PG-3
  /** False too when it does not answer within two seconds. */
  isReady(): Promise<boolean> {
    if (this.#asked !== undefined && performance.now() < this.#freshUntil) return this.#asked;
    // until it is answered, all wait for the same answer
    this.#freshUntil = Number.POSITIVE_INFINITY;
    this.#asked = this.#ask().finally(() => {
      this.#freshUntil = performance.now() + FRESH_MS;
    });
    return this.#asked;
  }

  async #ask(): Promise<boolean> {
    const asked = this.#connections.run([BEGIN], [ASK]).then(
      ([answer]) => answer?.rows[0]?.["takes_writes"] === true,
      () => false,
    );
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, PATIENCE_MS, false);
    return Promise.race([asked, late]).finally(() => clearTimeout(timer));
  }
}
