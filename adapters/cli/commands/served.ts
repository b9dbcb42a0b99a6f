// What a server takes from its files, at the start and at each reload: routes with their secrets, trusted proxies, and the
// certificate. It is read as a whole before any of it is used.

import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { err, ok, Result } from "neverthrow";
import { type Config, emptiness, loadConfig, withoutAgents } from "../../../core/index.ts";
import { linesIn } from "../../bridge/told.ts";
import { forwardedClient, type ForwardedClient, nodePrimitives } from "../../node/index.ts";
import type { Tls } from "../../server/server.ts";
import { allSaid, type Said } from "../config/explain.ts";
import { readConfigFile, secretFilesOf, type ServerConfig } from "../config/file.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Io } from "../io.ts";
import { readBytes } from "../read-text.ts";
import { type Prints, printsOf } from "../watch.ts";

export type ServedFiles = { readonly config?: string; readonly tlsCert?: string; readonly tlsKey?: string };

export type Served = Said & {
  readonly config: Config;
  readonly client: ForwardedClient;
  readonly tls: Tls | undefined;
  /** Why there is no route, if there is none. */
  readonly idle: string | undefined;
  /** The files that all this was read from, as they were before. */
  readonly prints: Prints;
};

/** Why nothing can be served, and the files that say so, as they were before. */
export type ReadFault = CliFault & { readonly prints: Prints };

const PEM = { maxBytes: 1024 * 1024, tooLong: "is longer than 1 MiB: give a PEM file" };

const readPem = async (file: string): Promise<Result<Buffer, CliFault>> =>
  (await readBytes(file, PEM)).mapErr((hint) => fault(`${file} ${hint}`));

const NOT_PEM = "are not a certificate and its key. Give both as PEM files";
const MISMATCH =
  "do not belong together. Give the key that the certificate was made for; of a chain, its certificate comes first";

/** Whether the key is the certificate's. Throws when one of them cannot be used. TLS itself takes a key of another type. */
const isPair = (cert: Buffer, key: Buffer): boolean => {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return false;
  createSecureContext({ cert, key });
  return true;
};

const readTls = async ({ tlsCert, tlsKey }: ServedFiles): Promise<Result<Tls | undefined, CliFault>> => {
  if (tlsCert === undefined && tlsKey === undefined) return ok(undefined);
  if (tlsCert === undefined || tlsKey === undefined)
    return err(fault("--tls-cert and --tls-key must be given together"));
  const [readCert, readKey] = await Promise.all([readPem(tlsCert), readPem(tlsKey)]);
  return readCert.andThen((cert) =>
    readKey.andThen((key) =>
      Result.fromThrowable(isPair, () => NOT_PEM)(cert, key)
        .andThen((isOne) => (isOne ? ok({ cert, key }) : err(MISMATCH)))
        .mapErr((hint) => fault(`${tlsCert} and ${tlsKey} ${hint}`)),
    ),
  );
};

export const DEMO = { id: "demo", sessionKey: "agent:main:demo" };

/** The routes without a configuration, and their secret. */
export const demoRoutes = (): { readonly server: ServerConfig; readonly secret: string } => {
  const secret = randomBytes(24).toString("base64url");
  const routes = { [DEMO.id]: { sessionKey: DEMO.sessionKey, secret, description: "Demo route" } };
  return { server: { root: undefined, config: { routes }, trustedProxies: [], unresolved: [], advice: [] }, secret };
};

/** `off`: the sentence of a configuration that is switched off. */
type Read = ServerConfig & { readonly off?: string };

/** Why there is no route. `problems`: a line for each route that could not be served. */
const idleness = ({ off, config }: Read, problems: readonly string[]): string => {
  if (off !== undefined) return off;
  const reasons = problems.length > 0 ? problems : [`${emptiness(config)}.`];
  const sentences = reasons.map((line) => `${line.charAt(0).toUpperCase()}${line.slice(1)}`);
  return `No route can be served. ${sentences.join(" ")}`;
};

const servedOf = (server: Read, tls: Tls | undefined, prints: Prints): Served => {
  const config = withoutAgents(loadConfig(server.config, nodePrimitives.sha256));
  const client = forwardedClient(server.trustedProxies);
  const said = allSaid(server, config, client);
  const problems = said.broken.filter(({ effect }) => effect !== undefined);
  const idle = config.routes.size > 0 ? undefined : idleness(server, linesIn(problems));
  return { ...said, config, client, tls, idle, prints };
};

/** What is served while the configuration is switched off. */
const offOf = ({ sentence }: CliFault): Read => ({
  root: undefined,
  config: { routes: {} },
  trustedProxies: [],
  unresolved: [],
  advice: [],
  off: sentence,
});

const readServer = async (file: string | undefined, demo: Read, env: Io["env"]): Promise<Result<Read, CliFault>> => {
  if (file === undefined) return ok(demo);
  const read: Result<Read, CliFault> = await readConfigFile(file, env);
  return read.orElse((refused) => (refused.isOff === true ? ok(offOf(refused)) : err(refused)));
};

/** `demo`: what is served without a configuration file. Never rejects. */
export const readServed = async (
  files: ServedFiles,
  demo: ServerConfig,
  env: Io["env"],
): Promise<Result<Served, ReadFault>> => {
  const { config, tlsCert, tlsKey } = files;
  const secrets = config === undefined ? [] : await secretFilesOf(config, env);
  const prints = await printsOf([config, tlsCert, tlsKey, ...secrets].filter((file) => file !== undefined));
  const tls = await readTls(files);
  const server = tls.isErr() ? err(tls.error) : await readServer(config, demo, env);
  return tls
    .andThen((pair) => server.map((read) => servedOf(read, pair, prints)))
    .mapErr((refused) => ({ ...refused, prints }));
};
