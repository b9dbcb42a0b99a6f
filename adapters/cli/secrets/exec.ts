// Secrets from a command: which one may run, what it is asked, and what its answer says. Protocol version 1.

import { lstat } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { err, ok, Result, ResultAsync } from "neverthrow";
import * as z from "zod";
import type { CliFault } from "../fault.ts";
import { type Env, isObject, member } from "../members.ts";
import { type CommandFault, runCommand } from "./command.ts";
import { byteLimit, type Lookup, parseProvider, providerFault, timeoutMs, variableName } from "./provider.ts";

const absolutePath = z.string().refine(isAbsolute);

const execProvider = z.strictObject({
  source: z.literal("exec"),
  command: absolutePath.regex(/^[^;&|`$<>\r\n"'\0]*$/u),
  args: z.array(z.string().max(1024)).max(128).default([]),
  timeoutMs: timeoutMs.default(5000),
  noOutputTimeoutMs: timeoutMs.optional(),
  maxOutputBytes: byteLimit.default(1_048_576),
  jsonOnly: z.boolean().default(true),
  env: z.record(z.string(), z.string()).default({}),
  passEnv: z.array(variableName).max(128).default([]),
  trustedDirs: z.array(absolutePath).max(64).optional(),
});

type ExecProvider = z.infer<typeof execProvider>;

const isInside = (directory: string, path: string): boolean => {
  const way = relative(directory, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`);
};

/** The path of a command that may run; errs with what is wrong and what to do. */
const trustedPath = async ({ command, trustedDirs }: ExecProvider): Promise<Result<string, string>> => {
  const path = resolve(command);
  const found = await ResultAsync.fromPromise(lstat(path), () => "names no file: correct it or install the command");
  return found.andThen((stats) => {
    if (stats.isSymbolicLink()) return err("is a symlink: set the path that it leads to, as realpath shows it");
    if (!stats.isFile()) return err("is no regular file: set the path of one");
    if (trustedDirs?.some((directory) => isInside(resolve(directory), path)) === false) {
      return err("is in none of trustedDirs: move it or add its directory there");
    }
    if ((stats.mode & 0o022) !== 0) return err("can be changed by group or others: set its mode to 700");
    return stats.uid === process.geteuid?.() ? ok(path) : err("does not belong to the current user: change its owner");
  });
};

const pass = ({ passEnv, env: own }: ExecProvider, env: Env): Record<string, string> => ({
  ...Object.fromEntries(
    passEnv.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  ),
  ...own,
});

const HINTS = {
  "not started": "could not be started: see that it is executable and that passEnv has PATH if its first line needs it",
  failed: "ended with an error: run it by hand to see why",
  late: "did not end within timeoutMs and was killed: repair it or raise that",
  silent: "wrote nothing for noOutputTimeoutMs and was killed: repair it or raise that",
  "too much": "wrote more than maxOutputBytes and was killed: repair it or raise that",
  "not text": "did not write UTF-8: repair it",
} as const satisfies Record<CommandFault, string>;

const run = (path: string, alias: string, provider: ExecProvider, ids: readonly string[], env: Env) =>
  runCommand({
    path,
    args: provider.args,
    env: pass(provider, env),
    input: JSON.stringify({ protocolVersion: 1, provider: alias, ids }),
    timeoutMs: provider.timeoutMs,
    noOutputTimeoutMs: provider.noOutputTimeoutMs ?? provider.timeoutMs,
    maxOutputBytes: provider.maxOutputBytes,
  });

const parseJson = Result.fromThrowable(
  (text: string): unknown => JSON.parse(text),
  () => undefined,
);

const CODES: ReadonlyMap<unknown, string> = new Map([
  ["NOT_FOUND", "has nothing for the SecretRef's id: correct the id or store the secret"],
  ["AMBIGUOUS_DUPLICATE_KEY", "has more than one secret for the SecretRef's id: leave only one"],
]);

const REFUSED = "has an error for the SecretRef's id: run it by hand to see which";
const NOTHING = "did not answer for the SecretRef's id: correct the id or repair the command";
const GARBAGE = "did not write an answer of protocol version 1 as JSON: repair it";

type Answers = (id: string) => Result<unknown, string>;

const answersOf = (answer: unknown): Result<Answers, string> => {
  const [values, errors] = [member(answer, "values"), member(answer, "errors")];
  if (!isObject(answer) || member(answer, "protocolVersion") !== 1 || !isObject(values)) return err(GARBAGE);
  return ok((id) => {
    if (isObject(errors) && Object.hasOwn(errors, id)) {
      return err(CODES.get(member(member(errors, id), "code")) ?? REFUSED);
    }
    return Object.hasOwn(values, id) ? ok(member(values, id)) : err(NOTHING);
  });
};

/** Where `isPlain`, an output that is not JSON, or JSON for one text, is the value. */
const parse = (output: string, isPlain: boolean): Result<Answers, string> => {
  const text = output.trim();
  if (text === "") return err("wrote nothing: repair it");
  const answer = parseJson(text).unwrapOr(isPlain ? text : undefined);
  return isPlain && typeof answer === "string" ? ok(() => ok(answer)) : answersOf(answer);
};

/** Runs the command once for all `ids`. Never rejects. */
export const openExec = async (
  alias: string,
  block: unknown,
  ids: readonly string[],
  env: Env,
): Promise<Result<Lookup, CliFault>> => {
  const blame = (said: string): CliFault => providerFault(alias, `.command ${said}`);
  const provider = parseProvider(execProvider, alias, block);
  if (provider.isErr()) return err(provider.error);
  const path = (await trustedPath(provider.value)).mapErr(blame);
  if (path.isErr()) return err(path.error);
  const output = await run(path.value, alias, provider.value, ids, env);
  return output
    .mapErr((found) => HINTS[found])
    .andThen((text) => parse(text, !provider.value.jsonOnly && ids.length === 1))
    .map(
      (answers): Lookup =>
        (id) =>
          answers(id).mapErr(blame),
    )
    .mapErr(blame);
};
