const [NAME]: readonly string[] = ["then"];

/** `object` with a `then` that `get` says anew at each read. */
export const changingThen = <T extends object>(object: T, get: () => unknown): T =>
  Object.defineProperty(object, NAME ?? "", { get });

/** An object with a `then` of any kind, as a host may hand it over. */
export const withThen = (then: unknown, object: object = {}): object => changingThen(object, () => then);

/** Can be awaited, and is no promise. */
export const thenable = <T>(value: T, object: object = {}): object =>
  withThen((resolve: (value: T) => void) => resolve(value), object);
