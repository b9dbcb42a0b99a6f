// Reads the clauses and everything that cites them: definitions in the model, code, tests.

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..");

export type Clause = {
  readonly id: string;
  readonly sentence: string;
  readonly source: string;
  readonly threat: string;
  readonly since: string;
};

/** A place that cites clauses: `name` is what stands there, a definition or a test's title. */
export type Citation = {
  readonly ids: readonly string[];
  readonly file: string;
  readonly line: number;
  readonly name: string;
};

const AREAS =
  "ROUTE|ORDER|LIMIT|SLOT|AUTH|SIGN|BODY|ACTION|MAP|SCOPE|POLICY|LIST|QUOTA|FLOW|TASK|RUN|ONCE|BIND|STORE|PG|SERVE|CALL|FILE|VIEW|REPLY|WAIT|NOTIFY|CONFIG|RELOAD|GATEWAY|WEAK|AUDIT|METRIC|ADMIN|STATUS|TOTAL";
const ID = new RegExp(`\\b(?:${AREAS})-\\d+\\b`, "gu");
const CITES = new RegExp(`^\\s*//= ((?:${AREAS})-\\d+(?:, (?:${AREAS})-\\d+)*)$`, "u");
const TITLE = new RegExp(`["'\`]((?:(?:${AREAS}|M)-\\d+(?:, )?)+: .*?)["'\`](?:,|$)`, "u");

export const idsIn = (text: string): readonly string[] => text.match(ID) ?? [];

export const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

const EXCLUDED = new Set(["node_modules", "golden", "host", "host-oldest"]);

/** The files below `folder` whose names end in `ending`, as paths from the root, sorted. */
export const filesIn = (folder: string, ending: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = relative(ROOT, join(ROOT, folder, entry.name));
      if (entry.isDirectory()) return EXCLUDED.has(entry.name) ? [] : filesIn(path, ending);
      return entry.name.endsWith(ending) ? [path] : [];
    })
    .toSorted();

/** What stands in place of a version when a clause holds no longer. */
const WITHDRAWN = "withdrawn";

const allClauses = (text: string): readonly Clause[] =>
  text
    .split("\n")
    .filter((line) => /^\| [A-Z]+-\d+ /u.test(line))
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .map(([, id = "", sentence = "", source = "", threat = "", since = ""]) => ({
      id,
      sentence,
      source,
      threat,
      since,
    }));

/** The clauses that hold. */
export const readClauses = (text: string = read("spec/clauses.md")): readonly Clause[] =>
  allClauses(text).filter(({ since }) => since !== WITHDRAWN);

/** The ids of clauses that no longer hold: never to be used again, and cited only in clauses.md. */
export const withdrawnIds = (text: string = read("spec/clauses.md")): readonly string[] =>
  allClauses(text)
    .filter(({ since }) => since === WITHDRAWN)
    .map(({ id }) => id);

/** The requirements that a source names; `M-18…M-20` is three. */
export const requirementsOf = ({ source }: Clause): readonly string[] =>
  [...source.matchAll(/([MD])-(\d+)(?:…[MD]-(\d+))?/gu)].flatMap(([, kind = "", from = "", to = from]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, index) => `${kind}-${String(Number(from) + index)}`),
  );

const DECLARED =
  /^\s*(?:export )?(?:default )?(?:pure )?(?:abstract )?(?:const|class|type|interface|function|val|def|run|action)\s+(\w+)|^\s*(?:readonly )?(?:async )?(#?\w+)(?:<[^(]*>)?\s*[(=:]/u;

/** What stands on the first line from `index` on that is no comment. */
const declaredAt = (lines: readonly string[], index: number): { readonly name: string; readonly line: number } => {
  const at = lines.findIndex((line, number) => number >= index && !/^\s*(?:\/\/|\/\*\*|\*)/u.test(line));
  const found = DECLARED.exec(lines[at] ?? "");
  return { name: found?.[1] ?? found?.[2] ?? "", line: at + 1 };
};

/** The `//= ID` lines of a file, each with what it stands above. */
export const citationsIn = (file: string, text: string = read(file)): readonly Citation[] => {
  const lines = text.split("\n");
  return lines.flatMap((line, index) => {
    const cited = CITES.exec(line)?.[1];
    return cited === undefined ? [] : [{ ids: idsIn(cited), file, ...declaredAt(lines, index + 1) }];
  });
};

/** Lines that look like citations and are none: a typing error must not go unseen. */
export const brokenCitations = (file: string, text: string = read(file)): readonly string[] =>
  text
    .split("\n")
    .flatMap((line, index) => (/\/\/\s?=/u.test(line) && !CITES.test(line) ? [`${file}:${String(index + 1)}`] : []));

/** The tests of a file whose titles begin with the clauses they pin. */
export const testsIn = (file: string, text: string = read(file)): readonly Citation[] =>
  text.split("\n").flatMap((line, index) => {
    const title = TITLE.exec(line)?.[1];
    return title === undefined ? [] : [{ ids: idsIn(title), file, line: index + 1, name: title }];
  });

export type Spec = {
  readonly clauses: readonly Clause[];
  readonly definitions: readonly Citation[];
  readonly code: readonly Citation[];
  readonly tests: readonly Citation[];
};

export const readSpec = (): Spec => ({
  clauses: readClauses(),
  definitions: filesIn("spec", ".qnt").flatMap((file) => citationsIn(file)),
  code: [...filesIn("core", ".ts"), ...filesIn("adapters", ".ts")].flatMap((file) => citationsIn(file)),
  tests: filesIn("test", ".test.ts").flatMap((file) => testsIn(file)),
});

/** What is wrong with the clauses and their citations, but for the mutants. */
export const faultsOf = ({ clauses, definitions, code, tests }: Spec): readonly string[] => {
  const known = new Set(clauses.map(({ id }) => id));
  const lacks = (kind: string, citations: readonly Citation[]): readonly string[] => {
    const cited = new Set(citations.flatMap(({ ids }) => ids));
    return clauses.filter(({ id }) => !cited.has(id)).map(({ id }) => `${id} has no ${kind}`);
  };
  const unknown = [...definitions, ...code, ...tests].flatMap(({ ids, file, line }) =>
    ids.filter((id) => !known.has(id)).map((id) => `${file}:${String(line)} cites ${id}, which is no clause`),
  );
  return [...lacks("definition", definitions), ...lacks("code", code), ...lacks("test", tests), ...unknown];
};
