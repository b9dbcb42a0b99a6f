// `openclaw-webhooks serve`: runs the bridge as a process, with its flows in an SQLite file or in PostgreSQL.

import { err, ok, type Result } from "neverthrow";
import { printable, type Route, routeName, type SecretDigest } from "../../../core/index.ts";
import type { Bridge, BridgeOptions } from "../../bridge/bridge.ts";
import { clock, liveBridge } from "../../bridge/from-config.ts";
import { type EventListener, listenerOf } from "../../bridge/listeners.ts";
import { Log } from "../../bridge/log.ts";
import { ruleLines } from "../../bridge/rule-lines.ts";
import { scrub } from "../../bridge/scrub.ts";
import { shownPath } from "../../bridge/shown-path.ts";
import { type Callbacks, runCallbacks } from "../../notify/callbacks.ts";
import { startSweeping } from "../../flows/sweeper.ts";
import type { EmbeddedFlows } from "../../flows/embedded-store.ts";
import type { Limits } from "../../limits/limits.ts";
import { bridgeListener, type NodeListener, nodePrimitives } from "../../node/index.ts";
import { type ListenFault, type RunningServer, type ServerOptions, startServer } from "../../server/server.ts";
import { type CliFault, fault } from "../fault.ts";
import { EXIT, type Io } from "../io.ts";
import { type AdminOptions, adminToken } from "./admin.ts";
import { type AuditOptions, checkAudit } from "./audit.ts";
import { shown } from "./database.ts";
import { checkHost, isLoopback } from "./listen-address.ts";
import { checkLimits, type LimitsOptions, openLimits, type ServedLimits } from "./limits.ts";
import { type Level, openLog } from "../log.ts";
import { watchFiles } from "../watch.ts";
import { Operator } from "./operator.ts";
import { Live, type ReloadOptions } from "./reload.ts";
import { DEMO, demoRoutes, readServed, type ServedFiles } from "./served.ts";
import { type OpenedStore, openFile, openServer, type Place, placeOf, type StoreOptions } from "./store.ts";

export type ServeOptions = ServedFiles &
  AuditOptions &
  AdminOptions &
  StoreOptions &
  LimitsOptions & {
    readonly host: string;
    readonly port: number;
    readonly public: boolean;
    /** Seconds for which an idle connection is kept. */
    readonly keepAlive: number;
    /** Whether the files are watched. */
    readonly watch: boolean;
    readonly logLevel: Level;
  };

/** Most characters of a reason that this program gives itself, with the path of a file in it. */
const SENTENCE = 500;

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

const routeLine = (route: Route): string => `route ${printable(routeName(route))} at ${shownPath(route)}`;

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
Its flows are kept in ${shown(file)}

Paste this into another terminal:

${curlLine(`${url}/plugins/webhooks/${DEMO.id}`, secret)}

The call command and the examples read the secret from this variable:

export OPENCLAW_WEBHOOK_SECRET='${secret}'

To serve your own routes, start with --config FILE. Stop with Ctrl-C.

`;

/** Resolves to the exit status once the server has stopped. `stopping` is called when that begins. */
const untilStopped = (running: RunningServer, io: Io, { logger }: Logs, stopping: () => void): Promise<number> =>
  new Promise((resolve) => {
    const unwatch = io.onStop((isFirst) => {
      if (!isFirst) return resolve(EXIT.refused);
      stopping();
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

type Parts = {
  readonly live: Live;
  readonly place: Place;
  readonly demo: ReturnType<typeof demoRoutes>;
  /** Of the operator's pages. */
  readonly token: SecretDigest | undefined;
  readonly limits: ServedLimits;
};

type Told = { readonly log: Log; readonly onEvent: EventListener | undefined } & Pick<BridgeOptions, "whenKept">;

const bridgeOf = (live: Live, flows: EmbeddedFlows, limits: Limits, { log, ...told }: Told): Bridge =>
  liveBridge(() => live.served.config.routes, { flows, limits, ...told }, log, nodePrimitives);

/** Reads the files again when the operator says so, which also calls `onAsked`, or when one has changed. The function that comes back ends that. */
const keepFresh = (
  live: Live,
  options: ReloadOptions,
  io: Io,
  isWatching: boolean,
  onAsked: () => void,
): (() => void) => {
  const reload = (): void => void live.reload(options);
  const unwatch = io.onReload?.(() => {
    onAsked();
    reload();
  });
  const end = isWatching ? watchFiles({ known: () => live.prints, onChange: reload }) : undefined;
  return () => {
    unwatch?.();
    end?.();
    live.end();
  };
};

const UNENCRYPTED =
  "secrets and flows cross the network unencrypted: add --tls-cert and --tls-key, or put a TLS proxy in front";

const runServer = async (
  options: ServeOptions,
  io: Io,
  { live, place, demo, token, limits }: Parts,
): Promise<Result<number, CliFault>> => {
  const { config, tls, broken, advice } = live.served;
  const logs = openLogs(io, options.logLevel);
  const { logger, log, onError } = logs;
  for (const { line } of [...broken, ...advice]) logger.warn(line);
  const { host, port, keepAlive } = options;
  let listener: NodeListener;
  const early = await openServer(place, options, io.env, (error) =>
    log.warnSometimes(`a connection to the database has ended: ${scrub(error, [])}`, "database"),
  );
  if (early.isErr()) return err(early.error);
  let store: OpenedStore | undefined = early.value;
  let main: RunningServer | undefined;
  const isReady: ServerOptions["isReady"] = () => limits.isReady() && (store?.isReady() ?? false);
  const active = (): number => main?.active() ?? 0;
  let callbacks: Callbacks | undefined;
  const operated = await Operator.open({
    options,
    live,
    token,
    database: place.file,
    log,
    isReady,
    active,
    store: { countOpen: (owners) => store?.flows.countOpen?.(owners) ?? [] },
    warning: () => store?.warning,
    trouble: () => store?.trouble(),
    now: () => store?.now?.() ?? Date.now(),
    callbacks: () => callbacks,
    faults: limits.told,
    onError,
  });
  if (operated.isErr()) {
    await store?.close();
    return err(operated.error);
  }
  const operator = operated.value;
  const started = await startServer({
    listener: (request, response) => listener(request, response),
    host,
    port,
    tls,
    isReady,
    keepAliveMs: keepAlive * 1000,
    onError,
  });
  if (started.isErr()) {
    await Promise.all([operator.stop(), store?.close()]);
    return err(listenFault(options, started.error));
  }
  main = started.value;
  //= FILE-4
  // after the ports, so that a start without one makes no file; no request can come in before this is done
  const opened = operator.openAudit().andThen(() => (store === undefined ? openFile(place, options) : ok(store)));
  if (opened.isErr()) {
    await Promise.all([main.stop(0), operator.stop(), store?.close()]);
    return err(opened.error);
  }
  store = opened.value;
  const { flows, now } = store;
  const onEvent = listenerOf([operator.onEvent, logs.onEvent]);
  const bridge = bridgeOf(live, flows, limits.limits, { log, onEvent, whenKept: operator.whenKept });
  listener = bridgeListener(bridge, (request) => live.served.client.clientOf(request));
  const { url } = main;
  const forgive = io.onDefect?.(onError);
  if (!isLoopback(host) && tls === undefined) logger.warn(UNENCRYPTED);
  if (store.warning !== undefined) logger.warn(store.warning);
  void store.lost.then((reason) => logger.error(printable(reason.message, SENTENCE)));
  const stopSweeping = startSweeping(flows, {
    onFault: (error) => logger.error(`the sweep failed: ${printable(String(error))}`),
  });
  callbacks =
    flows.events &&
    runCallbacks(flows.events, {
      routes: () => live.served.config.routes,
      log,
      hmac: nodePrimitives.hmacSha256,
      ...(now === undefined ? {} : { now }),
    });
  if (options.config === undefined) io.out(banner(url, demo.secret, store.shown));
  for (const route of config.routes.values()) {
    logger.info(routeLine(route));
    for (const line of ruleLines(route)) logger.info(line);
  }
  if (store.isNew) logger.info(`made a new database ${store.shown}`);
  operator.tell();
  limits.tell(log);
  logger.info(`listening on ${url}, flows in ${store.shown}`);
  const read = () => readServed(options, demo.server, io.env);
  const renew: ReloadOptions["renew"] = (fresh) => main.renew(fresh).andThen(() => operator.renew(fresh));
  const endFresh = keepFresh(live, { read, renew, logger }, io, options.watch, () => operator.reopen());
  const stopping = (): void => {
    endFresh();
    //= WAIT-6
    bridge.endWaits();
  };
  const status = await untilStopped(started.value, io, logs, stopping);
  await stopSweeping();
  await callbacks?.stop();
  await operator.stop();
  await store.close();
  forgive?.();
  logger.info("stopped");
  return ok(status);
};

/** Runs until it is told to stop. Errs when it cannot start; nothing has been changed then. */
export const serve = async (given: ServeOptions, io: Io): Promise<Result<number, CliFault>> => {
  const demo = demoRoutes();
  const host = checkHost(given);
  if (host.isErr()) return err(host.error);
  const options = { ...given, host: host.value };
  const served = await readServed(options, demo.server, io.env);
  if (served.isErr()) return err(served.error);
  if (served.value.idle !== undefined) return err(fault(served.value.idle));
  const audit = checkAudit(options, served.value.config.audit);
  if (audit.isErr()) return err(audit.error);
  const place = placeOf(options, io.env);
  if (place.isErr()) return err(place.error);
  const counted = checkLimits(options);
  if (counted.isErr()) return err(counted.error);
  const token = options.admin === undefined ? ok(undefined) : await adminToken(options.admin, options, io.env);
  if (token.isErr()) return err(token.error);
  const limits = await openLimits(options, io.env);
  if (limits.isErr()) return err(limits.error);
  const parts = { live: new Live(served.value), place: place.value, demo, token: token.value, limits: limits.value };
  const ended = await runServer(options, io, parts);
  limits.value.close();
  return ended;
};
