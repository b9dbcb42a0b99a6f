// `openclaw-webhooks serve`: runs the bridge as a process, with its flows in an SQLite file.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { err, ok, Result } from "neverthrow";
import { type Config, emptiness, loadConfig, printable, type Route, routeName } from "../../../core/index.ts";
import { scrub } from "../../bridge/scrub.ts";
import { startSweeping } from "../../flows/sweeper.ts";
import { createNodeListener, type NodeListener, nodePrimitives } from "../../node/index.ts";
import { type ListenFault, type RunningServer, startServer, type Tls } from "../../server/server.ts";
import type { SqliteFlows } from "../../flows/sqlite/index.ts";
import { readConfigFile, type ServerConfig } from "../config/file.ts";
import { explainOf } from "../config/explain.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { databaseFile, openDatabase } from "./database.ts";
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

/** Most characters of a reason that this program gives itself, with the path of a file in it. */
const SENTENCE = 500;

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
  return { server: { config: { routes }, trustedProxies: [], unresolved: [], advice: [] }, secret };
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

/** What is wrong with the address. */
const HOST_REASONS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "is not an address of this machine. Choose another one with --host",
  ENOTFOUND: "is not a name of this machine. Choose another one with --host",
};

/** What is wrong with the address and the port. */
const PORT_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "is used by another program. Choose another port with --port",
  EACCES: "may not be used by the current user. Choose a port above 1023 with --port",
};

const listenFault = ({ host, port }: ServeOptions, { code }: ListenFault): CliFault => {
  const reason = HOST_REASONS[code];
  if (reason !== undefined) return fault(`${printable(host)} ${reason}`);
  return fault(`${printable(host)}:${String(port)} ${PORT_REASONS[code] ?? `cannot be listened on (${code})`}`);
};

//= AUDIT-1
/** A path that holds the route's hidden id would give it away. */
const routeLine = (route: Route): string => {
  const [name, { path }] = [routeName(route), route];
  const where = name === route.id ? path : scrub(path, [route.sessionKey]);
  return `route ${printable(name)} at ${where}`;
};

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
  readonly file: string;
  readonly tls: Tls | undefined;
  readonly served: Config["routes"];
};

const runServer = async (options: ServeOptions, io: Io, parts: Parts): Promise<Result<number, CliFault>> => {
  const { routes, file, tls } = parts;
  const log = openLog(io, options.logLevel);
  const { logger } = log;
  for (const line of [...routes.server.unresolved, ...routes.server.advice]) logger.warn(line);
  const { config, trustedProxies } = routes.server;
  const explain = explainOf(routes.server);
  const { host, port } = options;
  let listener: NodeListener;
  let flows: SqliteFlows;
  const started = await startServer({
    listener: (request, response) => listener(request, response),
    host,
    port,
    tls,
    isReady: () => flows.isIntact(),
  });
  if (started.isErr()) return err(listenFault(options, started.error));
  //= FILE-4
  // after the port, so that a start without one makes no file; no request can come in before this is done
  const opened = openDatabase(file, options.db === undefined);
  if (opened.isErr()) {
    await started.value.stop(0);
    return err(opened.error);
  }
  flows = opened.value;
  listener = createNodeListener({ config, flows, logger, explain, onEvent: log.onEvent, trustedProxies });
  const { url } = started.value;
  if (!isLoopback(host) && tls === undefined) {
    logger.warn(
      "secrets and flows cross the network unencrypted: add --tls-cert and --tls-key, or put a TLS proxy in front",
    );
  }
  void flows.lost.then((reason) => logger.error(printable(reason.message, SENTENCE)));
  const stopSweeping = startSweeping(flows, {
    onFault: (error) => logger.error(`the sweep failed: ${printable(String(error))}`),
  });
  if (routes.secret !== undefined) io.out(banner(url, routes.secret, file));
  for (const route of parts.served.values()) logger.info(routeLine(route));
  logger.info(`listening on ${url}, flows in ${file}`);
  const status = await untilStopped(started.value, io, log);
  await stopSweeping();
  flows.close();
  logger.info("stopped");
  return ok(status);
};

/** Runs until it is told to stop. Errs when it cannot start; nothing has been changed then. */
export const serve = async (given: ServeOptions, io: Io): Promise<Result<number, CliFault>> => {
  const host = checkHost(given);
  if (host.isErr()) return err(host.error);
  const options = { ...given, host: host.value };
  const tls = readTls(options);
  if (tls.isErr()) return err(tls.error);
  const routes = await readRoutes(options, io.env);
  if (routes.isErr()) return err(routes.error);
  const checked = checkRoutes(routes.value);
  if (checked.isErr()) return err(checked.error);
  const file = databaseFile(options.db, io.env);
  if (file.isErr()) return err(file.error);
  const served = checked.value.routes;
  return runServer(options, io, { routes: routes.value, file: file.value, tls: tls.value, served });
};
