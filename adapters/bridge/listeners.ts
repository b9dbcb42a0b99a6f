// Several listeners of a bridge as one.

import type { RequestEvent } from "../../core/index.ts";

export type EventListener = (event: RequestEvent) => void;

/** Tells all of them, in their order, also when one throws; then throws what the last of these has thrown. Undefined for none. */
export const listenerOf = (given: readonly (EventListener | undefined)[]): EventListener | undefined => {
  const listeners = given.filter((one) => one !== undefined);
  if (listeners.length < 2) return listeners[0];
  return (event) => {
    let failed: { readonly error: unknown } | undefined;
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        failed = { error };
      }
    }
    if (failed !== undefined) throw failed.error;
  };
};
