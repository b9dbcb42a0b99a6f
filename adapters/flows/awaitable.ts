// A value that may be there already: a store in this process answers at once, and waiting for it would cost a request as
// much as the answer itself.

/** The value, or the promise of it. */
export type Soon<T> = T | Promise<T>;

/** Whether somebody's answer is still to come: anything that can be awaited, a promise or not. */
export const isLater = <T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> =>
  ((typeof answer === "object" && answer !== null) || typeof answer === "function") &&
  "then" in answer &&
  typeof answer.then === "function";

/** A promise of our own for it: whatever awaiting it throws becomes a rejection. */
export const awaited = async <T>(later: PromiseLike<T>): Promise<T> => later;

/** What `use` makes of the value, as soon as it is there. */
export const whenThere = <T, U>(value: T | PromiseLike<T>, use: (value: T) => U): Soon<U> =>
  isLater(value) ? awaited(value).then(use) : use(value);
