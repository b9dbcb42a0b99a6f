// Follows the Gateway's configuration while no request comes.

/**
 * Milliseconds from one look to the next. The Gateway tells plugins of no reload of secrets, and 2026.8.2 of no edit either;
 * a look compares two objects and takes some microseconds.
 */
export const LOOK_MS = 250;

export class ConfigWatch {
  readonly #look: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(look: () => void) {
    this.#look = look;
  }

  start(): void {
    this.stop();
    this.#timer = setInterval(() => this.#tick(), LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    try {
      this.#look();
    } catch {
      // the next request looks again; what a timer throws would end the Gateway
    }
  }
}
