// `openclaw-webhooks serve`: runs the bridge as a process, with its flows in an SQLite file.

import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { resolve as absolute, dirname, join } from "node:path";
import { err, ok, Result } from "neverthrow";
import { printable } from "../../../core/index.ts";
import { clock, liveBridge } from "../../bridge/from-config.ts";
import { Log } from "../../bridge/log.ts";
import { scrub } from "../../bridge/scrub.ts";
import { startSweeping } from "../../flows/sweeper.ts";
import { bridgeListener, nodePrimitives } from "../../node/index.ts";
import { type ListenFault, type RunningServer, startServer } from "../../server/server.ts";
import { type OpenFault, openSqliteFlows, type SqliteFlows } from "../../flows/sqlite/index.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { checkHost, isLoopback } from "./listen-address.ts";
import { type Level, openLog } from "../log.ts";
import { watchFiles } from "../watch.ts";
import { Live, type ReloadOptions } from "./reload.ts";
import { DEMO, demoRoutes, readServed, type ServedFiles } from "./served.ts";

export type ServeOptions = ServedFiles & {
  readonly host: string;
  readonly port: number;
  readonly db?: string;
  readonly public: boolean;
  /** Seconds for which an idle connection is kept. */
  readonly keepAlive: number;
  /** Whether the files are watched. */
  readonly watch: boolean;
  readonly logLevel: Level;
};

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
const untilStopped = (running: RunningServer, io: Io, { logger }: Logs): Promise<number> =>
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

const openLogs = (io: Io, level: Level) => {
  const { logger, onEvent } = openLog(io, level);
  const log = new Log(logger, clock);
  /** What nothing else has caught, however often it happens. */
  const onError = (error: unknown): void => {
    const line = `an error in the server, which goes on: ${scrub(error, [])}`;
    log.warnSometimes(line, line);
  };
  return { logger, onEvent, log, onError };
};

type Logs = ReturnType<typeof openLogs>;

type Parts = { readonly live: Live; readonly flows: SqliteFlows; readonly file: string };

const listenerOf = ({ live, flows }: Parts, { log, onEvent }: Logs) => {
  const bridge = liveBridge(() => live.served.config.routes, { flows, onEvent }, log, nodePrimitives);
  return bridgeListener(bridge, (request) => live.served.client.clientOf(request));
};

/** Reads the files again when the operator says so, or when one has changed. The function that comes back ends that. */
const keepFresh = (live: Live, options: ReloadOptions, io: Io, isWatching: boolean): (() => void) => {
  const reload = (): void => void live.reload(options);
  const unwatch = io.onReload?.(reload);
  const files = () => [...live.served.prints.keys()];
  const end = isWatching ? watchFiles({ files, known: live.served.prints, onChange: reload }) : undefined;
  return () => {
    unwatch?.();
    end?.();
  };
};

const UNENCRYPTED =
  "secrets and flows cross the network unencrypted: add --tls-cert and --tls-key, or put a TLS proxy in front";

const runServer = async (
  options: ServeOptions,
  io: Io,
  parts: Parts,
  demo: ReturnType<typeof demoRoutes>,
): Promise<Result<number, CliFault>> => {
  const { live, flows, file } = parts;
  const { config, tls, broken, advice } = live.served;
  const logs = openLogs(io, options.logLevel);
  const { logger, onError } = logs;
  for (const line of [...broken, ...advice]) logger.warn(line);
  const { host, port, keepAlive } = options;
  const started = await startServer({
    listener: listenerOf(parts, logs),
    host,
    port,
    tls,
    isReady: () => flows.isIntact(),
    keepAliveMs: keepAlive * 1000,
    onError,
  });
  if (started.isErr()) return err(listenFault(options, started.error));
  const { url, renew } = started.value;
  const forgive = io.onDefect?.(onError);
  if (!isLoopback(host) && tls === undefined) logger.warn(UNENCRYPTED);
  const stopSweeping = startSweeping(flows, {
    onFault: (error) => logger.error(`the sweep failed: ${printable(String(error))}`),
  });
  if (options.config === undefined) io.out(banner(url, demo.secret, file));
  for (const { id, path } of config.routes.values()) logger.info(`route ${printable(id)} at ${path}`);
  logger.info(`listening on ${url}, flows in ${file}`);
  const read = () => readServed(options, demo.server, io.env);
  const endFresh = keepFresh(live, { read, renew, logger }, io, options.watch);
  const status = await untilStopped(started.value, io, logs);
  endFresh();
  await stopSweeping();
  flows.close();
  forgive?.();
  logger.info("stopped");
  return ok(status);
};

/** Runs until it is told to stop. Errs when it cannot start; nothing has been changed then. */
export const serve = async (options: ServeOptions, io: Io): Promise<Result<number, CliFault>> => {
  const demo = demoRoutes();
  const checked = checkHost(options);
  if (checked.isErr()) return err(checked.error);
  const served = await readServed(options, demo.server, io.env);
  if (served.isErr()) return err(served.error);
  const opened = openFlows(options, io.env);
  if (opened.isErr()) return err(opened.error);
  const status = await runServer(options, io, { live: new Live(served.value), ...opened.value }, demo);
  if (status.isErr()) opened.value.flows.close();
  return status;
};
