// Secrets from a file that nobody but root and the current user could have written.

import { resolve } from "node:path";
import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import { isObject, own, parseJson } from "../../../core/index.ts";
import { withDeadline } from "../../bridge/deadline.ts";
import { linesOf, repeatedNames } from "../config/repeated.ts";
import type { CliFault } from "../fault.ts";
import { homeOf } from "../home.ts";
import type { Env } from "../io.ts";
import { readText, type TextFile } from "../read-text.ts";
import { type Advise, byteLimit, type Lookup, parseProvider, providerFault, timeoutMs } from "./provider.ts";

const fileProvider = z.strictObject({
  source: z.literal("file"),
  path: z.string().min(1),
  mode: z.enum(["json", "singleValue"]).default("json"),
  timeoutMs: timeoutMs.default(5000),
  maxBytes: byteLimit.default(1_048_576),
});

type FileProvider = z.infer<typeof fileProvider>;

const isSet = (value: string | undefined): value is string => !["", "undefined", "null"].includes(value?.trim() ?? "");

const TILDE = /^~(?=$|\/)/u;

/** As in the Gateway, `~` is OPENCLAW_HOME if that is set. Undefined when it stands for a home folder and there is none. */
export const pathOf = (path: string, env: Env): string | undefined => {
  if (!TILDE.test(path.trim())) return resolve(path.trim());
  const { OPENCLAW_HOME: gatewayHome, ...rest } = env;
  const home = isSet(gatewayHome) ? pathOf(gatewayHome, rest) : homeOf(env);
  return home && resolve(path.trim().replace(TILDE, () => home));
};

const NO_HOME = "begins with ~, and the current user has no home folder: write an absolute path, or set HOME to one";

const read = async (
  { path, timeoutMs: deadline, maxBytes }: FileProvider,
  env: Env,
): Promise<Result<TextFile, string>> => {
  const file = pathOf(path, env);
  if (file === undefined) return err(NO_HOME);
  const tooLong = "is longer than maxBytes: shorten the file or raise maxBytes";
  const outcome = await withDeadline(() => readText(file, { maxBytes, tooLong, isSecret: true }), deadline);
  return outcome.match(
    (text) => text,
    () => err<TextFile, string>("was not read within timeoutMs: try again or raise timeoutMs"),
  );
};

/** The value at a JSON pointer (RFC 6901), or undefined. */
const pointed = (root: object, pointer: string): unknown =>
  pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((parent, name) => own(parent, name), root);

const jsonLookup = (alias: string, text: string): Result<Lookup, CliFault> => {
  const root = parseJson(text).unwrapOr(undefined);
  if (!isObject(root))
    return err(
      providerFault(
        alias,
        ".path does not contain a JSON object: correct the file, or set mode to singleValue if it contains only the secret",
      ),
    );
  //= CONFIG-10
  const [repeated] = repeatedNames(text);
  if (repeated !== undefined)
    return err(providerFault(alias, `.path has one name on lines ${linesOf(repeated)}: keep one of them`));
  return ok((pointer) => {
    const value = pointer.startsWith("/") ? pointed(root, pointer) : undefined;
    return value === undefined
      ? err(providerFault(alias, ".path has no value at the SecretRef's id: correct the id or the file"))
      : ok(value);
  });
};

const singleLookup = (alias: string, text: string): Lookup => {
  const value = text.replace(/\r?\n$/u, "");
  return (id) =>
    id === "value"
      ? ok(value)
      : err(providerFault(alias, " has the mode singleValue: set the SecretRef's id to value"));
};

const EXPOSED = "can be read by other users: let only the server's user or group read it";

/** Reads the file. Never rejects. */
export const openFile = async (
  alias: string,
  block: unknown,
  env: Env,
  advise: Advise,
): Promise<Result<Lookup, CliFault>> => {
  const provider = parseProvider(fileProvider, alias, block);
  if (provider.isErr()) return err(provider.error);
  const blame = (hint: string): CliFault => providerFault(alias, `.path ${hint}`);
  const file = (await read(provider.value, env)).mapErr(blame);
  return file.andThen(({ text, isExposed }): Result<Lookup, CliFault> => {
    if (isExposed) advise(blame(EXPOSED).sentence);
    return provider.value.mode === "json" ? jsonLookup(alias, text) : ok(singleLookup(alias, text));
  });
};
