// Reads the traces that the model writes in `npm run spec`: the state after each step, with the call that led to it.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "..", "..", "..", ".cache", "spec");

type Raw = string | number | boolean | readonly Raw[] | { readonly [field: string]: Raw };

/** A value of the model: integers, texts, lists, records, sum types as `{ tag, value }`, and maps as Map. */
export type Itf = string | number | boolean | Itf[] | Map<Itf, Itf> | { [field: string]: Itf };

const decodeObject = (value: { readonly [field: string]: Raw }): Itf => {
  if ("#bigint" in value) return Number(value["#bigint"]);
  if ("#map" in value) {
    const pairs = value["#map"] as readonly (readonly [Raw, Raw])[];
    return new Map(pairs.map(([key, one]) => [decode(key), decode(one)]));
  }
  if ("#set" in value) return (value["#set"] as readonly Raw[]).map(decode);
  if ("#tup" in value) return (value["#tup"] as readonly Raw[]).map(decode);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== "#meta")
      .map(([name, one]) => [name.split("::").at(-1) ?? name, decode(one)]),
  );
};

const decode = (value: Raw): Itf => {
  if (typeof value !== "object") return value;
  return Array.isArray(value) ? value.map(decode) : decodeObject(value as { readonly [field: string]: Raw });
};

export type Trace<State> = { readonly name: string; readonly states: readonly State[] };

/** All traces of one module. Throws if there are none, because an empty replay would show nothing. */
export const tracesOf = <State>(module: string): readonly Trace<State>[] => {
  const files = readdirSync(FOLDER).filter((file) => file.startsWith(`${module}_`) && file.endsWith(".itf.json"));
  if (files.length === 0) throw new Error(`no traces of ${module}: run npm run spec`);
  return files.map((name) => {
    const { states } = JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as { states: readonly Raw[] };
    return { name, states: states.map(decode) as State[] };
  });
};
