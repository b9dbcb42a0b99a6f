// What a server takes from its files, at the start and at each reload: routes with their secrets, trusted proxies, and the
// certificate. It is read as a whole before any of it is used.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { err, ok, Result } from "neverthrow";
import { type Config, emptiness, loadConfig, type Problem } from "../../../core/index.ts";
import { refusedProxy } from "../../node/client.ts";
import { forwardedClient, type ForwardedClient, nodePrimitives } from "../../node/index.ts";
import type { Tls } from "../../server/server.ts";
import { explainOf } from "../config/explain.ts";
import { readConfigFile, secretFilesOf, type ServerConfig } from "../config/file.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Io } from "../io.ts";
import { type Prints, printsOf } from "../watch.ts";

export type ServedFiles = { readonly config?: string; readonly tlsCert?: string; readonly tlsKey?: string };

export type Served = {
  readonly config: Config;
  readonly client: ForwardedClient;
  readonly tls: Tls | undefined;
  /** One line for each route, or other part, that is not served. */
  readonly broken: readonly string[];
  readonly advice: readonly string[];
  /** The files that all this was read from, as they were before. */
  readonly prints: Prints;
};

const readPem = (file: string): Result<Buffer, CliFault> =>
  Result.fromThrowable(
    () => readFileSync(file),
    () => fault(`${file} cannot be read. Give a PEM file that the current user may read`),
  )();

export const readTls = ({ tlsCert, tlsKey }: ServedFiles): Result<Tls | undefined, CliFault> => {
  if (tlsCert === undefined && tlsKey === undefined) return ok(undefined);
  if (tlsCert === undefined || tlsKey === undefined)
    return err(fault("--tls-cert and --tls-key must be given together"));
  return readPem(tlsCert).andThen((cert) =>
    readPem(tlsKey).andThen((key) =>
      Result.fromThrowable(
        () => createSecureContext({ cert, key }),
        () => fault(`${tlsCert} and ${tlsKey} are not a certificate and its key. Give both as PEM files`),
      )().map(() => ({ cert, key })),
    ),
  );
};

export const DEMO = { id: "demo", sessionKey: "agent:main:demo" };

/** The routes without a configuration, and their secret. */
export const demoRoutes = (): { readonly server: ServerConfig; readonly secret: string } => {
  const secret = randomBytes(24).toString("base64url");
  const routes = { [DEMO.id]: { sessionKey: DEMO.sessionKey, secret, description: "Demo route" } };
  return { server: { config: { routes }, trustedProxies: [], unresolved: [], advice: [] }, secret };
};

/** Errs when there is no route, because the server would refuse every request. */
const checkRoutes = (server: ServerConfig): Result<Config, CliFault> => {
  const loaded = loadConfig(server.config, nodePrimitives.sha256);
  if (loaded.routes.size > 0) return ok(loaded);
  const explained = loaded.problems.map(explainOf(server)).filter((line) => line !== undefined);
  const lines = [...server.unresolved, ...explained];
  return err(fault(`No route can be served. ${lines.join(" ") || emptiness(server.config)}`));
};

const isAdvice = ({ effect }: Problem): boolean => effect === "advice";

const servedOf = (server: ServerConfig, config: Config, tls: Tls | undefined, prints: Prints): Served => {
  const client = forwardedClient(server.trustedProxies);
  const linesOf = (problems: readonly Problem[]): readonly string[] =>
    problems.map(explainOf(server)).filter((line) => line !== undefined);
  const proxies = client.refused.map(refusedProxy);
  const broken = linesOf(config.problems.filter((problem) => !isAdvice(problem)));
  const advice = [...server.advice, ...linesOf(config.problems.filter(isAdvice))];
  return { config, client, tls, broken: [...server.unresolved, ...broken, ...proxies], advice, prints };
};

/** `demo`: what is served without a configuration file. Never rejects. */
export const readServed = async (
  files: ServedFiles,
  demo: ServerConfig,
  env: Io["env"],
): Promise<Result<Served, CliFault>> => {
  const { config, tlsCert, tlsKey } = files;
  const secrets = config === undefined ? [] : await secretFilesOf(config, env);
  const prints = await printsOf([config, tlsCert, tlsKey, ...secrets].filter((file) => file !== undefined));
  const tls = readTls(files);
  if (tls.isErr()) return err(tls.error);
  const server = config === undefined ? ok(demo) : await readConfigFile(config, env);
  return server.andThen((read) => checkRoutes(read).map((loaded) => servedOf(read, loaded, tls.value, prints)));
};
