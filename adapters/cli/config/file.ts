// The configuration file of the command line: the Gateway's own file, or its webhooks block alone, with secrets in the
// place of SecretRefs. A SecretRef that leads to none costs its own route only.

import JSON5 from "json5";
import { err, ok, Result } from "neverthrow";
import * as z from "zod";
import { printable } from "../../../core/index.ts";
import { configParts, type Parts } from "./parts.ts";
import { type CliFault, fault } from "../fault.ts";
import { type Env, isObject, member } from "../members.ts";
import { type ReadFault, readText } from "../read-text.ts";
import { asSecretRef, envAlias, openSecrets, type SecretRef } from "../secrets/refs.ts";
import { shorthandOf, substitute } from "./substitute.ts";

export type ServerConfig = {
  /** For the core's `loadConfig`; a SecretRef that did not resolve is left as it is, and is no secret there. */
  readonly config: unknown;
  readonly trustedProxies: readonly string[];
  /** One line for each route whose SecretRef did not resolve. */
  readonly unresolved: readonly string[];
};

const MAX_BYTES = 4 * 1024 * 1024;

const HINTS = {
  missing: "does not exist: correct the path or make the file",
  symlink: "leads from symlink to symlink without an end: correct the path",
  "not a file": "is no regular file: give the path of one",
  unreadable: "cannot be read: let the current user read it",
  "too long": "is longer than 4 MiB: shorten it",
  "not text": "is not UTF-8: save it as UTF-8",
} as const satisfies Record<ReadFault, string>;

const placeOf = (error: unknown): string =>
  `line ${String(member(error, "lineNumber"))}, column ${String(member(error, "columnNumber"))}`;

//= CONFIG-3
/** What the parser says besides the place quotes the file, perhaps from a secret. */
const parse = Result.fromThrowable(
  (text: string) => JSON5.parse<unknown>(text),
  (error) => `is no JSON5 at ${placeOf(error)}: correct it there`,
);

const proxies = z.array(z.string());

const proxiesOf = (written: unknown): Result<readonly string[], string> => {
  const parsed = proxies.safeParse(written ?? []);
  return parsed.success ? ok(parsed.data) : err("has trustedProxies that are no list of texts: correct them");
};

/** A secret that is not in its route itself. */
type Wanted = {
  readonly ref: SecretRef;
  /** The route with a secret in it. */
  readonly fill: (secret: unknown) => unknown;
  /** What stays in the route when the SecretRef does not resolve. */
  readonly left: unknown;
  readonly isBare: boolean;
};

type Entry = { readonly id: string; readonly route: unknown; readonly wanted?: Wanted };

const wantedIn = (route: object, written: unknown, secrets: unknown): Wanted | undefined => {
  const fill = (secret: unknown): unknown => ({ ...route, secret });
  const shorthand = shorthandOf(member(written, "secret"));
  if (shorthand !== undefined) {
    const { name, text, isBare } = shorthand;
    const ref = { source: "env", provider: envAlias(secrets), id: name } as const;
    // `$NAME` as a text would be a secret that everybody can guess
    return { ref, fill, left: isBare ? ref : text, isBare };
  }
  const ref = asSecretRef(member(route, "secret"));
  return ref && { ref, fill, left: ref, isBare: false };
};

const entryOf = (id: string, written: unknown, secrets: unknown, env: Env): Entry => {
  const route = substitute(written, env);
  if (!isObject(route) || member(route, "enabled") === false) return { id, route };
  const wanted = wantedIn(route, written, secrets);
  return wanted === undefined ? { id, route } : { id, route, wanted };
};

const BARE =
  "written as $NAME it is that environment variable, which cannot be read: set it, or write a secret that does not begin with $.";

type Resolved = { readonly id: string; readonly route: unknown; readonly line?: string };

//= CONFIG-1, CONFIG-2
const resolveEntry = (
  { id, route, wanted }: Entry,
  secretOf: (ref: SecretRef) => Result<string, CliFault>,
): Resolved => {
  if (wanted === undefined) return { id, route };
  return secretOf(wanted.ref).match<Resolved>(
    (secret) => ({ id, route: wanted.fill(secret) }),
    ({ sentence }) => {
      const why = wanted.isBare ? BARE : sentence;
      const line = `route ${printable(id)} skipped: secret could not be resolved: ${why}`;
      return { id, route: wanted.fill(wanted.left), line };
    },
  );
};

const resolveRoutes = async (
  written: unknown,
  secrets: unknown,
  env: Env,
): Promise<Pick<ServerConfig, "config" | "unresolved">> => {
  if (!isObject(written)) return { config: { routes: written }, unresolved: [] };
  const entries = Object.entries(written).map(([id, route]) => entryOf(id, route, secrets, env));
  const refs = entries.flatMap(({ wanted }) => (wanted === undefined ? [] : [wanted.ref]));
  const secretOf = await openSecrets(refs, secrets, env);
  const resolved = entries.map((entry) => resolveEntry(entry, secretOf));
  return {
    config: { routes: Object.fromEntries(resolved.map(({ id, route }) => [id, route])) },
    unresolved: resolved.flatMap(({ line }) => (line === undefined ? [] : [line])),
  };
};

const configOf = async (
  { routes, trustedProxies, secrets }: Parts,
  env: Env,
): Promise<Result<ServerConfig, string>> => {
  const trusted = proxiesOf(substitute(trustedProxies, env));
  if (trusted.isErr()) return err(trusted.error);
  const resolved = await resolveRoutes(routes, substitute(secrets, env), env);
  return ok({ ...resolved, trustedProxies: trusted.value });
};

/** Reads the file and resolves its SecretRefs. Never rejects. */
export const readConfigFile = async (file: string, env: Env): Promise<Result<ServerConfig, CliFault>> => {
  const text = await readText<never>(file, { maxBytes: MAX_BYTES, followSymlink: true, check: () => undefined });
  const parts = text
    .mapErr((found): string => HINTS[found])
    .andThen(parse)
    .andThen(configParts);
  const config = parts.isErr() ? err(parts.error) : await configOf(parts.value, env);
  return config.mapErr((said) => fault(`${printable(file)} ${said}.`));
};
