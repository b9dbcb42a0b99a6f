// Reads values of unknown shape: own properties only, so that no name reaches a prototype.

/** Whether `value` is an object: not null and not an array. */
export const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNamed = (value: unknown): value is Readonly<Record<string | number, unknown>> =>
  typeof value === "object" && value !== null;

/** The value of the own property `name` of an object or an array, read once; undefined for anything else. */
export const own = (value: unknown, name: string | number): unknown =>
  isNamed(value) && Object.hasOwn(value, name) ? value[name] : undefined;
