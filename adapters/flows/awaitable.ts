// A value or a promise of it. In-process stores answer at once; awaiting them costs as much as building the answer.

export type Awaitable<T> = T | Promise<T>;

/** Gives everything else that waits its turn. */
export const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** Whether a value can be awaited, a promise or not. */
export const isPromiseLike = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  ((typeof value === "object" && value !== null) || typeof value === "function") &&
  "then" in value &&
  typeof value.then === "function";

/** A promise of our own for one of other code, whose `then` and `constructor` may do anything: what they throw is a rejection. */
export const adopt = <T>(later: PromiseLike<T>): Promise<T> => new Promise((resolve) => resolve(later));

/** What `use` makes of the value, at once when it is there. */
export const mapAwaitable = <T, U>(value: T | PromiseLike<T>, use: (value: T) => U): Awaitable<U> =>
  isPromiseLike(value) ? adopt(value).then(use) : use(value);
