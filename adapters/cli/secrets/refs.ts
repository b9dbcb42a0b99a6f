// SecretRefs as the Gateway documents them: where a secret is, said by source, provider and id. Each provider is opened
// once, for all refs to it, and all providers at the same time.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { type CliFault, fault } from "../fault.ts";
import { at, type Env, member } from "../members.ts";
import { openEnv } from "./env.ts";
import { openExec } from "./exec.ts";
import { openFile } from "./file.ts";
import { type Lookup, providerFault, VARIABLE } from "./provider.ts";

const secretRef = z.strictObject({
  source: z.enum(["env", "file", "exec", "store"]),
  provider: z.string(),
  id: z.string(),
});

export type SecretRef = Readonly<z.infer<typeof secretRef>>;

/** The value when it has the shape of a SecretRef. */
export const asSecretRef = (value: unknown): SecretRef | undefined => secretRef.safeParse(value).data;

const ALIAS = /^[a-z][a-z0-9_-]{0,63}$/u;
const POINTER = /^(?:value|(?:\/(?:[^~/]|~[01])*)+)$/u;
const EXEC_ID = /^(?!(?:.*\/)?\.\.?(?:\/|$))[A-Za-z0-9][A-Za-z0-9._:/#-]{0,255}$/u;

const IDS = {
  env: [VARIABLE, "the name of an environment variable in upper case"],
  store: [VARIABLE, "the name of an environment variable in upper case"],
  file: [POINTER, "a JSON pointer such as /webhooks/zapier, or value"],
  exec: [EXEC_ID, "of letters, digits and . _ : / # -, at most 256, without . and .. between slashes"],
} as const satisfies Record<SecretRef["source"], readonly [RegExp, string]>;

const checked = (written: unknown): Result<SecretRef, CliFault> => {
  const ref = asSecretRef(written);
  if (ref === undefined) {
    return err(fault("a SecretRef must have source (env, file or exec), provider and id, and nothing else."));
  }
  if (ref.source === "store") {
    return err(fault("the source store works only inside a Gateway: use env, file or exec."));
  }
  if (!ALIAS.test(ref.provider)) {
    return err(fault("the SecretRef's provider must begin with a-z and go on with a-z, 0-9, _ or -, at most 64."));
  }
  const [grammar, words] = IDS[ref.source];
  return grammar.test(ref.id) ? ok(ref) : err(fault(`the SecretRef's id must be ${words}.`));
};

/** The provider of refs to environment variables that name none. */
export const envAlias = (secrets: unknown): string => {
  const alias = at(secrets, "defaults", "env");
  return (typeof alias === "string" && alias.trim()) || "default";
};

/** The provider's block; undefined for the built-in one. */
const blockOf = ({ source, provider }: SecretRef, secrets: unknown): Result<unknown, CliFault> => {
  const block = at(secrets, "providers", provider);
  const found = member(block, "source");
  if (found === source) return ok(block);
  if (source === "env" && provider === envAlias(secrets)) return ok(undefined);
  if (block === undefined) return err(providerFault(provider, ` is missing: add it with source ${source}`));
  return err(providerFault(provider, ` has another source than ${source}: correct it or the SecretRef's provider`));
};

const open = async (
  ref: SecretRef,
  ids: readonly string[],
  secrets: unknown,
  env: Env,
): Promise<Result<Lookup, CliFault>> => {
  const block = blockOf(ref, secrets);
  if (block.isErr()) return err(block.error);
  if (ref.source === "env") return openEnv(ref.provider, block.value, env);
  if (ref.source === "file") return openFile(ref.provider, block.value, env);
  if (member(block.value, "pluginIntegration") === undefined) return openExec(ref.provider, block.value, ids, env);
  return err(providerFault(ref.provider, ".pluginIntegration works only inside a Gateway: set a command instead"));
};

/** What the Gateway shows where a secret was: everybody knows these, so none of them is a secret. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  "__OPENCLAW_REDACTED__",
  "REDACTED",
  "xoxb-REDACTED",
  "xapp-REDACTED",
  "***",
  "[redacted]",
  "[REDACTED]",
  "<redacted>",
  "[REDACTED_PRIVATE_KEY]",
  "[REDACTED CREDENTIAL]",
]);

const secretOf = (value: unknown): Result<string, CliFault> => {
  if (typeof value !== "string" || value.trim() === "") {
    return err(fault("the SecretRef leads to something that is empty or no text: store a text there."));
  }
  return PLACEHOLDERS.has(value.trim())
    ? err(fault("the SecretRef leads to a placeholder for a secret: store the secret itself there."))
    : ok(value);
};

/** Opens the providers of all `refs`, each once; the function has the secret of each of them. Never rejects. */
export const openSecrets = async (
  refs: readonly SecretRef[],
  secrets: unknown,
  env: Env,
): Promise<(ref: SecretRef) => Result<string, CliFault>> => {
  const keyOf = ({ source, provider }: SecretRef): string => `${source}:${provider}`;
  const good = refs.filter((ref) => checked(ref).isOk());
  const opening = [...Map.groupBy(good, keyOf)].map(async ([key, group]) => {
    const ids = [...new Set(group.map(({ id }) => id))];
    const [first] = group;
    return first === undefined ? [] : [[key, await open(first, ids, secrets, env)] as const];
  });
  const lookups = new Map((await Promise.all(opening)).flat());
  return (written) =>
    checked(written).andThen((ref) => {
      const lookup = lookups.get(keyOf(ref)) ?? err(fault("the SecretRef was not asked for."));
      return lookup.andThen((look) => look(ref.id)).andThen(secretOf);
    });
};

/** The secret that a SecretRef stands for. Never rejects. */
export const resolveSecretRef = async (ref: unknown, secrets: unknown, env: Env): Promise<Result<string, CliFault>> => {
  const known = checked(ref);
  return known.isErr() ? err(known.error) : (await openSecrets([known.value], secrets, env))(known.value);
};
