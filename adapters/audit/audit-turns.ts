// Events wait for the end of the event loop's turn, so that one write to the audit file serves all requests that end in it. Their
// answers wait as long: a write for each line cost a request that reads a flow 8 % of its CPU.

import type { RequestEvent } from "../../core/index.ts";

/** Events of one turn that are written before it ends, so that a turn that answers many requests holds few of them. */
const MOST = 256;

export class AuditTurns {
  readonly #write: (events: readonly RequestEvent[]) => void;
  #events: RequestEvent[] = [];
  #kept: Promise<void> | undefined;

  /** `write` must not throw. */
  constructor(write: (events: readonly RequestEvent[]) => void) {
    this.#write = write;
  }

  //= AUDIT-5
  /** Resolves once all events that were added are written; undefined when they are. */
  get kept(): Promise<void> | undefined {
    return this.#kept;
  }

  readonly add = (event: RequestEvent): void => {
    this.#events.push(event);
    if (this.#events.length >= MOST) this.#writeAll();
    this.#kept ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#kept = undefined;
        this.flush();
        resolve();
      });
    });
  };

  /** Writes what waits, for those who close the file or go on in another one. */
  flush(): void {
    if (this.#events.length > 0) this.#writeAll();
  }

  #writeAll(): void {
    const events = this.#events;
    this.#events = [];
    this.#write(events);
  }
}
