// Where a database is, from its URL: host, port, user, name, and how far TLS is trusted. Only the words of libpq that are known here
// are taken, because one that is ignored may be the one that protects.

import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { err, ok, Result } from "neverthrow";

export const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
type SslMode = (typeof SSL_MODES)[number];

/** As `pg` takes it. What is undefined comes from the environment: PGHOST, PGPORT, PGUSER, PGDATABASE. */
export type Address = {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly database: string | undefined;
  readonly ssl: false | ConnectionOptions;
  readonly applicationName: string;
  /** For people and logs, without what may be secret. */
  readonly shown: string;
};

/** A sentence about the URL, without its subject. */
export type AddressFault = string;

type Env = Readonly<Record<string, string | undefined>>;

const PARAMETERS: ReadonlySet<string> = new Set([
  "host",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "application_name",
]);

/** Whether nothing between this process and the host is another's. */
const isNear = (host: string): boolean =>
  host.startsWith("/") || host === "localhost" || host === "::1" || /^127\.(?:\d+\.){2}\d+$/u.test(host);

const parseUrl = Result.fromThrowable(
  (url: string) => new URL(url),
  (): AddressFault => "is not a URL like postgres://user@host:5432/database",
);

const decoded = Result.fromThrowable(
  (text: string): string => decodeURIComponent(text),
  (): AddressFault => "has a broken percent-encoding",
);

const readPem = (file: string | undefined, name: string): Result<string | undefined, AddressFault> => {
  if (file === undefined) return ok(undefined);
  return Result.fromThrowable(
    () => readFileSync(file, "utf8"),
    (): AddressFault => `names a file with ${name} that cannot be read`,
  )();
};

const isMode = (mode: string): mode is SslMode => SSL_MODES.some((one) => one === mode);

//= PG-8
/** Without a word about it, what leaves the machine is encrypted and the server's certificate verified. */
const modeOf = (written: string | undefined, host: string): Result<SslMode, AddressFault> => {
  const mode = written ?? (isNear(host) ? "disable" : "verify-full");
  return isMode(mode) ? ok(mode) : err(`has an sslmode that is not one of ${SSL_MODES.join(", ")}`);
};

type Pems = { readonly ca: string | undefined; readonly cert: string | undefined; readonly key: string | undefined };

const tlsOf = (mode: SslMode, pems: Pems): false | ConnectionOptions => {
  if (mode === "disable") return false;
  const given = Object.fromEntries(Object.entries(pems).filter(([, pem]) => pem !== undefined));
  if (mode === "require") return { ...given, rejectUnauthorized: false };
  return mode === "verify-ca" ? { ...given, checkServerIdentity: () => undefined } : given;
};

const sslOf = (words: URLSearchParams, host: string, env: Env): Result<Address["ssl"], AddressFault> => {
  const fileOf = (word: string): string | undefined => words.get(word) ?? env[`PG${word.toUpperCase()}`];
  return modeOf(words.get("sslmode") ?? env["PGSSLMODE"], host).andThen((mode) =>
    Result.combine([
      readPem(fileOf("sslrootcert"), "sslrootcert"),
      readPem(fileOf("sslcert"), "sslcert"),
      readPem(fileOf("sslkey"), "sslkey"),
    ]).map(([ca, cert, key]) => tlsOf(mode, { ca, cert, key })),
  );
};

const checkWords = (url: URL): Result<void, AddressFault> => {
  if (url.password !== "" || url.searchParams.has("password"))
    return err(
      "must not have a password, which other users and logs could see. Set PGPASSWORD, or give it apart: serve takes --db-password-file, openPostgresFlows takes password",
    );
  const unknown = [...url.searchParams.keys()].find((word) => !PARAMETERS.has(word));
  return unknown === undefined
    ? ok()
    : err(`has a parameter that is not known. It may have ${[...PARAMETERS].join(", ")}`);
};

/** "" is what a URL has not. */
const given = (text: string): string | undefined => (text === "" ? undefined : text);

export const isPostgresUrl = (text: string): boolean => /^postgres(?:ql)?:\/\//iu.test(text);

/** `text`: `postgres://user@host:5432/database?sslmode=verify-full`. A host that begins with `/` is a folder with a socket. */
export const addressOf = (text: string, env: Env = process.env): Result<Address, AddressFault> =>
  parseUrl(text).andThen((url) =>
    checkWords(url).andThen(() =>
      Result.combine([decoded(url.hostname), decoded(url.username), decoded(url.pathname.slice(1))]).andThen(
        ([name, user, database]) => {
          const words = url.searchParams;
          const host = words.get("host") ?? given(name.replace(/^\[(.*)\]$/u, "$1")) ?? env["PGHOST"];
          const near = host ?? "localhost";
          return sslOf(words, near, env).map((ssl) => ({
            host,
            port: url.port === "" ? undefined : Number(url.port),
            user: given(user),
            database: given(database),
            ssl,
            applicationName: words.get("application_name") ?? "openclaw-webhooks",
            shown: `postgres://${user === "" ? "" : `${url.username}@`}${near.startsWith("/") ? "" : near}${url.port === "" ? "" : `:${url.port}`}${url.pathname}`,
          }));
        },
      ),
    ),
  );
