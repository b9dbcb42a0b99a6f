// Notices that another process has written to the file, while anyone wants to know of it.

import type { Result } from "neverthrow";
import type { StoreFault } from "../engine.ts";

/** Milliseconds between two looks. */
const LOOK_MS = 1000;

/** `version`: another number after each write of another process. `notice`: told after such a write, and while there is none. */
export type OtherWritersOptions = {
  readonly version: () => Result<number, StoreFault>;
  readonly notice: () => void;
};

//= WAIT-4
/** Looks once a second, between `watch(true)` and `watch(false)`: one query for all who want to know. */
export class OtherWriters {
  readonly #options: OtherWritersOptions;
  #timer: NodeJS.Timeout | undefined;
  #seen: number | undefined;

  constructor(options: OtherWritersOptions) {
    this.#options = options;
  }

  watch(isWanted: boolean): void {
    clearInterval(this.#timer);
    this.#timer = isWanted ? setInterval(() => this.#look(), LOOK_MS).unref() : undefined;
    if (isWanted) this.#seen = this.#options.version().unwrapOr(undefined);
  }

  /** A file that cannot be looked at is noticed each time, so that those who wait learn of it from the store. */
  #look(): void {
    const version = this.#options.version().unwrapOr(undefined);
    if (version !== undefined && version === this.#seen) return;
    this.#seen = version;
    this.#options.notice();
  }
}
