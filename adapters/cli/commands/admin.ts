// The operator's pages of `serve`: where they are, who may read them, and what they hold.

import { err, ok, type Result } from "neverthrow";
import { digestSecret, printable, type SecretDigest } from "../../../core/index.ts";
import { shared } from "../../bridge/shared.ts";
import { CONTENT_TYPE } from "../../metrics/prometheus.ts";
import { nodePrimitives } from "../../node/index.ts";
import { type AdminPage, type AdminPages, startAdmin } from "../../server/admin.ts";
import type { ListenFault, RunningServer, Tls } from "../../server/server.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";
import { readSecret } from "./call-secret.ts";
import { type AdminAddress, isLoopback } from "./listen-address.ts";

export type AdminOptions = {
  readonly admin?: AdminAddress;
  readonly adminTokenEnv: string;
  readonly adminTokenFile?: string;
};

/** UTF-16 units. The token is all that stands between a network and the pages. */
const STRONG_TOKEN_LENGTH = 16;

const WORD = /^[!-~]+$/u;

export const TOKEN_UNENCRYPTED =
  "the token of the operator's pages crosses the network unencrypted: add --tls-cert and --tls-key, or put a TLS proxy in front";

const shownAddress = ({ host, port }: AdminAddress): string =>
  `${host.includes(":") ? `[${printable(host)}]` : printable(host)}:${String(port)}`;

const unguarded = (address: AdminAddress, name: string): CliFault =>
  fault(
    `--admin ${shownAddress(address)} can be reached from other machines, so it needs a token. Set ${printable(name)} to a long random text, or use --admin-token-file`,
  );

const checkToken = (token: string): Result<string, CliFault> => {
  if (!WORD.test(token)) return err(fault("The admin token must be ASCII without spaces. Use a long random one"));
  return token.length < STRONG_TOKEN_LENGTH
    ? err(fault(`The admin token is shorter than ${String(STRONG_TOKEN_LENGTH)} characters. Use a long random one`))
    : ok(token);
};

//= ADMIN-2
/** What the pages demand; undefined for nothing, which only an address of this machine may. */
export const adminToken = async (
  address: AdminAddress,
  { adminTokenEnv, adminTokenFile }: AdminOptions,
  env: Env,
): Promise<Result<SecretDigest | undefined, CliFault>> => {
  const isGiven = adminTokenFile !== undefined || (env[adminTokenEnv]?.trim() ?? "") !== "";
  if (!isGiven) return isLoopback(address.host) ? ok(undefined) : err(unguarded(address, adminTokenEnv));
  const source = { secretEnv: adminTokenEnv, ...(adminTokenFile === undefined ? {} : { secretFile: adminTokenFile }) };
  const read = await readSecret(source, env);
  return read.andThen(checkToken).map((token) => digestSecret(token, nodePrimitives.sha256));
};

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is used by another program. Choose another port with --admin",
  EACCES: "may not be used by the current user. Choose a port above 1023 with --admin",
  EADDRNOTAVAIL: "is not an address of this machine. Choose another one with --admin",
  ENOTFOUND: "is not a name of this machine. Choose another one with --admin",
};

const listenFault = (address: AdminAddress, { code }: ListenFault): CliFault =>
  fault(`${shownAddress(address)} ${REASONS[code] ?? `cannot be listened on (${code})`}`);

export type AdminParts = {
  readonly address: AdminAddress;
  readonly token: SecretDigest | undefined;
  /** Used where other machines can reach the pages. */
  readonly tls: Tls | undefined;
  readonly pages: AdminPages;
  readonly isReady: () => boolean;
  readonly onError: (error: unknown) => void;
  readonly onWrongToken: (peer: string) => void;
};

/** The server of the pages. Errs when its address cannot be listened on. */
export const openAdmin = async ({ address, tls, ...rest }: AdminParts): Promise<Result<RunningServer, CliFault>> => {
  const started = await startAdmin({ ...address, ...rest, tls: isLoopback(address.host) ? undefined : tls });
  return started.mapErr((reason) => listenFault(address, reason));
};

/** Milliseconds for which one text answers all who ask. Less than the 5 seconds between the looks of a quick collector. */
const SHARED_MS = 1000;

//= ADMIN-1
/** The page for Prometheus, made once a second at most. */
export const metricsPage = (lines: () => readonly string[], clock?: () => number): AdminPage => {
  const text = shared(() => Buffer.from(`${lines().join("\n")}\n`), SHARED_MS, clock);
  return () => ({ status: 200, headers: { "Content-Type": CONTENT_TYPE }, body: text() });
};
