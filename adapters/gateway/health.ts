// What `openclaw health` shows of this plugin: one sentence that joins the lines of all its parts.

import type { ServiceHealth } from "./api.ts";

/** `routes`: not live by their configuration. `paths`: not granted by the Gateway. `callbacks`: not delivered. */
export type Part = "routes" | "paths" | "callbacks";

export class Health {
  #health: ServiceHealth | undefined;
  readonly #lines = new Map<Part, readonly string[]>();

  /** Undefined: nobody is told. */
  attach(health: ServiceHealth | undefined): void {
    this.#health = health;
    this.#update();
  }

  /** The lines that hold for `part` now. */
  set(part: Part, lines: readonly string[]): void {
    this.#lines.set(part, lines);
    this.#update();
  }

  of(part: Part): readonly string[] {
    return this.#lines.get(part) ?? [];
  }

  #update(): void {
    const lines = [...this.of("routes"), ...this.of("paths"), ...this.of("callbacks")];
    try {
      if (lines.length === 0) this.#health?.clearFailure();
      else this.#health?.reportFailure(new Error(lines.join(" ")));
    } catch {
      // the log has the same lines
    }
  }
}
