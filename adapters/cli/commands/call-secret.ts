// Where `call` has a route's secret from: never from its arguments, which every user of the machine can read.

import { readFileSync } from "node:fs";
import { err, ok, Result } from "neverthrow";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../members.ts";

export type SecretSource = { readonly secretEnv: string; readonly secretFile?: string };

const fromEnv = (name: string, env: Env): Result<string, CliFault> => {
  const missing = fault(`The environment variable ${name} holds no secret. Set it, or give --secret-file`);
  const secret = env[name]?.trim() ?? "";
  return secret === "" ? err(missing) : ok(secret);
};

const fromFile = (file: string): Result<string, CliFault> => {
  const unreadable = fault(`${file} cannot be read as a secret. Give a file that this user may read`);
  const read = Result.fromThrowable(
    () => readFileSync(file, "utf8").trim(),
    () => unreadable,
  )();
  return read.andThen((secret) =>
    secret === "" ? err(fault(`${file} is empty. Put the secret into it`)) : ok(secret),
  );
};

//= CALL-1
export const readSecret = ({ secretEnv, secretFile }: SecretSource, env: Env): Result<string, CliFault> =>
  (secretFile === undefined ? fromEnv(secretEnv, env) : fromFile(secretFile)).andThen((secret) =>
    /[\r\n\0]/u.test(secret) ? err(fault("The secret has more than one line. Give one")) : ok(secret),
  );
