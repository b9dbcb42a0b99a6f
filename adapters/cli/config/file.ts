// Reads a configuration file: a Gateway's whole file or only its webhooks block. SecretRefs are replaced by secrets. A
// SecretRef that does not resolve affects only its own route.

import JSON5 from "json5";
import { err, ok, Result } from "neverthrow";
import * as z from "zod";
import { type Effect, isObject, own, printable, problemStart } from "../../../core/index.ts";
import type { Told } from "../../bridge/told.ts";
import { at } from "../members.ts";
import { configParts, DISABLED, isRead, type Parts } from "./parts.ts";
import { linesOf, repeatedNames } from "./repeated.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";
import { readText } from "../read-text.ts";
import { pathOf } from "../secrets/file.ts";
import { asSecretRef, envAlias, openSecrets, type SecretRef } from "../secrets/refs.ts";
import { shorthandOf, substitute } from "./substitute.ts";

export type ServerConfig = {
  /** The whole file as it is written; undefined where there is none. */
  readonly root: unknown;
  /** For `loadConfig`. A SecretRef that did not resolve is left as it is, and `loadConfig` skips its route. */
  readonly config: object;
  readonly trustedProxies: readonly string[];
  /** One line for each SecretRef that did not resolve, so that a route or its callbacks are not there. */
  readonly unresolved: readonly Told[];
  /** One line for each secret that is served, but not kept or written as it should be. */
  readonly advice: readonly Told[];
};

const MAX_BYTES = 4 * 1024 * 1024;

const placeOf = (error: unknown): string =>
  `line ${String(own(error, "lineNumber"))}, column ${String(own(error, "columnNumber"))}`;

//= CONFIG-3
/** Keeps only the place of the parser's error, because its message quotes the file, perhaps a secret. */
const parse = Result.fromThrowable(
  (text: string) => JSON5.parse<unknown>(text),
  (error) => `is not JSON5 at ${placeOf(error)}: correct it there`,
);

//= CONFIG-10
/** Errs when a name that is read stands more than once, because the parser would keep the last one in silence. */
const unambiguous = (text: string): Result<string, string> => {
  const repeated = repeatedNames(text).filter(({ path }) => isRead(path));
  const names = repeated.map((one) => `${printable(one.path.join("."))} on lines ${linesOf(one)}`);
  return names.length === 0 ? ok(text) : err(`has ${names.join(", ")}: keep one of each`);
};

const proxies = z.array(z.string());

const proxiesOf = (written: unknown): Result<readonly string[], string> => {
  const parsed = proxies.safeParse(written ?? []);
  return parsed.success ? ok(parsed.data) : err("has trustedProxies that are not a list of strings: correct them");
};

/** Fields of a route that hold a secret, as they are called in lines. */
const FIELDS = ["secret", "previousSecret", "notify.secret"] as const;

const pathTo = (field: Reference["field"]): readonly string[] => field.split(".");

/** A route's reference to a secret. */
type Reference = {
  readonly field: (typeof FIELDS)[number];
  readonly ref: SecretRef;
  /** What stands in the route when the SecretRef does not resolve. */
  readonly unresolved: unknown;
  /** Written `$NAME`. */
  readonly isBare: boolean;
};

type Entry = { readonly id: string; readonly route: unknown; readonly references: readonly Reference[] };

const referenceIn = (
  field: Reference["field"],
  route: object,
  written: unknown,
  secrets: unknown,
): Reference | undefined => {
  const shorthand = shorthandOf(at(written, ...pathTo(field)));
  if (shorthand !== undefined) {
    const { name, text, isBare } = shorthand;
    const ref = { source: "env", provider: envAlias(secrets), id: name } as const;
    // left as a string, `$NAME` would become a secret that anyone can guess
    return { field, ref, unresolved: isBare ? ref : text, isBare };
  }
  const ref = asSecretRef(at(route, ...pathTo(field)));
  return ref && { field, ref, unresolved: ref, isBare: false };
};

const entryOf = (id: string, written: unknown, secrets: unknown, env: Env): Entry => {
  const route = substitute(written, env);
  if (!isObject(route) || own(route, "enabled") === false) return { id, route, references: [] };
  return { id, route, references: FIELDS.flatMap((field) => referenceIn(field, route, written, secrets) ?? []) };
};

const BARE =
  "a secret written as $NAME stands for an environment variable, which could not be read: set the variable, or use a secret that does not begin with $.";

/** What is so until a secret that is not the route's own resolves. */
const UNTIL_THEN = {
  previousSecret: "Until then it opens nothing. Remove it once the rotation is over.",
  "notify.secret": "Until then no callback is sent, and events wait.",
} as const;

const QUOTED = /^(["'])[^]*\1$/u;

const quoteAdvice = (field: string): string =>
  `${field} begins and ends with a quotation mark, which callers must send too: remove both, if a file of variables brought them (docker --env-file keeps them).`;

const toldOf = (effect: Effect, routeId: string, reason: string): Told => ({
  line: `${problemStart(effect, routeId)}${reason}`,
  routeId,
  effect,
});

/** A field with what stands in it, and what there is to say of it. */
type Filled = { readonly value: unknown; readonly said?: Told };

type Resolved = { readonly id: string; readonly route: unknown; readonly filled: readonly Filled[] };

//= CONFIG-1, CONFIG-2, CONFIG-12, AUTH-9
const fill = (
  id: string,
  { field, ref, unresolved, isBare }: Reference,
  secretOf: (ref: SecretRef) => Result<string, CliFault>,
): Filled =>
  secretOf(ref).match<Filled>(
    (secret) => ({
      value: secret,
      ...(QUOTED.test(secret.trim()) && { said: toldOf("advice", id, quoteAdvice(field)) }),
    }),
    ({ sentence }) => {
      const reason = `${field} could not be resolved: ${isBare ? BARE : sentence}`;
      if (field === "secret") return { value: unresolved, said: toldOf("cold", id, reason) };
      const said = `${reason} ${UNTIL_THEN[field]}`;
      return field === "previousSecret"
        ? { value: undefined, said: toldOf("advice", id, said) }
        : { value: unresolved, said: toldOf("untold", id, said) };
    },
  );

/** A copy in which `value` stands at the end of `path`. */
const put = (parent: object, [name = "", ...rest]: readonly string[], value: unknown): object => {
  const child = own(parent, name);
  return { ...parent, [name]: rest.length > 0 && isObject(child) ? put(child, rest, value) : value };
};

const resolveEntry = (
  { id, route, references }: Entry,
  secretOf: (ref: SecretRef) => Result<string, CliFault>,
): Resolved => {
  if (!isObject(route) || references.length === 0) return { id, route, filled: [] };
  const filled = references.map((reference) => fill(id.trim(), reference, secretOf));
  const whole = references.reduce<object>(
    (made, { field }, place) => put(made, pathTo(field), filled[place]?.value),
    route,
  );
  return { id, route: whole, filled };
};

const resolveRoutes = async (
  written: unknown,
  secrets: unknown,
  env: Env,
): Promise<Omit<ServerConfig, "root" | "trustedProxies">> => {
  if (!isObject(written)) return { config: { routes: written }, unresolved: [], advice: [] };
  const entries = Object.entries(written).map(([id, route]) => entryOf(id, route, secrets, env));
  const refs = entries.flatMap(({ references }) => references.map(({ ref }) => ref));
  const advice: Told[] = [];
  const secretOf = await openSecrets(refs, secrets, env, (line) => void advice.push({ line }));
  const resolved = entries.map((entry) => resolveEntry(entry, secretOf));
  const said = resolved.flatMap(({ filled }) => filled.flatMap((one) => one.said ?? []));
  return {
    config: { routes: Object.fromEntries(resolved.map(({ id, route }) => [id, route])) },
    unresolved: said.filter(({ effect }) => effect !== "advice"),
    advice: [...advice, ...said.filter(({ effect }) => effect === "advice")],
  };
};

const configOf = async (
  { routes, audit, trustedProxies, secrets }: Parts,
  env: Env,
): Promise<Result<Omit<ServerConfig, "root">, string>> => {
  const trusted = proxiesOf(substitute(trustedProxies, env));
  if (trusted.isErr()) return err(trusted.error);
  const resolved = await resolveRoutes(routes, substitute(secrets, env), env);
  const config = audit === undefined ? resolved.config : { ...resolved.config, audit: substitute(audit, env) };
  return ok({ ...resolved, config, trustedProxies: trusted.value });
};

/** The whole file as it is written. Errs with what is wrong and what to do. Never rejects. */
const readWritten = async (file: string): Promise<Result<unknown, string>> => {
  const tooLong = "is longer than 4 MiB: shorten it";
  return (await readText(file, { maxBytes: MAX_BYTES, tooLong, isSecret: false })).andThen(({ text }) =>
    parse(text).andThen((root) => unambiguous(text).map(() => root)),
  );
};

/** Reads the file and resolves its SecretRefs. Never rejects. */
export const readConfigFile = async (file: string, env: Env): Promise<Result<ServerConfig, CliFault>> => {
  const root = await readWritten(file);
  const parts = root.andThen(configParts);
  const config = parts.isErr() ? err(parts.error) : await configOf(parts.value, env);
  return config
    .map((read) => ({ ...read, root: root.unwrapOr(undefined) }))
    .mapErr((hint) => ({ ...fault(`${printable(file)} ${hint}.`), isOff: hint === DISABLED }));
};

/** Paths of the files of secrets that the configuration names; none when it cannot be read. Never rejects. */
export const secretFilesOf = async (file: string, env: Env): Promise<readonly string[]> => {
  const providers = substitute(
    own((await readWritten(file)).andThen(configParts).unwrapOr(undefined)?.secrets, "providers"),
    env,
  );
  return Object.values(isObject(providers) ? providers : {}).flatMap((provider) => {
    const path = own(provider, "source") === "file" ? own(provider, "path") : undefined;
    return (typeof path === "string" ? pathOf(path, env) : undefined) ?? [];
  });
};
