// Reads values of any shape, as they come out of a file: own members only, so that no name reaches a prototype.

export const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;

export const at = (value: unknown, ...path: readonly string[]): unknown => path.reduce(member, value);

/** The process's environment, or what a test takes for it. */
export type Env = Readonly<Record<string, string | undefined>>;
