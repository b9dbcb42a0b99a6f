// Reads the secret for `call` from the environment or a file: every user of the machine can read arguments.

import { readFileSync } from "node:fs";
import { err, ok, Result } from "neverthrow";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";

export type SecretSource = { readonly secretEnv: string; readonly secretFile?: string };

const fromEnv = (name: string, env: Env): Result<string, CliFault> => {
  const missing = fault(
    `The environment variable ${name} is not set or empty. Set it to the secret, or use --secret-file`,
  );
  const secret = env[name]?.trim() ?? "";
  return secret === "" ? err(missing) : ok(secret);
};

const fromFile = (file: string): Result<string, CliFault> => {
  const unreadable = fault(`The secret file ${file} cannot be read. Use a file that the current user may read`);
  const read = Result.fromThrowable(
    () => readFileSync(file, "utf8").trim(),
    () => unreadable,
  )();
  return read.andThen((secret) =>
    secret === "" ? err(fault(`The secret file ${file} is empty. Put the secret into it`)) : ok(secret),
  );
};

//= CALL-1
export const readSecret = ({ secretEnv, secretFile }: SecretSource, env: Env): Result<string, CliFault> =>
  (secretFile === undefined ? fromEnv(secretEnv, env) : fromFile(secretFile)).andThen((secret) =>
    /[^\P{Cc}\t\u0080-\u009f]/u.test(secret)
      ? err(
          fault("The secret contains a control character, such as a line break, which no header can carry. Remove it"),
        )
      : ok(secret),
  );
