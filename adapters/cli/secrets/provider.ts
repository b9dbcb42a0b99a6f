// What the providers of secrets share: the check of a block under secrets.providers, and faults that name the block and
// its field, never a configured value or the content of a file.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { printable } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";

/** Looks up an id in an opened provider. The value may be of any type. */
export type Lookup = (id: string) => Result<unknown, CliFault>;

/** Takes a sentence about a secret that is used, but not kept as it should be. */
export type Advise = (sentence: string) => void;

/** `hint`: the field, what is wrong and what to do. */
export const providerFault = (alias: string, hint: string): CliFault => fault(`secrets.providers.${alias}${hint}.`);

const MAX_TIMEOUT = 120_000;
const MAX_BYTES = 20_971_520;

/** The names of environment variables that may be used. */
export const VARIABLE = /^[A-Z][A-Z0-9_]{0,127}$/u;

export const variableName = z.string().regex(VARIABLE);

export const timeoutMs = z.int().positive().max(MAX_TIMEOUT);
export const byteLimit = z.int().positive().max(MAX_BYTES);

const TIMEOUT = `must be a whole number of milliseconds, from 1 to ${String(MAX_TIMEOUT)}`;
const LIMIT = `must be a whole number of bytes, from 1 to ${String(MAX_BYTES)}`;
const STRINGS = "must be a list of strings";

const HINTS: ReadonlyMap<string, string> = new Map([
  ["allowlist", "must be a list of names of environment variables"],
  ["path", "must be the path of a file"],
  ["mode", "must be json or singleValue"],
  ["timeoutMs", TIMEOUT],
  ["noOutputTimeoutMs", TIMEOUT],
  ["maxBytes", LIMIT],
  ["maxOutputBytes", LIMIT],
  ["command", "must be an absolute path without quotes and shell characters"],
  ["args", STRINGS],
  ["jsonOnly", "must be true or false"],
  ["env", "must be an object of strings"],
  ["passEnv", "must be a list of names of environment variables"],
  ["trustedDirs", "must be a list of absolute paths"],
]);

const hintOf = (issue: z.core.$ZodIssue | undefined): string => {
  if (issue?.code === "unrecognized_keys") {
    return `.${printable(issue.keys[0] ?? "")} is not a field of this provider: remove it or correct its name`;
  }
  const field = String(issue?.path[0] ?? "");
  const hint = HINTS.get(field);
  return hint === undefined ? " does not have the form that OpenClaw documents: correct it" : `.${field} ${hint}`;
};

/** The block with its defaults filled in. */
export const parseProvider = <T>(schema: z.ZodType<T>, alias: string, block: unknown): Result<T, CliFault> => {
  const parsed = schema.safeParse(block);
  return parsed.success ? ok(parsed.data) : err(providerFault(alias, hintOf(parsed.error.issues[0])));
};
