// Checks what an embedding host without a type checker passes, before anything is made of it.

import { isObject, own, printable } from "../../core/index.ts";
import { Misuse } from "./misuse.ts";

/** By the option's name: whether a value is right, and what to say of it if not. */
export type Shapes = Readonly<Record<string, readonly [isRight: (value: unknown) => boolean, hint: string]>>;

export const isText = (value: unknown): boolean => typeof value === "string";

export const isFunction = (value: unknown): boolean => typeof value === "function";

/** Methods may be inherited. */
export const hasMethods =
  (...names: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "object" && value !== null && names.every((name) => isFunction(Reflect.get(value, name)));

/** `flows`: the only option that has no default, besides `config`, without which no route is served. */
const isRequired = (name: string): boolean => name === "flows";

/** A line for each option that does not exist. Throws a Misuse when another one is missing or wrong. */
export const checkOptions = (options: unknown, shapes: Shapes): readonly string[] => {
  if (!isObject(options)) throw new Misuse("The options must be an object with config and flows.");
  const wrong = Object.entries(shapes).flatMap(([name, [isRight, hint]]) => {
    const value: unknown = Reflect.get(options, name);
    return isRight(value) || (value === undefined && !isRequired(name)) ? [] : [`The option ${name} ${hint}.`];
  });
  if (wrong.length > 0) throw new Misuse(wrong.join(" "));
  const known = Object.keys(shapes);
  return Object.keys(options)
    .filter((name) => own(shapes, name) === undefined)
    .map((name) => `${printable(name)} is not an option. The options are ${known.join(", ")}.`);
};
