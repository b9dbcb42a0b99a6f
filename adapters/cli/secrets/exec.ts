// Secrets from a command, by version 1 of the Gateway's protocol: which command may run, its input and its answer.

import { realpath } from "node:fs/promises";
import { isAbsolute, relative, resolve, sep } from "node:path";
import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { isObject, own, parseJson } from "../../../core/index.ts";
import type { CliFault } from "../fault.ts";
import type { Env } from "../io.ts";
import { type CommandFault, runCommand } from "./command.ts";
import { trustedPlace } from "../trusted-path.ts";
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
  const below = relative(directory, path);
  return below !== "" && below !== ".." && !below.startsWith(`..${sep}`);
};

/** Without symlinks, if it exists. */
const realOf = async (directory: string): Promise<string> => realpath(directory).catch(() => resolve(directory));

/** The path of the command if it may run. Errs with what is wrong and what to do. */
const trustedPath = async ({ command, trustedDirs }: ExecProvider): Promise<Result<string, string>> => {
  const path = resolve(command);
  const place = await trustedPlace(path, "none");
  const directories = trustedDirs && (await Promise.all(trustedDirs.map(realOf)));
  return place.andThen(({ path: real, stats }) => {
    if (!stats.isFile()) return err("is not a regular file: set the path of a regular file");
    if (directories?.some((directory) => isInside(directory, real)) === false) {
      return err("is not in one of trustedDirs: move it or add its directory to them");
    }
    // not `real`, because some programs look at the name that they are called by
    return ok(path);
  });
};

const commandEnv = ({ passEnv, env: fixed }: ExecProvider, env: Env): Record<string, string> => ({
  ...Object.fromEntries(
    passEnv.flatMap((name) => {
      const value = env[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  ),
  ...fixed,
});

const HINTS = {
  "not started": "could not be started: make it executable, and add PATH to passEnv if its first line needs it",
  failed: "ended with an error: run it by hand to see why",
  late: "did not end within timeoutMs and was killed: repair it or raise the limit",
  silent: "wrote nothing for noOutputTimeoutMs and was killed: repair it or raise the limit",
  "too much": "wrote more than maxOutputBytes and was killed: repair it or raise the limit",
  "not text": "did not write UTF-8: repair it",
} as const satisfies Record<CommandFault, string>;

const run = (path: string, alias: string, provider: ExecProvider, ids: readonly string[], env: Env) =>
  runCommand({
    path,
    args: provider.args,
    env: commandEnv(provider, env),
    input: JSON.stringify({ protocolVersion: 1, provider: alias, ids }),
    timeoutMs: provider.timeoutMs,
    noOutputTimeoutMs: provider.noOutputTimeoutMs ?? provider.timeoutMs,
    maxOutputBytes: provider.maxOutputBytes,
  });

const CODES: ReadonlyMap<unknown, string> = new Map([
  ["NOT_FOUND", "has no secret for the SecretRef's id: correct the id or store the secret"],
  ["AMBIGUOUS_DUPLICATE_KEY", "has more than one secret for the SecretRef's id: leave only one"],
]);

const REFUSED = "reported an error for the SecretRef's id: run it by hand to see which";
const MISSING = "did not answer for the SecretRef's id: correct the id or repair the command";
const GARBAGE = "did not write an answer of protocol version 1 as JSON: repair it";

type Answers = (id: string) => Result<unknown, string>;

const answersOf = (answer: unknown): Result<Answers, string> => {
  const [values, errors] = [own(answer, "values"), own(answer, "errors")];
  if (!isObject(answer) || own(answer, "protocolVersion") !== 1 || !isObject(values)) return err(GARBAGE);
  return ok((id) => {
    if (isObject(errors) && Object.hasOwn(errors, id)) {
      return err(CODES.get(own(own(errors, id), "code")) ?? REFUSED);
    }
    return Object.hasOwn(values, id) ? ok(own(values, id)) : err(MISSING);
  });
};

/** If `isPlain`, output that is not JSON is the secret itself, and so is a JSON string. */
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
  const blame = (hint: string): CliFault => providerFault(alias, `.command ${hint}`);
  const provider = parseProvider(execProvider, alias, block);
  if (provider.isErr()) return err(provider.error);
  const path = (await trustedPath(provider.value)).mapErr(blame);
  if (path.isErr()) return err(path.error);
  const output = await run(path.value, alias, provider.value, ids, env);
  return output
    .mapErr((commandFault) => HINTS[commandFault])
    .andThen((text) => parse(text, !provider.value.jsonOnly && ids.length === 1))
    .map(
      (answers): Lookup =>
        (id) =>
          answers(id).mapErr(blame),
    )
    .mapErr(blame);
};
