// Secrets from a file that belongs to the current user alone: no symlink, one hard link, nothing for group and others.

import type { Stats } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";
import { err, ok, Result } from "neverthrow";
import * as z from "zod";
import { withDeadline } from "../../bridge/deadline.ts";
import type { CliFault } from "../fault.ts";
import { type Env, isObject, member } from "../members.ts";
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
  missing: ".path names no file: correct it or make the file",
  symlink: ".path is a symlink: set the path that it leads to",
  "not a file": ".path is no regular file: set the path of one",
  unreadable: ".path cannot be read: let the current user read it",
  "too long": ".path holds more than maxBytes: raise that or shorten the file",
  "not text": ".path is not UTF-8: save it as UTF-8",
  linked: ".path has more than one hard link: copy it into a new private file",
  foreign: ".path does not belong to the current user: change its owner",
  open: ".path is open to group or others: run chmod 600 on it",
  late: ".path was not read within timeoutMs: try again or raise that",
} as const satisfies Record<ReadFault | "linked" | "foreign" | "open" | "late", string>;

type FileFault = keyof typeof HINTS;

const notPrivate = ({ nlink, uid, mode }: Stats): FileFault | undefined => {
  if (nlink > 1) return "linked";
  if (uid !== process.geteuid?.()) return "foreign";
  return (mode & 0o077) === 0 ? undefined : "open";
};

const isSet = (value: string | undefined): value is string => !["", "undefined", "null"].includes(value?.trim() ?? "");

const expand = (path: string, home: () => string): string => path.trim().replace(/^~(?=$|\/)/u, home);

/** `~` is OPENCLAW_HOME when that is set, as for the Gateway. */
const pathOf = (path: string, { OPENCLAW_HOME: own, HOME: home }: Env): string => {
  const systemHome = (): string => (isSet(home) ? home.trim() : homedir());
  return resolve(expand(path, () => (isSet(own) ? expand(own, systemHome) : systemHome())));
};

const read = async (
  { path, timeoutMs: deadline, maxBytes }: FileProvider,
  env: Env,
): Promise<Result<string, FileFault>> => {
  const reading = { maxBytes, followSymlink: false, check: notPrivate };
  const done = await withDeadline(() => readText(pathOf(path, env), reading), deadline);
  return done.match(
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
    .reduce<unknown>(member, root);

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
        ".path does not hold a JSON object: correct the file, or set mode to singleValue if it holds the secret alone",
      ),
    );
  return ok((pointer) => {
    const value = pointer.startsWith("/") ? pointed(root, pointer) : undefined;
    return value === undefined
      ? err(providerFault(alias, ".path has nothing where the SecretRef's id points: correct the id or the file"))
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
  const text = (await read(provider.value, env)).mapErr((found) => providerFault(alias, HINTS[found]));
  return text.andThen((held): Result<Lookup, CliFault> =>
    provider.value.mode === "json" ? jsonLookup(alias, held) : ok(singleLookup(alias, held)),
  );
};
