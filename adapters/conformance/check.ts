// What a suite needs of an assertion library, for the suites run under any test runner on any platform.

const sorted = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
};

/** JSON with its members in order, for comparing and showing. */
export const canonical = (value: unknown): string => JSON.stringify(sorted(value)) ?? "undefined";

export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

/** Throws unless `holds`; `what` says what must hold. */
export const check = (holds: boolean, what: string): void => {
  if (!holds) throw new ConformanceError(what);
};

/** Throws unless both are the same JSON. */
export const same = (actual: unknown, expected: unknown, what: string): void => {
  const [found, wanted] = [canonical(actual), canonical(expected)];
  if (found !== wanted) throw new ConformanceError(`${what}\n  expected: ${wanted}\n  actual:   ${found}`);
};
