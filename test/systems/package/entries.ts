// The package as its package.json describes it: its entry points, and what an application gets with them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

export const ROOT = join(import.meta.dirname, "..", "..", "..");

const manifest = z.object({
  name: z.string(),
  exports: z.record(z.string(), z.union([z.string(), z.object({ types: z.string(), default: z.string() })])),
  peerDependenciesMeta: z.record(z.string(), z.unknown()),
});

export const PACKAGE = manifest.parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));

/** Entry points with code, as `exports` writes them: ".", "./fetch", … */
export const ENTRIES: readonly string[] = Object.entries(PACKAGE.exports)
  .filter(([, target]) => typeof target !== "string")
  .map(([entry]) => entry);

/** Entry points that promise to run in every JavaScript runtime. */
const EVERYWHERE: readonly string[] = [".", "./fetch", "./memory"];

export const runsEverywhere = (entry: string): boolean => EVERYWHERE.includes(entry);

/** "./fetch" as an application imports it. */
export const specifier = (entry: string): string => PACKAGE.name + entry.slice(1);

/** Each entry point's source file, as the examples import it. */
const SOURCES: ReadonlyMap<string, string> = new Map(
  Object.entries(PACKAGE.exports).map(([entry, target]) => {
    const built = typeof target === "string" ? target : target.default;
    return [built.replace(/^\.\/dist\/(.*)\.js$/u, "../../$1.ts"), specifier(entry)];
  }),
);

/** An example as an application would have it: the package's names in place of this repository's files. */
export const asPackage = (source: string): string =>
  source.replace(/"(\.\.\/[^"]*)"/gu, (_quoted, path: string) => `"${SOURCES.get(path) ?? path}"`);
