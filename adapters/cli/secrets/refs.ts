// Resolves SecretRefs as the Gateway documents them: source, provider and id. Each provider is opened once for all its
// refs, and all providers are opened at the same time.

import { err, ok, type Result } from "neverthrow";
import type * as z from "zod";
import { own, secretRef } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";
import { at } from "../members.ts";
import { openEnv } from "./env.ts";
import { openExec } from "./exec.ts";
import { openFile } from "./file.ts";
import { type Advise, type Lookup, providerFault, VARIABLE } from "./provider.ts";

export type SecretRef = Readonly<z.infer<typeof secretRef>>;

/** The value if it is a SecretRef, else undefined. */
export const asSecretRef = (value: unknown): SecretRef | undefined => secretRef.safeParse(value).data;

const ALIAS = /^[a-z][a-z0-9_-]{0,63}$/u;
const POINTER = /^(?:value|(?:\/(?:[^~/]|~[01])*)+)$/u;
const EXEC_ID = /^(?!(?:.*\/)?\.\.?(?:\/|$))[A-Za-z0-9][A-Za-z0-9._:/#-]{0,255}$/u;

const IDS = {
  env: [VARIABLE, "the name of an environment variable in upper case"],
  store: [VARIABLE, "the name of an environment variable in upper case"],
  file: [POINTER, "a JSON pointer such as /webhooks/zapier, or value"],
  exec: [EXEC_ID, "at most 256 letters, digits and . _ : / # -, without . or .. between slashes"],
} as const satisfies Record<SecretRef["source"], readonly [RegExp, string]>;

const checkRef = (written: unknown): Result<SecretRef, CliFault> => {
  const ref = asSecretRef(written);
  if (ref === undefined) {
    return err(fault("a SecretRef must have source (env, file or exec), provider and id, and nothing else."));
  }
  if (ref.source === "store") {
    return err(fault("the source store works only inside a Gateway: use env, file or exec."));
  }
  if (!ALIAS.test(ref.provider)) {
    return err(fault("the SecretRef's provider must be at most 64 of a-z, 0-9, _ and -, and begin with a-z."));
  }
  const [grammar, description] = IDS[ref.source];
  return grammar.test(ref.id) ? ok(ref) : err(fault(`the SecretRef's id must be ${description}.`));
};

/** The default provider of environment variables. */
export const envAlias = (secrets: unknown): string => {
  const alias = at(secrets, "defaults", "env");
  return (typeof alias === "string" && alias.trim()) || "default";
};

/** The provider's block, or undefined for the built-in provider. */
const blockOf = ({ source, provider }: SecretRef, secrets: unknown): Result<unknown, CliFault> => {
  const block = at(secrets, "providers", provider);
  const declared = own(block, "source");
  if (declared === source) return ok(block);
  if (source === "env" && provider === envAlias(secrets)) return ok(undefined);
  if (block === undefined) return err(providerFault(provider, ` is missing: add it with source ${source}`));
  return err(providerFault(provider, ` does not have the source ${source}: correct it or the SecretRef's provider`));
};

const open = async (
  ref: SecretRef,
  ids: readonly string[],
  secrets: unknown,
  env: Env,
  advise: Advise,
): Promise<Result<Lookup, CliFault>> => {
  const block = blockOf(ref, secrets);
  if (block.isErr()) return err(block.error);
  if (ref.source === "env") return openEnv(ref.provider, block.value, env);
  if (ref.source === "file") return openFile(ref.provider, block.value, env, advise);
  if (own(block.value, "pluginIntegration") === undefined) return openExec(ref.provider, block.value, ids, env);
  return err(providerFault(ref.provider, ".pluginIntegration works only inside a Gateway: set a command instead"));
};

const secretOf = (value: unknown): Result<string, CliFault> =>
  typeof value === "string" && value.trim() !== ""
    ? ok(value)
    : err(fault("the SecretRef's value is empty or not a string: store the secret there."));

/** Opens the providers of `refs`. The returned function gives the secret of each of these refs. Never rejects. */
export const openSecrets = async (
  refs: readonly SecretRef[],
  secrets: unknown,
  env: Env,
  advise: Advise = () => undefined,
): Promise<(ref: SecretRef) => Result<string, CliFault>> => {
  const keyOf = ({ source, provider }: SecretRef): string => `${source}:${provider}`;
  const valid = refs.filter((ref) => checkRef(ref).isOk());
  const opening = [...Map.groupBy(valid, keyOf)].map(async ([key, group]) => {
    const ids = [...new Set(group.map(({ id }) => id))];
    const [first] = group;
    return first === undefined ? [] : [[key, await open(first, ids, secrets, env, advise)] as const];
  });
  const lookups = new Map((await Promise.all(opening)).flat());
  return (written) =>
    checkRef(written).andThen((ref) => {
      const lookup = lookups.get(keyOf(ref)) ?? err(fault("the SecretRef is not one of those that were opened."));
      return lookup.andThen((valueOf) => valueOf(ref.id)).andThen(secretOf);
    });
};

/** The secret that a SecretRef stands for. Never rejects. */
export const resolveSecretRef = async (ref: unknown, secrets: unknown, env: Env): Promise<Result<string, CliFault>> => {
  const valid = checkRef(ref);
  return valid.isErr() ? err(valid.error) : (await openSecrets([valid.value], secrets, env))(valid.value);
};
