// Reads docs/integrations.md, and runs what it says in a shell.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "..", "..", "..");
const TEXT = readFileSync(join(ROOT, "docs", "integrations.md"), "utf8");

export type Block = { readonly language: string; readonly code: string };

export type Section = {
  readonly heading: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  /** The rows of the first table, less its head. */
  readonly rows: readonly (readonly string[])[];
};

const sectionOf = (text: string): Section => ({
  heading: text.slice(0, text.indexOf("\n")),
  text,
  blocks: [...text.matchAll(/^```(\w+)\n(.*?)^```$/gmsu)].map(([, language = "", code = ""]) => ({ language, code })),
  rows: [...text.matchAll(/^\|(.*)\|$/gmu)].slice(2).map(([, row = ""]) => row.split("|").map((cell) => cell.trim())),
});

const ROUTE_URL = /https?:\/\/[^/\s"`]+(?=\/plugins\/webhooks\/)/gu;

/** The document's sections, with every URL of a route moved to the server at `base`. */
export const sections = (base: string): readonly Section[] =>
  TEXT.replace(ROUTE_URL, base).split("\n## ").map(sectionOf);

export type Env = Readonly<Record<string, string>>;
export type Ran = { readonly status: number; readonly out: string };

/** Runs a command in an environment of its own: nothing of the machine's but its PATH. */
export const runIn = (cwd: string, env: Env, command: string, args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const whole = { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env };
    const child = execFile(command, args, { cwd, env: whole, timeout: 20_000 }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, out: `${stdout}${stderr}` }),
    );
  });
