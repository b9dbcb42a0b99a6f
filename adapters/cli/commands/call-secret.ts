// Reads a secret of a command from the environment or a file: every user of the machine can read arguments.

import { err, ok, type Result } from "neverthrow";
import { isOneLine, printable } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";
import { readText } from "../read-text.ts";

export type SecretSource = { readonly secretEnv: string; readonly secretFile?: string };

/** UTF-16 units. A longer name of a file is cut. */
const MAX_NAME = 500;

const fromEnv = (name: string, env: Env): Result<string, CliFault> => {
  const missing = fault(
    `The environment variable ${name} is not set or empty. Set it to the secret, or use --secret-file`,
  );
  const secret = env[name]?.trim() ?? "";
  return secret === "" ? err(missing) : ok(secret);
};

const MAX_BYTES = 64 * 1024;

const fromFile = async (file: string): Promise<Result<string, CliFault>> => {
  const blame = (hint: string): CliFault => fault(`The secret file ${printable(file, MAX_NAME)} ${hint}`);
  const read = await readText(file, {
    maxBytes: MAX_BYTES,
    tooLong: "is longer than 64 KiB: shorten it",
    isSecret: true,
  });
  return read.mapErr(blame).andThen(({ text }) => {
    const secret = text.trim();
    return secret === "" ? err(blame("is empty. Put the secret into it")) : ok(secret);
  });
};

//= CALL-1
export const readSecret = async (
  { secretEnv, secretFile }: SecretSource,
  env: Env,
): Promise<Result<string, CliFault>> => {
  const read = secretFile === undefined ? fromEnv(secretEnv, env) : await fromFile(secretFile);
  return read.andThen((secret) =>
    isOneLine(secret)
      ? ok(secret)
      : err(
          fault("The secret contains a control character, such as a line break, which no header can carry. Remove it"),
        ),
  );
};

/** Reads a file for each use, so that a secret that was changed is used; then it rejects while it cannot be read. Errs when it cannot now. */
export const rereadSecret = async (secretFile: string): Promise<Result<() => Promise<string>, CliFault>> => {
  const read = (): Promise<Result<string, CliFault>> => readSecret({ secretEnv: "", secretFile }, {});
  const again = async (): Promise<string> =>
    (await read()).match(
      (text) => text,
      ({ sentence }) => Promise.reject(new Error(sentence)),
    );
  return (await read()).map(() => again);
};
