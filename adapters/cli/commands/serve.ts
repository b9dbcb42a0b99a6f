// `openclaw-webhooks serve`: the bridge as one process, with its flows in an SQLite file.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { resolve as absolute, dirname, join } from "node:path";
import { createSecureContext } from "node:tls";
import { err, ok, Result } from "neverthrow";
import { type Config, loadConfig, printable } from "../../../core/index.ts";
import { startSweeping } from "../../flows/sweeper.ts";
import { createNodeListener, nodePrimitives } from "../../node/index.ts";
import { type ListenFault, type RunningServer, startServer, type Tls } from "../../server/server.ts";
import { type OpenFault, openSqliteFlows, type SqliteFlows } from "../../flows/sqlite/index.ts";
import { readConfigFile, type ServerConfig } from "../config/file.ts";
import { explainOf } from "../config/explain.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { checkHost, isLoopback } from "./listen-address.ts";
import { type Level, openLog, type ServerLog } from "../log.ts";

export type ServeOptions = {
  readonly config?: string;
  readonly host: string;
  readonly port: number;
  readonly db?: string;
  readonly public: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly logLevel: Level;
};

const DEMO = { id: "demo", sessionKey: "agent:main:demo" };

/** Where a program keeps what it must not lose, by the XDG convention. */
const defaultFile = (env: Io["env"]): string =>
  join(env["XDG_STATE_HOME"] ?? join(env["HOME"] ?? homedir(), ".local", "state"), "openclaw-webhooks", "flows.db");

const makeFolder = Result.fromThrowable(
  (file: string) => mkdirSync(dirname(file), { recursive: true, mode: 0o700 }),
  (error) => error,
);

const REASONS: Readonly<Record<OpenFault["code"], string>> = {
  newer:
    "was written by a newer version of openclaw-webhooks; it is left as it is. Run that version, or choose another file with --db",
  not_ours: "is not a database of openclaw-webhooks; it is left as it is. Choose another file with --db",
  unusable: "cannot be opened as a database",
};

const reasonOf = ({ code, error }: OpenFault): string =>
  error instanceof Error ? `${REASONS[code]} (${printable(error.message)})` : REASONS[code];

const openFlows = (options: ServeOptions, env: Io["env"]): Result<{ flows: SqliteFlows; file: string }, CliFault> => {
  const file = options.db === undefined ? defaultFile(env) : absolute(options.db);
  if (options.db === undefined && makeFolder(file).isErr()) {
    return err(fault(`The folder of ${file} cannot be made. Choose a file with --db`));
  }
  return openSqliteFlows(file)
    .map((flows) => ({ flows, file }))
    .mapErr((found) => fault(`${file} ${reasonOf(found)}`));
};

const readPem = (file: string): Result<Buffer, CliFault> =>
  Result.fromThrowable(
    () => readFileSync(file),
    () => fault(`${file} cannot be read. Give a PEM file that this user may read`),
  )();

const readTls = ({ tlsCert, tlsKey }: ServeOptions): Result<Tls | undefined, CliFault> => {
  if (tlsCert === undefined && tlsKey === undefined) return ok(undefined);
  if (tlsCert === undefined || tlsKey === undefined) return err(fault("--tls-cert and --tls-key belong together"));
  return readPem(tlsCert).andThen((cert) =>
    readPem(tlsKey).andThen((key) =>
      Result.fromThrowable(
        () => createSecureContext({ cert, key }),
        () => fault(`${tlsCert} and ${tlsKey} are no certificate with its key. Give both as PEM`),
      )().map(() => ({ cert, key })),
    ),
  );
};

type Routes = { readonly server: ServerConfig; readonly secret?: string };

const demoRoutes = (): Routes => {
  const secret = randomBytes(24).toString("base64url");
  const routes = { [DEMO.id]: { sessionKey: DEMO.sessionKey, secret, description: "Demo route" } };
  return { server: { config: { routes }, trustedProxies: [], unresolved: [] }, secret };
};

const readRoutes = async ({ config }: ServeOptions, env: Io["env"]): Promise<Result<Routes, CliFault>> =>
  config === undefined ? ok(demoRoutes()) : (await readConfigFile(config, env)).map((server) => ({ server }));

/** A server without a route would refuse everything: better said now than found out later. */
const checkRoutes = ({ server }: Routes): Result<Config, CliFault> => {
  const loaded = loadConfig(server.config, nodePrimitives.sha256);
  if (loaded.routes.size > 0) return ok(loaded);
  const explained = loaded.problems.map(explainOf(server)).filter((line) => line !== undefined);
  const lines = [...server.unresolved, ...explained];
  return err(fault(`No route can be served. ${lines.join(" ") || "Configure one under routes"}`));
};

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is taken by another program. Choose another port with --port",
  EACCES: "is not allowed to this user. Choose a port above 1023 with --port",
  EADDRNOTAVAIL: "is no address of this machine. Choose another with --host",
  ENOTFOUND: "is no name of this machine. Choose another with --host",
};

const listenFault = ({ host, port }: ServeOptions, { code }: ListenFault): CliFault =>
  fault(`${host}:${String(port)} ${LISTEN_REASONS[code] ?? `cannot be listened on (${code})`}`);

const curlLine = (url: string, secret: string): string =>
  [
    `curl -s ${url} \\`,
    `  -H 'Authorization: Bearer ${secret}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '{"action":"create_flow","goal":"Review inbound queue"}' -w '\\n'`,
  ].join("\n");

const banner = (url: string, secret: string, file: string): string => `
A demo route is at ${url}/plugins/webhooks/${DEMO.id}
Its secret, new at every start: ${secret}
Its flows are kept in ${file}

Paste this into another terminal:

${curlLine(`${url}/plugins/webhooks/${DEMO.id}`, secret)}

Commands and examples that want the secret take it from here:

export OPENCLAW_WEBHOOK_SECRET='${secret}'

For routes of your own start it with --config FILE. Stop it with Ctrl-C.

`;

/** Resolves to the exit status once the server has stopped. */
const untilStopped = (running: RunningServer, io: Io, { logger }: ServerLog): Promise<number> =>
  new Promise((resolve) => {
    const unwatch = io.onStop((isFirst) => {
      if (!isFirst) return resolve(EXIT.refused);
      logger.info("stopping: waiting for the requests that are being answered");
      void running.stop().then((how) => {
        if (how === "cut_off") logger.warn("some requests did not end in time and were cut off");
        unwatch();
        resolve(EXIT.ok);
      });
    });
  });

type Parts = {
  readonly routes: Routes;
  readonly flows: SqliteFlows;
  readonly file: string;
  readonly tls: Tls | undefined;
  readonly served: Config["routes"];
};

const runServer = async (options: ServeOptions, io: Io, parts: Parts): Promise<Result<number, CliFault>> => {
  const { routes, flows, file, tls } = parts;
  const log = openLog(io, options.logLevel);
  const { logger } = log;
  for (const line of routes.server.unresolved) logger.warn(line);
  const { config, trustedProxies } = routes.server;
  const explain = explainOf(routes.server);
  const listener = createNodeListener({ config, flows, logger, explain, onAnswer: log.onAnswer, trustedProxies });
  const { host, port } = options;
  const started = await startServer({ listener, host, port, tls, isReady: () => flows.isIntact() });
  if (started.isErr()) return err(listenFault(options, started.error));
  const { url } = started.value;
  if (!isLoopback(host) && tls === undefined) {
    logger.warn(
      "secrets and flows cross the network unencrypted: give --tls-cert and --tls-key, or put a TLS proxy in front",
    );
  }
  const stopSweeping = startSweeping(flows, {
    onFault: (error) => logger.error(`the sweep failed: ${printable(String(error))}`),
  });
  if (routes.secret !== undefined) io.out(banner(url, routes.secret, file));
  for (const { id, path } of parts.served.values()) logger.info(`route ${printable(id)} at ${path}`);
  logger.info(`listening on ${url}, flows in ${file}`);
  const status = await untilStopped(started.value, io, log);
  await stopSweeping();
  flows.close();
  logger.info("stopped");
  return ok(status);
};

/** Runs until it is told to stop. Errs with one sentence when it cannot start; nothing has been changed then. */
export const serve = async (options: ServeOptions, io: Io): Promise<Result<number, CliFault>> => {
  const tls = checkHost(options).andThen(() => readTls(options));
  if (tls.isErr()) return err(tls.error);
  const routes = await readRoutes(options, io.env);
  if (routes.isErr()) return err(routes.error);
  const checked = checkRoutes(routes.value);
  if (checked.isErr()) return err(checked.error);
  const opened = openFlows(options, io.env);
  if (opened.isErr()) return err(opened.error);
  const { flows, file } = opened.value;
  const served = checked.value.routes;
  const done = await runServer(options, io, { routes: routes.value, flows, file, tls: tls.value, served });
  if (done.isErr()) flows.close();
  return done;
};
