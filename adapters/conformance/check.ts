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

/** The first place where two values of JSON differ, and what stands there. */
const differenceOf = (actual: unknown, expected: unknown, path: string): string => {
  const [found, wanted]: readonly [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>] = [
    Object(actual),
    Object(expected),
  ];
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(found)])];
  const isComparable =
    typeof actual === "object" && typeof expected === "object" && actual !== null && expected !== null;
  const name = isComparable ? names.find((one) => canonical(found[one]) !== canonical(wanted[one])) : undefined;
  if (name !== undefined) return differenceOf(found[name], wanted[name], path === "" ? name : `${path}.${name}`);
  return `differs at ${path || "the top"}: expected ${canonical(expected)}, got ${canonical(actual)}`;
};

/** Throws unless both are the same JSON. */
export const same = (actual: unknown, expected: unknown, what: string): void => {
  const [found, wanted] = [canonical(actual), canonical(expected)];
  if (found === wanted) return;
  const difference = differenceOf(actual, expected, "");
  throw new ConformanceError(`${what}: ${difference}\n  expected: ${wanted}\n  actual:   ${found}`);
};
