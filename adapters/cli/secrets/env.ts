// Secrets from environment variables, limited to those that the allowlist names, if there is one.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";
import { type Lookup, parseProvider, providerFault, variableName } from "./provider.ts";

const envProvider = z.strictObject({
  source: z.literal("env"),
  allowlist: z.array(variableName).max(256).optional(),
});

const valueOf = (env: Env, name: string): Result<unknown, CliFault> => {
  const value = env[name];
  return value === undefined || value === ""
    ? err(fault(`the environment variable ${name} is not set or empty: set it.`))
    : ok(value);
};

/** `block` is undefined for the built-in provider, which allows every name. */
export const openEnv = (alias: string, block: unknown, env: Env): Result<Lookup, CliFault> =>
  parseProvider(envProvider, alias, block ?? { source: "env" }).map(
    ({ allowlist }) =>
      (name) =>
        allowlist === undefined || allowlist.includes(name)
          ? valueOf(env, name)
          : err(providerFault(alias, `.allowlist does not name the environment variable ${name}: add it`)),
  );
