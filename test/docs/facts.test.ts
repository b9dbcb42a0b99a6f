// What the pages say in tables is what the code says: fields, defaults, codes, scripts, folders, citations.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { ACTIONS, MAX_REPLY, routeSchema, RUN_FAULTS } from "../../core/index.ts";
import { MAX_RUNS } from "../../adapters/managed-flows/runs-table.ts";
import { filesIn, read, ROOT } from "../../spec/tools/clauses.ts";
import { bodySchemaOf, DOCUMENT, follow, members } from "../adapters/openapi/document.ts";
import { type Section, sectionsOf } from "../support/markdown.ts";
import { PACKAGE, specifier } from "../systems/package/entries.ts";

const section = (page: string, heading: string): Section => {
  const found = sectionsOf(read(page)).find((one) => one.heading === heading);
  if (found === undefined) throw new Error(`${page} has no section ${heading}`);
  return found;
};

const codesIn = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/gu)].map(([, code = ""]) => code);

type Field = readonly [name: string, isOptional: boolean, words: readonly string[]];

const byName = ([a]: Field, [b]: Field): number => (a < b ? -1 : 1);

/** `status?` (`queued` `running`) in a row of the table of actions. */
const shownFields = (cell: string): readonly Field[] =>
  [...cell.matchAll(/`(\w+)(\??)`(?: \(((?:`\w+` ?)+)\))?/gu)]
    .map(([, name = "", mark, words = ""]): Field => [name, mark === "?", codesIn(words)])
    .toSorted(byName);

const wordsOf = (schema: z.ZodType): readonly string[] => {
  const written = members(z.toJSONSchema(schema, { unrepresentable: "any" }));
  return Object.values(members(written["enum"] ?? [])).map(String);
};

const acceptedFields = (shape: Readonly<Record<string, z.ZodType>>): readonly Field[] =>
  Object.entries(shape)
    .filter(([name]) => name !== "action")
    .map(([name, schema]): Field => [name, schema.safeParse(undefined).success, wordsOf(schema)])
    .toSorted(byName);

test("ACTION-1: docs/http-api.md names every action with its fields, which are optional, and their words", () => {
  const shown = section("docs/http-api.md", "Actions").rows.map(([name = "", fields = ""]) => [
    codesIn(name)[0],
    shownFields(fields),
  ]);
  expect(shown).toEqual(Object.entries(ACTIONS).map(([name, { shape }]) => [name, acceptedFields(shape)]));
});

test("REPLY-1: docs/http-api.md names every status with its codes", () => {
  const shown = section("docs/http-api.md", "Errors").rows.flatMap(([status = "", codes = ""]) =>
    codesIn(codes).map((code) => `${status} ${code}`),
  );
  const statuses = [...new Set(shown.map((line) => line.slice(0, 3)))];
  const promised = statuses.flatMap((status) => {
    const codes = follow("#/properties/code/enum", DOCUMENT.components.schemas[bodySchemaOf(status)]);
    return Object.values(members(codes)).map((code) => `${status} ${String(code)}`);
  });
  expect(shown.toSorted()).toEqual(promised.toSorted());
});

test("CONFIG-6, CONFIG-7: docs/gateway.md names every field of a route, and which ones are required", () => {
  const shown = section("docs/gateway.md", "Configuration").rows.map(([name = "", value]) => [
    codesIn(name)[0],
    value === "required",
  ]);
  const accepted = Object.entries(routeSchema.shape).map(([name, schema]) => [
    name,
    !schema.safeParse(undefined).success,
  ]);
  expect(shown.toSorted()).toEqual(accepted.toSorted());
});

test("RUN-2: docs/agents.md names every code of a run with its sentence, and the figures of the code", () => {
  const shown = section("docs/agents.md", "Where the reply is").rows.map(([code = "", error]) => [
    codesIn(code)[0],
    error,
  ]);
  expect(shown).toEqual(Object.entries(RUN_FAULTS));
  const page = read("docs/agents.md");
  const grouped = (figure: number): string => figure.toLocaleString("en-US");
  expect(page).toContain(`at most ${grouped(MAX_REPLY)} characters`);
  expect(page).toContain(`${grouped(MAX_RUNS)} runs that are not over`);
});

test("RUN-7: docs/agents.md names every field of run, and which one is required", () => {
  const shown = section("docs/agents.md", "Configuration").rows.map(([name = "", value]) => [
    codesIn(name)[0],
    value === "required",
  ]);
  const { shape } = routeSchema.shape.run.unwrap();
  const accepted = Object.entries(shape).map(([name, schema]) => [name, !schema.safeParse(undefined).success]);
  expect(shown.toSorted()).toEqual(accepted.toSorted());
});

test("RUN-10: docs/agents.md has the words of the warning", () => {
  const [, warning = ""] = /`(this Gateway cannot [^`]+)`/u.exec(read("docs/agents.md")) ?? [];
  expect(warning).not.toBe("");
  expect(read("adapters/gateway/agent-runs.ts")).toContain(warning);
});

test("docs/embedding.md names every entry point", () => {
  const shown = section("docs/embedding.md", "Entry points").rows.map(([name = ""]) => codesIn(name)[0]);
  const entries = Object.keys(PACKAGE.exports).filter((entry) => entry !== "./package.json");
  expect(shown.toSorted()).toEqual(entries.map(specifier).toSorted());
});

type Lock = {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly license?: string } | undefined>>;
};

test("SECURITY.md names every package that the code imports, with its version and licence in the lock", () => {
  const sources = [...filesIn("core", ".ts"), ...filesIn("adapters", ".ts")].map(read).join("\n");
  const imported = [...sources.matchAll(/from "(@[^"/]+\/[^"/]+|[^"@./:]+)(?:\/[^"]*)?"/gu)].map(
    ([, name = ""]) => name,
  );
  const { packages } = JSON.parse(read("package-lock.json")) as Lock;
  const inside = new Set(imported.filter((name) => !Object.hasOwn(PACKAGE.peerDependenciesMeta, name)));
  const expected = [...inside].map((name) => {
    const locked = packages[`node_modules/${name}`];
    return [name, locked?.version, locked?.license];
  });
  const shown = section("SECURITY.md", "What is inside").rows.map((row) => row.slice(0, 3));
  expect(shown.toSorted()).toEqual(expected.toSorted());
});

const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Readonly<Record<string, string>> };

const names = (page: string, script: string): boolean =>
  new RegExp(`\`npm (?:run )?(?:--silent )?${script}(?: --)?\``, "u").test(read(page));

test("the README explains every script that CI calls, and CONTRIBUTING.md all others", () => {
  const called = [...read(".ci/run").matchAll(/^npm (?:run )?([\w:]+)/gmu)].map(([, script = ""]) => script);
  expect(called).toContain("test");
  expect(called.filter((script) => script !== "ci" && !names("README.md", script))).toEqual([]);
  const everywhere = (script: string): boolean => names("README.md", script) || names("CONTRIBUTING.md", script);
  expect(Object.keys(scripts).filter((script) => !everywhere(script))).toEqual([]);
});

const foldersIn = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

test("ARCHITECTURE.md names every file of the core and every folder of the adapters", () => {
  const page = read("ARCHITECTURE.md");
  const files = filesIn("core", ".ts").filter((file) => !page.includes(`](${file})`));
  expect(files).toEqual([]);
  const folders = foldersIn("adapters").flatMap((name) => [
    `adapters/${name}`,
    ...foldersIn(`adapters/${name}`).map((inner) => `adapters/${name}/${inner}`),
  ]);
  expect(folders.filter((folder) => !page.includes(`\`${folder}\``))).toEqual([]);
});

/** Folders whose own folders have a line each. */
const SPLIT: readonly string[] = ["model", "systems"];

test("test/README.md names every folder of the tests, and no other", () => {
  const shown = section("test/README.md", "The map of the tests").rows.map(([name = ""]) => codesIn(name)[0]);
  const folders = foldersIn("test").flatMap((name) =>
    SPLIT.includes(name) ? foldersIn(`test/${name}`).map((inner) => `${name}/${inner}/`) : [`${name}/`],
  );
  expect(shown.toSorted()).toEqual(folders.toSorted());
});

const SEMANTICS = "spec/gateway-semantics.md";

test("every section of the Gateway's semantics that is cited is there, and every trace that it names was recorded", () => {
  const numbers = new Set([...read(SEMANTICS).matchAll(/^## (\d)\. /gmu)].map(([, number]) => number));
  const citing = ["core", "adapters", "test", "spec"].flatMap((folder) => [
    ...filesIn(folder, ".ts"),
    ...filesIn(folder, ".md"),
  ]);
  const cited = citing.flatMap((file) =>
    [...read(file).matchAll(/gateway-semantics §(\d)(?:–(\d))?/gu)].flatMap(([, from, to = from]) => [from, to]),
  );
  expect(cited.filter((number) => !numbers.has(number))).toEqual([]);
  const traces = [...read(SEMANTICS).matchAll(/_\(([a-z0-9-]+(?:, [a-z0-9-]+)*)\)_/gu)].flatMap(([, list = ""]) =>
    list.split(", "),
  );
  const recorded = readdirSync(join(ROOT, "test/golden/traces")).map((file) => file.replace(".json", ""));
  expect([...new Set(traces)].toSorted()).toEqual(recorded.toSorted());
});

/** The fields that the bundled plugin has (M-3 to M-8). */
const BUNDLED = ["enabled", "path", "sessionKey", "secret", "controllerId", "description"];

test("docs/gateway.md names every field that the bundled plugin does not have, because it must go before one goes back", () => {
  const install = sectionsOf(read("docs/gateway.md")).find(({ heading }) => heading === "Install");
  const [, list = ""] = /Add them after the install: ([^\n]*) of a route, and `audit`/u.exec(install?.text ?? "") ?? [];
  const further = Object.keys(routeSchema.shape).filter((name) => !BUNDLED.includes(name));
  expect(codesIn(list).toSorted()).toEqual(further.toSorted());
});
