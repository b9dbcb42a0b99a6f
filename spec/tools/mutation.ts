// npm run mutation [core|adapters] [--retry] [--force] [--only=FILE,FILE]: mutates the code, runs the tests on each mutant, and
// holds the result against the floor and the reviewed list of equivalent mutants. Results are kept between runs, packed, in
// spec/mutation: only mutants that a change touches run again; --retry also those that were not found, --force all.
// With --only nothing but these files is mutated, and the results of all others stay as they are.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { ROOT } from "./clauses.ts";
import { type Results, withoutUndetected, withOthersAsBefore } from "./kept-results.ts";
import {
  isSame,
  packOf as packed,
  readEquivalents,
  readReport,
  scoreOf,
  type Suite,
  SUITES,
  survivorsOf,
} from "./mutants.ts";

const incremental = ({ name }: Suite): string => join(ROOT, "reports", `stryker-${name}.json`);

/** What the command line says. `only`: files, or none for all. */
type Asked = { readonly isForced: boolean; readonly retries: boolean; readonly only: readonly string[] };

const readPacked = (suite: Suite): Results | undefined =>
  existsSync(packed(suite)) ? JSON.parse(gunzipSync(readFileSync(packed(suite))).toString()) : undefined;

/** Stryker does not see that a test says more than before: what was not found, and may be by now, is tried again. */
const unpack = (suite: Suite, { retries, only }: Asked): void => {
  mkdirSync(join(ROOT, "reports"), { recursive: true });
  const results = readPacked(suite);
  if (results === undefined) return;
  writeFileSync(incremental(suite), JSON.stringify(retries ? withoutUndetected(results, only) : results));
};

/** What Stryker compares with later; where it ran and how each mutant died is left out. */
const kept = (results: Results): string =>
  JSON.stringify(results, (name, value: unknown) =>
    ["projectRoot", "config", "framework", "statusReason"].includes(name) ? undefined : value,
  );

/** Packed anew only when something changed. */
const pack = (suite: Suite, { only }: Asked): void => {
  const before = readPacked(suite);
  const results: Results = JSON.parse(readFileSync(incremental(suite), "utf8"));
  const isWhole = before === undefined || only.length === 0;
  const now = kept(isWhole ? results : withOthersAsBefore(results, before, only));
  if (before !== undefined && now === kept(before)) return;
  mkdirSync(join(ROOT, "spec", "mutation"), { recursive: true });
  writeFileSync(packed(suite), gzipSync(now, { level: 9 }));
};

/**
 * Not mutated: the suites of `conformance`, which are tests themselves, the texts and tables of the OpenAPI document, which
 * its own tests compare with the core's schemas and with real replies, and what is a process only: the start of the command
 * line and its signals, which `npm run test:standalone` tries.
 */
const ADAPTERS = {
  mutate: [
    "adapters/**/*.ts",
    "!adapters/conformance/**",
    "!adapters/openapi/**",
    "!adapters/cli/{main,process,signals,io,version}.ts",
  ],
  concurrency: 6,
  timeoutMS: 8000,
  thresholds: { high: 100, low: 90, break: 85 },
  disableBail: false,
};

/** Stryker's configuration of a suite: stryker.conf.json, which is the core's, with what differs for the adapters. */
const configOf = ({ name }: Suite): string => {
  if (name === "core") return "stryker.conf.json";
  const written = join("reports", `stryker.${name}.conf.json`);
  const core = JSON.parse(
    readFileSync(join(ROOT, "stryker.conf.json"), "utf8").replaceAll("core.json", `${name}.json`),
  );
  const config = { ...core, ...ADAPTERS, tempDirName: `.stryker-${name}` };
  writeFileSync(join(ROOT, written), JSON.stringify(config, undefined, 2));
  return written;
};

const stryker = (suite: Suite, { isForced, only }: Asked): boolean => {
  const own = only.filter((file) => file.startsWith(`${suite.name}/`));
  const files = own.length === 0 ? [] : ["--mutate", own.join(",")];
  const args = ["run", configOf(suite), ...(isForced ? ["--force"] : []), ...files];
  const env = { ...process.env, SUITE: `mutants-${suite.name}` };
  const command = join(ROOT, "node_modules", ".bin", "stryker");
  return spawnSync(command, args, { cwd: ROOT, stdio: "inherit", env }).status === 0;
};

/** What must be mended: a score below the floor, an unlisted survivor of the core, a listed mutant that is none. */
const verdictOf = (suite: Suite): readonly string[] => {
  const report = readReport(suite);
  if (report === undefined) return [`${suite.name}: Stryker wrote no report`];
  const { detected, timedOut, total, percent } = scoreOf(report);
  const survivors = survivorsOf(report);
  const listed = readEquivalents().filter(({ file }) => file.startsWith(`${suite.name}/`));
  const unlisted = survivors.filter((one) => !listed.some((known) => isSame(known, one)));
  const stale = listed.filter((known) => !survivors.some((one) => isSame(known, one)));
  const figures = `${String(detected)} of ${String(total)} mutants found (${String(timedOut)} by time)`;
  console.log(`${suite.name}: ${percent.toFixed(2)} %, ${figures}, ${String(listed.length)} listed as equivalent`);
  const told = (kind: string) => (one: { file: string; code: string; was: string; became: string }) =>
    `${suite.name}: ${kind}: ${one.file}: ${one.code}\n    ${one.was}  ->  ${one.became}`;
  return [
    ...(percent < suite.floor ? [`${suite.name}: ${percent.toFixed(2)} % is below ${String(suite.floor)} %`] : []),
    ...(suite.name === "core" ? unlisted.map(told("survives and is not listed")) : []),
    ...stale.map(told("is listed and does not survive")),
  ];
};

const run = (suite: Suite, asked: Asked): readonly string[] => {
  unpack(suite, asked);
  if (!stryker(suite, asked)) return [`${suite.name}: Stryker failed`];
  pack(suite, asked);
  return verdictOf(suite);
};

const words = process.argv.slice(2);
const unknown = words.find((word) => !/^(?:core|adapters|--retry|--force|--only=.+)$/u.test(word));
if (unknown !== undefined) {
  console.error(`${unknown} is not known. Give core or adapters, --retry, --force, --only=FILE,FILE.`);
  process.exit(2);
}
const asked: Asked = {
  isForced: words.includes("--force"),
  retries: words.includes("--retry"),
  only: words.flatMap((word) => /^--only=(.+)$/u.exec(word)?.[1]?.split(",") ?? []),
};
const isAsked = ({ name }: Suite): boolean =>
  asked.only.length === 0 ? words.includes(name) : asked.only.some((file) => file.startsWith(`${name}/`));
const chosen = SUITES.filter(isAsked);
const problems = (chosen.length === 0 ? SUITES : chosen).flatMap((suite) => run(suite, asked));
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
