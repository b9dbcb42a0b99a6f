// npm run spec:selftest: plants known bugs, one by one, in a copy of the tree, and shows which layer sees each. A bug
// that no layer sees is a hole in the spec. Then faults of the model alone. Takes a while; name bugs, or invariants for
// the model's faults, to run only these.

import { execFile } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bug, BUGS, type Edit, type ModelFault } from "./bugs.ts";
import { filesIn, read, ROOT } from "./clauses.ts";
import { MODEL_FAULTS } from "./model-faults.ts";
import { check, moduleOf } from "./quint.ts";

const COPIED = [
  "core",
  "adapters",
  "assets",
  "spec",
  "test",
  "package.json",
  "tsconfig.json",
  "vitest.config.ts",
  "openclaw.plugin.json",
  "README.md",
];
const LEFT_OUT = /(?:^|\/)test\/systems\/(?:host|host-oldest)(?:\/|$)/u;

const copyTree = (): string => {
  const tree = mkdtempSync(join(tmpdir(), "selftest-"));
  // some tests run the code as another user
  chmodSync(tree, 0o755);
  for (const name of COPIED) {
    cpSync(join(ROOT, name), join(tree, name), { recursive: true, filter: (path) => !LEFT_OUT.test(path) });
  }
  for (const name of ["node_modules", ".cache"]) symlinkSync(join(ROOT, name), join(tree, name));
  return tree;
};

/** Applies the edits; each must fit exactly once, or the list of bugs is out of date. */
const plant = (tree: string, edits: readonly Edit[]): (() => void) => {
  const before = new Map<string, string>();
  for (const { file, was, becomes } of edits) {
    const path = join(tree, file);
    const text = readFileSync(path, "utf8");
    if (text.split(was).length !== 2) throw new Error(`${file}: not there exactly once:\n${was}`);
    if (!before.has(path)) before.set(path, text);
    writeFileSync(
      path,
      text.replace(was, () => becomes),
    );
  }
  return () => before.forEach((text, path) => writeFileSync(path, text));
};

const BIN = join(ROOT, "node_modules", ".bin");

/** The titles of the tests that fail among those of a clause in the files, or among all of them. */
type Failing = (tree: string, files: readonly string[], clause?: string) => Promise<readonly string[]>;

/** `folders`: where its tests are. */
type Layer = { readonly name: string; readonly failing: Failing; readonly folders: readonly string[] };

const OPTIONS = { maxBuffer: 256 << 20, timeout: 300_000 };

/** `suite`: of vitest.config.ts. */
const vitest =
  (suite: string): Failing =>
  (tree, files, clause) =>
    new Promise((resolve) => {
      const report = join(tree, "report.json");
      rmSync(report, { force: true });
      const options = { ...OPTIONS, cwd: tree, env: { ...process.env, FC_NO_SHRINK: "1", SUITE: suite } };
      const wanted = clause === undefined ? ["--exclude", LEFT] : ["-t", `\\b${clause}\\b`];
      const args = ["run", ...files, ...wanted, "--reporter=json", `--outputFile=${report}`];
      execFile(join(BIN, "vitest"), args, options, () => {
        if (!existsSync(report)) return resolve(["(did not run)"]);
        const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
          testResults: { assertionResults: { status: string; title: string }[]; status: string; name: string }[];
        };
        const titles = testResults.flatMap(({ assertionResults, status, name }) =>
          assertionResults.length === 0 && status === "failed"
            ? [`${name}: (does not load)`]
            : assertionResults.filter((one) => one.status === "failed").map(({ title }) => title),
        );
        resolve(titles);
      });
    });

/** Tests that start servers, which are those of test:scale. */
const servers: Failing = (tree, files, clause) =>
  new Promise((resolve) => {
    const wanted = clause === undefined ? [] : ["--test-name-pattern", `\\b${clause}\\b`];
    const args = ["--test", "--test-force-exit", "--test-timeout=120000", "--test-reporter=tap", ...wanted, ...files];
    execFile(join(BIN, "tsx"), args, { ...OPTIONS, cwd: tree }, (_, out) =>
      resolve([...out.matchAll(/^not ok \d+ - (.*)$/gmu)].map(([, title = ""]) => title)),
    );
  });

const LAYERS: readonly Layer[] = [
  { name: "properties", failing: vitest("tests"), folders: ["test/core", "test/adapters"] },
  { name: "exhaustive", failing: vitest("model"), folders: ["test/model/exhaustive"] },
  { name: "replay", failing: vitest("model"), folders: ["test/model/replay"] },
  { name: "servers", failing: servers, folders: ["test/systems/scale"] },
];

/** The recorded traces see most bugs, and belong to no clause. */
const LEFT = "test/adapters/golden.test.ts";

/** The files of a layer that have tests of the clause. */
const filesOf = ({ folders }: Layer, clause: string): readonly string[] =>
  folders.flatMap((folder) => filesIn(folder, ".test.ts")).filter((file) => read(file).includes(clause));

/** The titles of a clause's tests that fail; those of other clauses are not run. */
const failingOf = async (tree: string, layer: Layer, clause: string): Promise<readonly string[]> => {
  const files = filesOf(layer, clause);
  return files.length === 0 ? [] : layer.failing(tree, files, clause);
};

const clausesIn = (titles: readonly string[]): string =>
  [...new Set(titles.flatMap((title) => title.match(/^(?:[A-Z]+-\d+(?:, )?)+/u)?.[0].split(", ") ?? []))].join(" ");

/** The invariant that reports the fault, looked at alone, because the first one that is broken ends a run; or nothing. */
const modelSays = async (tree: string, fault: ModelFault): Promise<string> => {
  const undo = plant(tree, [fault]);
  const name = fault.file.replace(/^spec\/|\.qnt$/gu, "");
  const folder = join(tree, "spec");
  const module = { ...moduleOf(name, folder), invariants: [fault.breaks], witnesses: [] };
  const plan = { folder, seed: "0x5eed", samples: 1000, steps: 25, examples: false, written: 0, traces: tree };
  const { problems } = await check(module, plan);
  undo();
  if (problems.some((problem) => problem.includes("[violation]"))) return fault.breaks;
  return problems.length === 0 ? "" : "(does not run)";
};

const trial = async (tree: string, bug: Bug): Promise<readonly string[]> => {
  const undo = plant(tree, bug.code);
  const seen: string[] = [];
  for (const layer of LAYERS) {
    const titles = await failingOf(tree, layer, bug.clause);
    seen.push(titles.length === 0 ? "" : clausesIn(titles) || "(other tests)");
  }
  undo();
  return [...seen, bug.model === undefined ? "–" : await modelSays(tree, bug.model)];
};

const missed = ({ file, was, breaks }: ModelFault): string => `${file}: ${breaks} does not report a change of ${was}`;

const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

const asked = process.argv.slice(2);
const isAsked = (name: string): boolean => asked.length === 0 || asked.some((part) => name.includes(part));
const bugs = BUGS.filter(({ name }) => isAsked(name));
const faults = MODEL_FAULTS.filter(({ breaks }) => isAsked(breaks));
const tree = copyTree();
const unseen: string[] = [];
// a test that is red with nothing planted would seem to see every bug
for (const layer of LAYERS) {
  const files = [...new Set(bugs.flatMap(({ clause }) => filesOf(layer, clause)))];
  const titles = files.length === 0 ? [] : await layer.failing(tree, files);
  unseen.push(...titles.map((title) => `${layer.name}: red with nothing planted: ${title}`));
}
console.log(row(["planted bug", "clause", ...LAYERS.map(({ name }) => name), "model"]));
console.log(row(["---", "---", ...LAYERS.map(() => "---"), "---"]));
for (const bug of bugs) {
  const seen = await trial(tree, bug);
  console.log(row([bug.name, bug.clause, ...seen]));
  const isNamed = seen.slice(0, LAYERS.length).some((clauses) => clauses.split(" ").includes(bug.clause));
  if (!isNamed) unseen.push(`${bug.name}: no test of ${bug.clause} sees it`);
  if (bug.model !== undefined && seen.at(-1) !== bug.model.breaks) unseen.push(missed(bug.model));
}
console.log(`\n${row(["planted in the model alone", "becomes", "reported by"])}\n${row(["---", "---", "---"])}`);
for (const fault of faults) {
  const seen = await modelSays(tree, fault);
  console.log(row([`${fault.file}: ${fault.was}`, fault.becomes, seen].map((cell) => cell.replace(/\s+/gu, " "))));
  if (seen !== fault.breaks) unseen.push(missed(fault));
}
rmSync(tree, { recursive: true, force: true });
for (const line of unseen) console.error(line);
console.log(`${String(bugs.length + faults.length)} bugs, ${String(unseen.length)} not seen where they should be`);
process.exitCode = unseen.length === 0 ? 0 : 1;
