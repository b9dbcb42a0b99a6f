import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readingOrder, wallViolations } from "./wall.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const CORE = join(ROOT, "core");
const read = (file: string): string => readFileSync(join(CORE, file), "utf8");
const files = readdirSync(CORE).filter((file) => file.endsWith(".ts"));
const order = readingOrder(read("index.ts"));

test("TOTAL-2: the core is flat, and its index names every file once, in an order in which each imports from above", () => {
  expect([...order, "index.ts"].toSorted()).toEqual(files.toSorted());
  expect(readdirSync(CORE, { withFileTypes: true }).filter((entry) => entry.isDirectory())).toEqual([]);
});

test.each(files)("TOTAL-1, TOTAL-2: %s does nothing that is forbidden in the core", (file) => {
  expect(wallViolations(file, read(file), order)).toEqual([]);
});

test("TOTAL-1: two files of the core have casts, and say why", () => {
  expect(files.filter((file) => read(file).includes("// boundary:"))).toEqual(["json.ts", "saved-outcome.ts"]);
});

/** Each line is planted at the end of core/slot.ts, with what each of the wall's three layers must find. */
const PLANTS: readonly (readonly [line: string, tree: readonly string[], caughtBy: readonly ("tsc" | "oxlint")[]])[] = [
  ["export const now = (): number => Date.now();", ["Date"], ["oxlint"]],
  [
    'import { readFileSync } from "node:fs"; export const read = readFileSync;',
    ["import of node:fs"],
    ["tsc", "oxlint"],
  ],
  ['export const fail = (): never => { throw new Error("x"); };', ["throw"], []],
  ["export const world: unknown = globalThis;", ["globalThis"], ["oxlint"]],
  [
    'import { MemoryLimits } from "../adapters/limits/memory.ts"; export const limits = MemoryLimits;',
    ["import of ../adapters/limits/memory.ts"],
    ["tsc", "oxlint"],
  ],
  ["export const { random } = Math;", ["Math.random"], ["oxlint"]],
  ["export const luck = (): number => Math.random();", ["Math.random", "Math.random"], ["oxlint"]],
  ["export const environment: unknown = process.env;", ["process"], ["tsc"]],
  ['export const later = import("zod");', ["import()"], []],
  ["export let state = 0;", ["module-level let"], []],
  ["export const wait = async (): Promise<void> => undefined;", ["async", "Promise"], []],
  ["export const loose = (value: any): string => value;", ["any"], ["oxlint"]],
  ["export const cast = (value: unknown): string => value as string;", ["cast"], []],
  ["// boundary: far away.\n\nexport const cast = (value: unknown): string => value as string;", ["cast"], []],
  ["export const held = { clock: Date };", ["Date"], ["oxlint"]],
  ["export const made: unknown = (() => 0).constructor('return 1');", ["constructor"], []],
  ["// @ts-ignore: planted\nexport const odd: number = mayTakeSlot;", ["@ts-ignore"], []], // reason: a planted text, to see it refused; suppresses nothing
  ['import { loadConfig } from "./config.ts"; export const later = loadConfig;', ["import of ./config.ts"], []],
];

test.each(PLANTS)("TOTAL-1, TOTAL-2: the syntax tree check finds a planted %s", (line, seen) => {
  expect(wallViolations("slot.ts", `${read("slot.ts")}\n${line}\n`, order)).toEqual(seen);
});

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "wall-"));
  for (const part of ["core", "adapters", "tsconfig.json", ".oxlintrc.json", "package.json"])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
});
afterAll(() => rmSync(copy, { recursive: true }));

const passes = (tool: "tsc" | "oxlint"): boolean => {
  const command = {
    tsc: [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "core"],
    oxlint: [join(ROOT, "node_modules/oxlint/bin/oxlint"), "core"],
  }[tool];
  try {
    execFileSync(process.execPath, command, { cwd: copy, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

test("TOTAL-2: compiler and linter refuse their plants and pass the real core", { timeout: 300_000 }, () => {
  expect([passes("tsc"), passes("oxlint")]).toEqual([true, true]);
  for (const [line, , caughtBy] of PLANTS) {
    writeFileSync(join(copy, "core/slot.ts"), `${read("slot.ts")}\n${line}\n`);
    for (const tool of caughtBy) expect([line, tool, passes(tool)]).toEqual([line, tool, false]);
  }
});
