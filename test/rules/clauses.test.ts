// The clauses, the model's definitions, the citations in the code and the titles of the tests fit together.

import { expect, test } from "vitest";
import { BUGS, type Edit } from "../../spec/tools/bugs.ts";
import {
  brokenCitations,
  citationsIn,
  faultsOf,
  filesIn,
  idsIn,
  read,
  readClauses,
  readSpec,
  requirementsOf,
  testsIn,
  withdrawnIds,
} from "../../spec/tools/clauses.ts";
import { MODEL_FAULTS } from "../../spec/tools/model-faults.ts";
import { modules } from "../../spec/tools/quint.ts";

const clauses = readClauses();
/** Joined here, because otherwise this file would cite it. */
const UNKNOWN = ["SLOT", "99"].join("-");

test("every clause has its own id, one MUST, a source, a threat and a version", () => {
  expect(clauses.length).toBeGreaterThan(50);
  const ids = [...clauses.map(({ id }) => id), ...withdrawnIds()];
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, sentence, source, threat, since } of clauses) {
    expect([id, sentence.match(/\bMUST\b/gu)?.length, threat !== ""]).toEqual([id, 1, true]);
    expect([id, source, since]).toEqual([
      id,
      expect.stringMatching(/^[MD]-\d+/u),
      expect.stringMatching(/^\d+\.\d+\.\d+$/u),
    ]);
  }
});

test("every clause has a definition, code and a test, and every citation is of a clause", () => {
  expect(faultsOf(readSpec())).toEqual([]);
});

test("every requirement M-1 to M-23 is the source of a clause", () => {
  const covered = new Set(clauses.flatMap(requirementsOf));
  const required = Array.from({ length: 23 }, (_, index) => `M-${String(index + 1)}`);
  expect(required.filter((id) => !covered.has(id))).toEqual([]);
});

const written = [
  ...["core", "adapters", "test", "spec", "docs"].flatMap((folder) => [
    ...filesIn(folder, ".ts"),
    ...filesIn(folder, ".md"),
  ]),
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "SECURITY.md",
  "CONTRIBUTING.md",
];

test("no mention names a clause that does not exist, and no citation is misspelled", () => {
  const known = new Set(clauses.map(({ id }) => id));
  const withdrawn = new Set(withdrawnIds());
  expect(
    written.flatMap((file) =>
      idsIn(read(file))
        .filter((id) => !known.has(id) && !(file === "spec/clauses.md" && withdrawn.has(id)))
        .map((id) => `${file}: ${id}`),
    ),
  ).toEqual([]);
  const cited = [...filesIn("core", ".ts"), ...filesIn("adapters", ".ts"), ...filesIn("spec", ".qnt")];
  expect(cited.flatMap((file) => brokenCitations(file))).toEqual([]);
});

test("every clause is named in the threat model", () => {
  const named = new Set(idsIn(read("spec/threats.md")));
  expect(clauses.map(({ id }) => id).filter((id) => !named.has(id))).toEqual([]);
});

test("citations, misspelled citations, tests and missing definitions are recognised", () => {
  const text = "//= VIEW-1, FLOW-2\n/** Shows. */\nexport const show = 1;\n  //= SLOT-1\n  release(): void {}\n";
  expect(citationsIn("x", text)).toEqual([
    { ids: ["VIEW-1", "FLOW-2"], file: "x", name: "show", line: 3 },
    { ids: ["SLOT-1"], file: "x", name: "release", line: 5 },
  ]);
  expect(brokenCitations("x", "//= VIEW1\n// = VIEW-1\n//= VIEW-1")).toEqual(["x:1", "x:2"]);
  expect(testsIn("x", 'test("VIEW-1, M-23: nothing leaks", () => {')).toMatchObject([{ ids: ["VIEW-1"], line: 1 }]);
  const [clause] = clauses;
  const spec = {
    clauses: clause === undefined ? [] : [clause],
    definitions: [],
    code: [],
    tests: testsIn("x", `"${UNKNOWN}: x",`),
  };
  expect(faultsOf(spec)).toEqual([
    "ROUTE-1 has no definition",
    "ROUTE-1 has no code",
    "ROUTE-1 has no test",
    `x:1 cites ${UNKNOWN}, which is no clause`,
  ]);
});

const expectFit = (name: string, { file, was, becomes }: Edit): void =>
  expect([name, file, read(file).split(was).length - 1, was !== becomes]).toEqual([name, file, 1, true]);

test("every planted bug fits the present code and model, and breaks an existing clause", () => {
  const known = new Set(clauses.map(({ id }) => id));
  for (const { name, clause, code, model } of BUGS) {
    expect([name, known.has(clause)]).toEqual([name, true]);
    for (const edit of [...code, ...(model === undefined ? [] : [model])]) expectFit(name, edit);
  }
  for (const fault of MODEL_FAULTS) expectFit(fault.was, fault);
});

test("every invariant of the model is broken by at least one planted fault", () => {
  const planted = [...BUGS.flatMap(({ model }) => model ?? []), ...MODEL_FAULTS];
  const broken = new Set(planted.map(({ file, breaks }) => `${file} ${breaks}`));
  const invariants = modules().flatMap((one) => one.invariants.map((name) => `spec/${one.name}.qnt ${name}`));
  expect(invariants.length).toBeGreaterThan(100);
  expect(invariants.filter((name) => !broken.has(name))).toEqual([]);
  expect([...broken].filter((name) => !invariants.includes(name))).toEqual([]);
});
