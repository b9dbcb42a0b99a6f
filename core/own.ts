// Reads values of unknown shape: own properties only, so that no name reaches a prototype.

/** An object or an array, whose members may be anything. */
export type Named = Readonly<Record<string | number, unknown>>;

/** Whether `value` is an object or an array. */
export const isNamed = (value: unknown): value is Named => typeof value === "object" && value !== null;

/** Whether `value` is an object: not null and not an array. */
export const isObject = (value: unknown): value is object => isNamed(value) && !Array.isArray(value);

/** The value of the own property `name` of an object or an array, read once; undefined for anything else. */
export const own = (value: unknown, name: string | number): unknown =>
  isNamed(value) && Object.hasOwn(value, name) ? value[name] : undefined;
