// Limits and stores that answer later, as those over a network do: other requests come between a question and its answer.

import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../../adapters/flows/embedded-store.ts";
import type { Decided, FlowEngine, StoreFault } from "../../adapters/flows/engine.ts";
import { MemoryEngine } from "../../adapters/flows/memory/store.ts";
import { ok, type Result } from "neverthrow";
import type { Needs, Stored } from "../../core/index.ts";

/** Lets everything else run that can. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** `value`, after a turn. */
export const later = async <T>(value: T): Promise<T> => {
  await turn();
  return value;
};

/** The rows of the memory engine behind promises, with a lock for those that write. */
export class LaterEngine implements FlowEngine {
  readonly #rows = new MemoryEngine();
  #lock: Promise<unknown> = Promise.resolve();

  transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Promise<Result<T, StoreFault>> {
    const work = (): Promise<Result<T, StoreFault>> => this.#work(needs, decide);
    if (!needs.writes) return work();
    const done = this.#lock.then(work);
    this.#lock = done.catch(() => undefined);
    return done;
  }

  async #work<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Promise<Result<T, StoreFault>> {
    await turn();
    const loaded = this.#rows.transact(needs, (stored) => ({ writes: [], stored }))._unsafeUnwrap();
    await turn();
    const decision = decide(loaded.stored);
    this.#rows.transact({ ...needs, load: [] }, () => decision);
    return later(ok(decision));
  }
}

/** An empty store that answers later. */
export const laterFlows = (options: Partial<EmbeddedOptions> = {}): EmbeddedFlows =>
  createEmbeddedStore(new LaterEngine(), { now: Date.now, newId: () => crypto.randomUUID(), ...options });
