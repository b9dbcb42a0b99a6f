// Who wants to know that a flow may have changed. A store tells of its own writes; what others write in its host or its file it
// may notice later, or not at all.

/** `flowId`: undefined when it may be any flow of the session. */
export type ChangeListener = (flowId: string | undefined) => void;

export class FlowChanges {
  readonly #listeners = new Map<string, Set<ChangeListener>>();

  /** Calls `listener` for each change of a flow of `owner`, until the function that comes back is called. It must not throw. */
  watch(owner: string, listener: ChangeListener): () => void {
    const listeners = this.#listeners.get(owner) ?? new Set();
    this.#listeners.set(owner, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(owner) === listeners) this.#listeners.delete(owner);
    };
  }

  /** Whether anyone wants to know anything. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  tell(owner: string, flowId: string): void {
    const listeners = this.#listeners.get(owner);
    if (listeners === undefined) return;
    for (const listener of listeners) listener(flowId);
  }

  /** Any flow of any session may have changed. */
  tellAll(): void {
    for (const listeners of this.#listeners.values()) {
      for (const listener of listeners) listener(undefined);
    }
  }
}
