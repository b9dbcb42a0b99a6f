// `openclaw-webhooks serve`: runs the bridge as a process, with its flows in an SQLite file.

import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { resolve as absolute, dirname, join } from "node:path";
import { createSecureContext } from "node:tls";
import { err, ok, Result } from "neverthrow";
import { type Config, emptiness, loadConfig, printable } from "../../../core/index.ts";
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

/** The state folder of the XDG convention. */
const defaultFile = (env: Io["env"]): string =>
  join(env["XDG_STATE_HOME"] ?? join(env["HOME"] ?? homedir(), ".local", "state"), "openclaw-webhooks", "flows.db");

const makeFolder = Result.fromThrowable(
  (file: string) => mkdirSync(dirname(file), { recursive: true, mode: 0o700 }),
  (error) => error,
);

const OPEN_FAULTS: Readonly<Record<OpenFault["code"], readonly [reason: string, advice: string]>> = {
  newer: [
    "was written by a newer version of openclaw-webhooks and was not changed",
    "Run that version, or choose another file with --db",
  ],
  not_ours: ["is not a database of openclaw-webhooks and was not changed", "Choose another file with --db"],
  unusable: ["cannot be opened as a database", "Repair it, or choose another file with --db"],
};

const explainOpen = ({ code, error }: OpenFault): string => {
  const [reason, advice] = OPEN_FAULTS[code];
  return `${reason}${error instanceof Error ? ` (${printable(error.message)})` : ""}. ${advice}`;
};

const openFlows = (options: ServeOptions, env: Io["env"]): Result<{ flows: SqliteFlows; file: string }, CliFault> => {
  const file = options.db === undefined ? defaultFile(env) : absolute(options.db);
  if (options.db === undefined && makeFolder(file).isErr()) {
    return err(fault(`The folder of ${file} cannot be created. Choose another file with --db`));
  }
  return openSqliteFlows(file)
    .map((flows) => ({ flows, file }))
    .mapErr((openFault) => fault(`${file} ${explainOpen(openFault)}`));
};

const readPem = (file: string): Result<Buffer, CliFault> =>
  Result.fromThrowable(
    () => readFileSync(file),
    () => fault(`${file} cannot be read. Give a PEM file that the current user may read`),
  )();

const readTls = ({ tlsCert, tlsKey }: ServeOptions): Result<Tls | undefined, CliFault> => {
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

type Routes = { readonly server: ServerConfig; readonly secret?: string };

const demoRoutes = (): Routes => {
  const secret = randomBytes(24).toString("base64url");
  const routes = { [DEMO.id]: { sessionKey: DEMO.sessionKey, secret, description: "Demo route" } };
  return { server: { config: { routes }, trustedProxies: [], unresolved: [] }, secret };
};

const readRoutes = async ({ config }: ServeOptions, env: Io["env"]): Promise<Result<Routes, CliFault>> =>
  config === undefined ? ok(demoRoutes()) : (await readConfigFile(config, env)).map((server) => ({ server }));

/** Errs when there is no route, because the server would refuse every request. */
const checkRoutes = ({ server }: Routes): Result<Config, CliFault> => {
  const loaded = loadConfig(server.config, nodePrimitives.sha256);
  if (loaded.routes.size > 0) return ok(loaded);
  const explained = loaded.problems.map(explainOf(server)).filter((line) => line !== undefined);
  const lines = [...server.unresolved, ...explained];
  return err(fault(`No route can be served. ${lines.join(" ") || emptiness(server.config)}`));
};

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is used by another program. Choose another port with --port",
  EACCES: "may not be used by the current user. Choose a port above 1023 with --port",
  EADDRNOTAVAIL: "is not an address of this machine. Choose another one with --host",
  ENOTFOUND: "is not a name of this machine. Choose another one with --host",
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
The demo route is ${url}/plugins/webhooks/${DEMO.id}
Its secret changes at every start: ${secret}
Its flows are kept in ${file}

Paste this into another terminal:

${curlLine(`${url}/plugins/webhooks/${DEMO.id}`, secret)}

The call command and the examples read the secret from this variable:

export OPENCLAW_WEBHOOK_SECRET='${secret}'

To serve your own routes, start with --config FILE. Stop with Ctrl-C.

`;

/** Resolves to the exit status once the server has stopped. */
const untilStopped = (running: RunningServer, io: Io, { logger }: ServerLog): Promise<number> =>
  new Promise((resolve) => {
    const unwatch = io.onStop((isFirst) => {
      if (!isFirst) return resolve(EXIT.refused);
      logger.info("stopping: finishing the requests that have begun");
      void running.stop().then((how) => {
        if (how === "cut_off") logger.warn("some requests did not end in time; their connections were closed");
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
  const listener = createNodeListener({ config, flows, logger, explain, onEvent: log.onEvent, trustedProxies });
  const { host, port } = options;
  const started = await startServer({ listener, host, port, tls, isReady: () => flows.isIntact() });
  if (started.isErr()) return err(listenFault(options, started.error));
  const { url } = started.value;
  if (!isLoopback(host) && tls === undefined) {
    logger.warn(
      "secrets and flows cross the network unencrypted: add --tls-cert and --tls-key, or put a TLS proxy in front",
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

/** Runs until it is told to stop. Errs when it cannot start; nothing has been changed then. */
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
  const status = await runServer(options, io, { routes: routes.value, flows, file, tls: tls.value, served });
  if (status.isErr()) flows.close();
  return status;
};
