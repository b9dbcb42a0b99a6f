// What is made once for all who ask within some time, so that asking often costs no more than that.

/**
 * Calls `make` when `ms` milliseconds have passed since its last result. A promise is shared, too, also one that rejects; what throws
 * is made anew.
 */
export const shared = <T>(make: () => T, ms: number, clock: () => number = () => performance.now()): (() => T) => {
  let made: { readonly at: number; readonly value: T } | undefined;
  return () => {
    const at = clock();
    if (made === undefined || at - made.at >= ms) made = { at, value: make() };
    return made.value;
  };
};
