// The few assertions that the suites need, so that they run under any test runner on any platform.

const sorted = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, sorted(v)]),
  );
};

/** JSON with sorted members, for comparison and messages. */
export const canonical = (value: unknown): string => JSON.stringify(sorted(value)) ?? "undefined";

export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
}

/** Throws `expectation` unless `holds`. */
export const check = (holds: boolean, expectation: string): void => {
  if (!holds) throw new ConformanceError(expectation);
};

/** The first place where two JSON values differ, with both values there. */
const differenceOf = (actual: unknown, expected: unknown, path: string): string => {
  const [got, wanted]: readonly [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>] = [
    Object(actual),
    Object(expected),
  ];
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(got)])];
  const isComparable =
    typeof actual === "object" && typeof expected === "object" && actual !== null && expected !== null;
  const name = isComparable ? names.find((one) => canonical(got[one]) !== canonical(wanted[one])) : undefined;
  if (name !== undefined) return differenceOf(got[name], wanted[name], path === "" ? name : `${path}.${name}`);
  return `differs at ${path || "the top"}: expected ${canonical(expected)}, got ${canonical(actual)}`;
};

/** Throws unless both are the same JSON. */
export const same = (actual: unknown, expected: unknown, subject: string): void => {
  const [got, wanted] = [canonical(actual), canonical(expected)];
  if (got === wanted) return;
  const difference = differenceOf(actual, expected, "");
  throw new ConformanceError(`${subject}: ${difference}\n  expected: ${wanted}\n  actual:   ${got}`);
};
