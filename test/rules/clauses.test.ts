// The spec's sentences, the code's citations and the tests' names say the same.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const SELF = join("test", "rules", "clauses.test.ts");
const ID = /\b(?:ROUTE|ORDER|LIMIT|SLOT|AUTH|BODY|ACTION|SCOPE|FLOW|VIEW|REPLY|CONFIG|AUDIT|TOTAL)-\d+\b/gu;

const sources = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ts|md)$/u.test(entry.name) && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    .filter((file) => file !== SELF);
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const idsIn = (text: string): readonly string[] => text.match(ID) ?? [];

const rows = read("spec/clauses.md")
  .split("\n")
  .filter((line) => /^\| [A-Z]+-\d+ /u.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));
const clauses = rows.map((cells) => cells[1] ?? "");

test("every clause has an id of its own, one MUST, a source and a threat", () => {
  expect(new Set(clauses).size).toBe(clauses.length);
  for (const [, id, sentence = "", source = "", threat = ""] of rows) {
    expect([id, /\bMUST\b/u.test(sentence), /^[MD]-\d+/u.test(source), threat !== ""]).toEqual([id, true, true, true]);
  }
});

test("every clause is named by a test", () => {
  const named = new Set(sources("test").flatMap((file) => idsIn(read(file))));
  expect(clauses.filter((id) => !named.has(id))).toEqual([]);
});

test("no citation names a clause that does not exist", () => {
  const files = [
    ...sources("core"),
    ...sources("adapters"),
    ...sources("test"),
    ...sources("spec"),
    "README.md",
    "SECURITY.md",
  ];
  expect(
    files.flatMap((file) =>
      idsIn(read(file))
        .filter((id) => !clauses.includes(id))
        .map((id) => `${file}: ${id}`),
    ),
  ).toEqual([]);
});

test("every requirement that a route, a request or a response has is the source of a clause", () => {
  const cited = new Set(
    rows
      .flatMap((cells) => [...(cells[3] ?? "").matchAll(/M-(\d+)(?:…M-(\d+))?/gu)])
      .flatMap(([, from, to]) => {
        const first = Number(from);
        return Array.from({ length: Number(to ?? from) - first + 1 }, (_, index) => first + index);
      }),
  );
  const required = [4, ...Array.from({ length: 15 }, (_, index) => index + 9)];
  expect(required.filter((number) => !cited.has(number))).toEqual([]);
});
