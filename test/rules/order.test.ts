// The order of the folders, as test/rules/wall.test.ts holds the order of the core's files: imports run downwards only.

import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { filesIn, read, ROOT } from "../../spec/tools/clauses.ts";

/** Each folder may import itself and those above it in this list. */
const FOLDERS = [
  "core",
  "adapters/flows",
  "adapters/limits",
  "adapters/audit",
  "adapters/metrics",
  "adapters/bridge",
  "adapters/status",
  "adapters/otel",
  "adapters/notify",
  "adapters/managed-flows",
  "adapters/runs",
  "adapters/node",
  "adapters/fetch",
  "adapters/gateway",
  "adapters/server",
  "adapters/openapi",
  "adapters/conformance",
  "adapters/cli",
];

const folderOf = (file: string): string => FOLDERS.find((folder) => file.startsWith(`${folder}/`)) ?? file;

const importsIn = (file: string, text: string): readonly string[] =>
  [...text.matchAll(/(?:from|import\()\s*"(?<path>\.{1,2}\/[^"]+)"/gu)].map(({ groups }) =>
    relative(ROOT, join(ROOT, dirname(file), groups?.["path"] ?? "")),
  );

const upward = (file: string, text: string = read(file)): readonly string[] =>
  importsIn(file, text)
    .filter((target) => FOLDERS.indexOf(folderOf(target)) > FOLDERS.indexOf(folderOf(file)) || !isListed(target))
    .map((target) => `${file} imports ${target}`);

const isListed = (file: string): boolean => FOLDERS.includes(folderOf(file));

const sources = [...filesIn("core", ".ts"), ...filesIn("adapters", ".ts")];

test("every folder of the code is in the order", () => {
  const folders = readdirSync(join(ROOT, "adapters")).map((folder) => `adapters/${folder}`);
  expect(["core", ...folders].toSorted()).toEqual(FOLDERS.toSorted());
});

test.each(sources)("%s imports downwards only", (file) => {
  expect(upward(file)).toEqual([]);
});

test("an import that runs upwards, or out of the code, is seen", () => {
  expect(upward("adapters/flows/x.ts", 'import { a } from "../bridge/log.ts";')).toHaveLength(1);
  expect(upward("core/x.ts", 'export * from "../adapters/flows/engine.ts";')).toHaveLength(1);
  expect(upward("adapters/cli/x.ts", 'const a = import("../../test/setup.ts");')).toHaveLength(1);
  expect(upward("adapters/cli/x.ts", 'import { a } from "../flows/engine.ts";')).toEqual([]);
});

/** The files of adapters/ that hold `text`. */
const holding = (text: string): readonly string[] => sources.filter((file) => read(file).includes(text));

test("createBridge alone joins limits, store, clock and log; each surface has one bridge", () => {
  expect(holding("limits.admit(")).toEqual(["adapters/bridge/bridge.ts"]);
  expect(holding("limits.release(")).toEqual(["adapters/bridge/bridge.ts"]);
  expect(holding("store.execute(")).toEqual(["adapters/bridge/execute.ts", "adapters/conformance/transcript.ts"]);
  expect(holding("createExecute(")).toEqual(["adapters/bridge/bridge.ts"]);
  expect(holding("createBridge({")).toEqual(["adapters/bridge/from-config.ts", "adapters/gateway/plugin.ts"]);
});
