// Reads the committed results of the mutation runs: which mutants the tests of which clause kill, and which survive.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import * as z from "zod";
import { idsIn, read, ROOT } from "./clauses.ts";

/** The budgets: core/ and adapters/ are mutated apart, each with its own floor, percent. */
export const SUITES = [
  { name: "core", floor: 98 },
  { name: "adapters", floor: 85 },
] as const;

export type Suite = (typeof SUITES)[number];

/** Where the results of a suite are kept, packed. */
export const packOf = ({ name }: Suite): string => join(ROOT, "spec", "mutation", `${name}.json.gz`);

const position = z.object({ line: z.number(), column: z.number() });

const reportSchema = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.string(),
      mutants: z.array(
        z.object({
          status: z.string(),
          mutatorName: z.string(),
          replacement: z.string().optional(),
          location: z.object({ start: position, end: position }),
          killedBy: z.array(z.string()).optional(),
        }),
      ),
    }),
  ),
  testFiles: z.record(z.string(), z.object({ tests: z.array(z.object({ id: z.string(), name: z.string() })) })),
});

export type MutationReport = z.infer<typeof reportSchema>;

/** A mutant that no test killed: its line as it stands, and what the changed part became. */
export type Survivor = {
  readonly file: string;
  readonly line: number;
  readonly code: string;
  readonly was: string;
  readonly became: string;
  readonly status: string;
};

export type Equivalent = Pick<Survivor, "file" | "code" | "was" | "became"> & { readonly why: string };

export const readReport = (suite: Suite): MutationReport | undefined => {
  const file = packOf(suite);
  return existsSync(file) ? reportSchema.parse(JSON.parse(gunzipSync(readFileSync(file)).toString())) : undefined;
};

/** What is not mutated (see mutation.ts), and what has nothing to mutate. */
const UNMUTATED =
  /^adapters\/(?:conformance|openapi)\/|^adapters\/cli\/(?:main|process|signals|io|version)\.ts$|^core\/primitives\.ts$/u;

export const isMutated = (file: string): boolean => !UNMUTATED.test(file);

/** Whether the mutants of a file were tried on what it is now. */
export const isTried = (file: string, { files }: MutationReport): boolean => files[file]?.source === read(file);

type Location = MutationReport["files"][string]["mutants"][number]["location"];

/** The part of `source` that was changed, on one line. */
const partOf = (source: string, { start, end }: Location): string => {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  const last = lines.length - 1;
  return lines
    .map((line, index) => line.slice(index === 0 ? start.column - 1 : 0, index === last ? end.column - 1 : undefined))
    .join(" ")
    .replace(/\s+/gu, " ");
};

const DETECTED = new Set(["Killed", "Timeout"]);
const UNDETECTED = new Set(["Survived", "NoCoverage"]);

export const survivorsOf = ({ files }: MutationReport): readonly Survivor[] =>
  Object.entries(files).flatMap(([file, { source, mutants }]) =>
    mutants
      .filter(({ status }) => UNDETECTED.has(status))
      .map(({ location, replacement = "", status }) => ({
        file,
        line: location.start.line,
        code: (source.split("\n")[location.start.line - 1] ?? "").trim(),
        was: partOf(source, location),
        became: replacement.replace(/\s+/gu, " "),
        status,
      })),
  );

export type Score = {
  readonly detected: number;
  readonly timedOut: number;
  readonly total: number;
  readonly percent: number;
};

export const scoreOf = ({ files }: MutationReport): Score => {
  const statuses = Object.values(files).flatMap(({ mutants }) => mutants.map(({ status }) => status));
  const detected = statuses.filter((status) => DETECTED.has(status)).length;
  const total = detected + statuses.filter((status) => UNDETECTED.has(status)).length;
  const timedOut = statuses.filter((status) => status === "Timeout").length;
  return { detected, timedOut, total, percent: total === 0 ? 0 : (100 * detected) / total };
};

/** How many mutants the tests that name each clause kill. */
export const killsByClause = (report: MutationReport): ReadonlyMap<string, number> => {
  const names = new Map(
    Object.values(report.testFiles).flatMap(({ tests }) => tests.map(({ id, name }) => [id, idsIn(name)] as const)),
  );
  const kills = new Map<string, number>();
  for (const { mutants } of Object.values(report.files)) {
    for (const { killedBy = [] } of mutants) {
      for (const id of new Set(killedBy.flatMap((test) => names.get(test) ?? [])))
        kills.set(id, (kills.get(id) ?? 0) + 1);
    }
  }
  return kills;
};

const equivalentSchema = z.array(
  z.strictObject({ file: z.string(), code: z.string(), was: z.string(), became: z.string(), why: z.string().min(20) }),
);

/** The reviewed list of mutants that change nothing that anybody could see. */
export const readEquivalents = (): readonly Equivalent[] =>
  equivalentSchema.parse(JSON.parse(read("spec/equivalent.json")));

export const isSame = (a: Pick<Survivor, "file" | "code" | "was" | "became">, b: typeof a): boolean =>
  a.file === b.file && a.code === b.code && a.was === b.was && a.became === b.became;
