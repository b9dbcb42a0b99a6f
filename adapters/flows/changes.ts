// Who wants to know that a flow may have changed. A store tells of its own writes; what others write in its host or its file it
// may notice later, or not at all.

/** `flowId`: undefined when it may be any flow of the session. */
export type ChangeListener = (flowId: string | undefined) => void;

/** What a store may offer to requests that wait for a flow. */
export interface ChangeSource {
  /** Calls `listener` for each change of a flow of `owner`, until the function that comes back is called. It must not throw. */
  watch(owner: string, listener: ChangeListener): () => void;
}

const ignore = (): void => undefined;

export class FlowChanges implements ChangeSource {
  readonly #listeners = new Map<string, Set<ChangeListener>>();
  readonly #onWatched: (isWatched: boolean) => void;

  /** `onWatched`: told when the first one wants to know, before `watch` returns, and when nobody does any more. */
  constructor(onWatched: (isWatched: boolean) => void = ignore) {
    this.#onWatched = onWatched;
  }

  watch(owner: string, listener: ChangeListener): () => void {
    const listeners = this.#listeners.get(owner) ?? new Set();
    const isFirst = !this.isWatched;
    this.#listeners.set(owner, listeners.add(listener));
    if (isFirst) this.#onWatched(true);
    return () => {
      if (!listeners.delete(listener) || listeners.size > 0) return;
      this.#listeners.delete(owner);
      if (!this.isWatched) this.#onWatched(false);
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

  /** A flow of some session has changed. */
  tellOne(flowId: string): void {
    for (const listeners of this.#listeners.values()) {
      for (const listener of listeners) listener(flowId);
    }
  }

  /** Any flow of any session may have changed. */
  tellAll(): void {
    for (const listeners of this.#listeners.values()) {
      for (const listener of listeners) listener(undefined);
    }
  }
}
