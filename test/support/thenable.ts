/** An object with a `then` of any kind, as a host may hand it over. */
export const withThen = (then: unknown): object => {
  const [name, answer]: readonly [string, Record<string, unknown>] = ["then", {}];
  answer[name] = then;
  return answer;
};

/** Can be awaited, and is no promise. */
export const thenable = <T>(value: T): object => withThen((resolve: (value: T) => void) => resolve(value));
