// Secrets from a private file of the current user: not a symlink, one hard link, no rights for group and others.

import type { Stats } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { err, ok, Result } from "neverthrow";
import * as z from "zod";
import { isObject, own } from "../../../core/index.ts";
import { withDeadline } from "../../bridge/deadline.ts";
import type { CliFault } from "../fault.ts";
import type { Env } from "../io.ts";
import { type ReadFault, readText } from "../read-text.ts";
import { byteLimit, type Lookup, parseProvider, providerFault, timeoutMs } from "./provider.ts";

const fileProvider = z.strictObject({
  source: z.literal("file"),
  path: z.string().min(1),
  mode: z.enum(["json", "singleValue"]).default("json"),
  timeoutMs: timeoutMs.default(5000),
  maxBytes: byteLimit.default(1_048_576),
});

type FileProvider = z.infer<typeof fileProvider>;

const HINTS = {
  missing: ".path does not exist: correct it or create the file",
  symlink: ".path is a symlink: set the path that it points to",
  "not a file": ".path is not a regular file: set the path of a regular file",
  unreadable: ".path cannot be read: let the current user read it",
  "too long": ".path is longer than maxBytes: shorten the file or raise maxBytes",
  "not text": ".path is not UTF-8: save it as UTF-8",
  linked: ".path has more than one hard link: copy it into a new private file",
  foreign: ".path does not belong to the current user: change its owner",
  open: ".path is open to group or others: run chmod 600 on it",
  late: ".path was not read within timeoutMs: try again or raise timeoutMs",
} as const satisfies Record<ReadFault | "linked" | "foreign" | "open" | "late", string>;

type FileFault = keyof typeof HINTS;

const notPrivate = ({ nlink, uid, mode }: Stats): FileFault | undefined => {
  if (nlink > 1) return "linked";
  if (uid !== process.geteuid?.()) return "foreign";
  return (mode & 0o077) === 0 ? undefined : "open";
};

const isSet = (value: string | undefined): value is string => !["", "undefined", "null"].includes(value?.trim() ?? "");

const expand = (path: string, home: () => string): string => path.trim().replace(/^~(?=$|\/)/u, home);

/** As in the Gateway, `~` is OPENCLAW_HOME if that is set. */
export const pathOf = (path: string, { OPENCLAW_HOME: gatewayHome, HOME: home }: Env): string => {
  const systemHome = (): string => (isSet(home) ? home.trim() : homedir());
  return resolve(expand(path, () => (isSet(gatewayHome) ? expand(gatewayHome, systemHome) : systemHome())));
};

const read = async (
  { path, timeoutMs: deadline, maxBytes }: FileProvider,
  env: Env,
): Promise<Result<string, FileFault>> => {
  const reading = { maxBytes, followSymlink: false, check: notPrivate };
  const outcome = await withDeadline(() => readText(pathOf(path, env), reading), deadline);
  return outcome.match(
    (text) => text,
    ({ kind }) => err<string, FileFault>(kind === "late" ? "late" : "unreadable"),
  );
};

/** The value at a JSON pointer (RFC 6901), or undefined. */
const pointed = (root: object, pointer: string): unknown =>
  pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((parent, name) => own(parent, name), root);

const parseJson = Result.fromThrowable(
  (text: string): unknown => JSON.parse(text),
  () => undefined,
);

const jsonLookup = (alias: string, text: string): Result<Lookup, CliFault> => {
  const root = parseJson(text).unwrapOr(undefined);
  if (!isObject(root))
    return err(
      providerFault(
        alias,
        ".path does not contain a JSON object: correct the file, or set mode to singleValue if it contains only the secret",
      ),
    );
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

/** Reads the file. Never rejects. */
export const openFile = async (alias: string, block: unknown, env: Env): Promise<Result<Lookup, CliFault>> => {
  const provider = parseProvider(fileProvider, alias, block);
  if (provider.isErr()) return err(provider.error);
  const text = (await read(provider.value, env)).mapErr((fileFault) => providerFault(alias, HINTS[fileFault]));
  return text.andThen((content): Result<Lookup, CliFault> =>
    provider.value.mode === "json" ? jsonLookup(alias, content) : ok(singleLookup(alias, content)),
  );
};
