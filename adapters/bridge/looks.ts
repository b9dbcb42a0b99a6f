// Looks at flows in turn, at a bounded rate in all, for a store that does not tell of all changes.

import { lookEveryMs } from "../../core/index.ts";

/** What is looked at. */
export type Looked = { readonly isReading: boolean; readonly look: () => void };

//= WAIT-4
export class Looks {
  readonly #clock: () => number;
  /** The next one to be looked at stands first. */
  readonly #flows = new Set<Looked>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lookedAt = 0;

  /** `clock`: monotonic milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  add(flow: Looked): void {
    if (this.#flows.size === 0) this.#lookedAt = this.#clock();
    this.#flows.add(flow);
    this.#schedule();
  }

  remove(flow: Looked): void {
    if (this.#flows.delete(flow) && this.#flows.size === 0) clearTimeout(this.#timer);
  }

  /** The more flows there are, the sooner comes the next look. */
  #schedule(): void {
    clearTimeout(this.#timer);
    const gapMs = lookEveryMs(this.#flows.size);
    const inMs = this.#lookedAt + gapMs - this.#clock();
    this.#timer = setTimeout(() => this.#lookAtNext(), Math.min(gapMs, Math.max(0, inMs)));
  }

  #lookAtNext(): void {
    this.#lookedAt = this.#clock();
    const [flow] = this.#flows;
    if (flow === undefined) return;
    this.#flows.delete(flow);
    this.#flows.add(flow);
    this.#schedule();
    if (!flow.isReading) flow.look();
  }
}
