// Flows in PostgreSQL for `serve`: the password, the package that it needs, and what to do when the database cannot be used.

import { err, ok, type Result } from "neverthrow";
import { own, printable } from "../../../core/index.ts";
import { addressOf } from "../../flows/postgres/address.ts";
import type { PostgresFault, PostgresFlows, PostgresOptions } from "../../flows/postgres/postgres-flows.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";
import { rereadSecret } from "./call-secret.ts";

/** Connections of one process to PostgreSQL. */
export const CONNECTIONS = { least: 1, most: 1000, usual: 10 } as const;

export type PostgresChoice = {
  readonly db: string;
  readonly dbPasswordFile?: string;
  readonly dbConnections?: number;
};

type Words = readonly [reason: string, advice: string];

/** Most characters of a reason. */
const SENTENCE = 500;

const NOT_THERE = ["does not answer", "Start PostgreSQL, or correct the host and the port"] as const;
const UNKNOWN_HOST = ["is on a host that is not known", "Correct the host"] as const;
const UNKNOWN_ISSUER = [
  "has a certificate of an authority that is not known here",
  "Name the authority's certificate with ?sslrootcert=FILE",
] as const;
const NO_PASSWORD = ["wants a password", "Set PGPASSWORD, or name a file with it with --db-password-file"] as const;

const NO_RIGHT = "42501";

/** By SQLSTATE, or by the code of the system or of TLS. */
const CAUSES: ReadonlyMap<unknown, Words> = new Map<unknown, Words>([
  ["ECONNREFUSED", NOT_THERE],
  ["ECONNRESET", NOT_THERE],
  ["EHOSTUNREACH", NOT_THERE],
  ["ENETUNREACH", NOT_THERE],
  ["ETIMEDOUT", NOT_THERE],
  ["ENOENT", NOT_THERE],
  ["ENOTFOUND", UNKNOWN_HOST],
  ["EAI_AGAIN", UNKNOWN_HOST],
  ["28P01", ["refuses the password or the role", "Correct PGPASSWORD or the file of --db-password-file, and the role"]],
  [
    "28000",
    ["does not let this role in from here", "Name the role before the host, or add a line for it to pg_hba.conf"],
  ],
  ["3D000", ["is not there", "Make it with createdb, or correct its name"]],
  [
    NO_RIGHT,
    [
      "does not let this role make or use its tables",
      "Make the role the owner of the database, or GRANT it what docs/scale.md says of a role",
    ],
  ],
  ["25006", ["takes no writes", "Name the primary, or end its read-only mode"]],
  ["57P03", ["is starting or stopping", "Start openclaw-webhooks again once it is up"]],
  [
    "53300",
    ["has no connection left", "Raise max_connections or the role's CONNECTION LIMIT, or lower --db-connections"],
  ],
  ["SELF_SIGNED_CERT_IN_CHAIN", UNKNOWN_ISSUER],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", UNKNOWN_ISSUER],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNKNOWN_ISSUER],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", UNKNOWN_ISSUER],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    ["has a certificate for another name", "Use the name that is in the certificate as the host"],
  ],
  ["CERT_HAS_EXPIRED", ["has a certificate that has expired", "Renew it"]],
]);

/** What `pg` says without a code. */
const SAYINGS: readonly (readonly [words: RegExp, Words])[] = [
  [/does not support SSL/u, ["has no TLS", "Turn it on there, or write ?sslmode=disable if the network is your own"]],
  [/password must be a (?:non-empty )?string/u, NO_PASSWORD],
  [/timeout|terminated/u, NOT_THERE],
];

const FAULTS: Readonly<Record<PostgresFault["code"], Words>> = {
  newer: ["was written by a newer version of openclaw-webhooks and was not changed", "Run that version"],
  not_ours: [
    "has a schema openclaw_webhooks of another program, which was not changed",
    "Choose another database with --db",
  ],
  standby: ["is a standby, and only a primary is used", "Name the primary with --db"],
  old: ["is older than PostgreSQL 14", "Upgrade it"],
  encoding: ["has another encoding than UTF8", "Make a database with ENCODING 'UTF8'"],
  address: ["", ""],
  unusable: ["cannot be used", "Choose another database with --db"],
};

const causeOf = ({ code, error }: PostgresFault): Words => {
  const message = error instanceof Error ? error.message : "";
  const said = SAYINGS.find(([words]) => words.test(message))?.[1];
  return CAUSES.get(own(error, "code")) ?? (code === "unusable" ? said : undefined) ?? FAULTS[code];
};

const explain = (shown: string, found: PostgresFault): CliFault => {
  if (found.code === "address") return fault(`--db ${printable(String(found.error), SENTENCE)}`);
  const [reason, advice] = causeOf(found);
  const word = own(found.error, "code");
  const message = found.error instanceof Error ? found.error.message : "";
  if (found.code === "standby") return fault(`${shown} ${reason}. ${advice}`);
  // only the server's words say of what a right is missing
  const said = word === NO_RIGHT ? `${NO_RIGHT}: ${message}` : typeof word === "string" ? word : message;
  return fault(`${shown} ${reason}${said === "" ? "" : ` (${printable(said, SENTENCE)})`}. ${advice}`);
};

const NO_PACKAGE =
  "--db postgres://… needs the package pg, which is not installed. Run npm install pg where openclaw-webhooks is installed, with -g if that was";

type Opener = (url: string, options: PostgresOptions) => Promise<Result<PostgresFlows, PostgresFault>>;

/** The package is loaded only here, because most servers do without. */
const loadOpener = async (): Promise<Result<Opener, CliFault>> => {
  try {
    return ok((await import("../../flows/postgres/postgres-flows.ts")).openPostgresFlows);
  } catch (error) {
    return err(fault(own(error, "code") === "ERR_MODULE_NOT_FOUND" ? NO_PACKAGE : printable(String(error), SENTENCE)));
  }
};

/** `shown`: the URL for people and logs. */
export type OpenedPostgres = { readonly flows: PostgresFlows; readonly shown: string };

//= PG-8
/** `onError`: told of connections that end while nobody uses them. */
export const openPostgres = async (
  { db, dbPasswordFile, dbConnections = CONNECTIONS.usual }: PostgresChoice,
  env: Env,
  onError: (error: unknown) => void,
): Promise<Result<OpenedPostgres, CliFault>> => {
  const address = addressOf(db, env);
  if (address.isErr()) return err(explain("", { code: "address", error: address.error }));
  const shown = printable(address.value.shown, SENTENCE);
  const opener = await loadOpener();
  if (opener.isErr()) return err(opener.error);
  const password = dbPasswordFile === undefined ? ok(env["PGPASSWORD"]) : await rereadSecret(dbPasswordFile);
  if (password.isErr()) return err(password.error);
  const given = password.value === undefined ? {} : { password: password.value };
  const opened = await opener.value(db, { ...given, connections: dbConnections, onError });
  return opened.map((flows) => ({ flows, shown })).mapErr((found) => explain(shown, found));
};
