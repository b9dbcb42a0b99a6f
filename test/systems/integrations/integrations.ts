// Reads docs/integrations.md, and runs what it says in a shell.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Section, sectionsOf } from "../../support/markdown.ts";

export const ROOT = join(import.meta.dirname, "..", "..", "..");
const TEXT = readFileSync(join(ROOT, "docs", "integrations.md"), "utf8");

const ROUTE_URL = /https?:\/\/[^/\s"`]+(?=\/plugins\/webhooks\/)/gu;

/** A text with every URL of a route moved to the server at `base`. */
export const movedTo = (base: string, text: string): string => text.replace(ROUTE_URL, base);

/** The document's sections, with every URL of a route moved to the server at `base`. */
export const sections = (base: string): readonly Section[] => sectionsOf(movedTo(base, TEXT));

export type Env = Readonly<Record<string, string>>;
export type Ran = { readonly status: number; readonly out: string };

/** Runs a command in its own environment, with only the PATH of the machine. `timeout`: milliseconds. */
export const runIn = (
  cwd: string,
  env: Env,
  command: string,
  args: readonly string[],
  timeout: number = 20_000,
): Promise<Ran> =>
  new Promise((resolve) => {
    const whole = { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env };
    const child = execFile(command, args, { cwd, env: whole, timeout }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, out: `${stdout}${stderr}` }),
    );
  });
