// An HTTP or HTTPS server around the listener, with two health pages and a stop that answers admitted requests first. Only
// `stop` ends it: what a request or other code throws is told of.

import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer, Server as HttpsServer } from "node:https";
import { type AddressInfo, Server as NetServer } from "node:net";
import { err, ok, Result } from "neverthrow";
import { withoutOrigin } from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";
import { closeAfter } from "../node/connection.ts";
import type { NodeListener } from "../node/listener.ts";
import { Connections } from "./connections.ts";

/** Certificate and key as PEM. */
export type Tls = { readonly cert: string | Buffer; readonly key: string | Buffer };

export type ServerOptions = {
  readonly listener: NodeListener;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tls?: Tls | undefined;
  /** Whether the store works. `/readyz` reports it. May throw or reject. */
  readonly isReady: () => Awaitable<boolean>;
  /** Milliseconds for which an idle connection is kept. Default: KEEP_ALIVE_MS. */
  readonly keepAliveMs?: number | undefined;
  /** Connections at once; a further one is closed. Default: as many as the system bears. */
  readonly maxConnections?: number;
  /** Milliseconds after which a connection is closed on which nothing moves. Default: none. */
  readonly silenceMs?: number;
  /** Told of what went wrong in the server itself, which goes on. */
  readonly onError?: ((error: unknown) => void) | undefined;
};

export type RunningServer = {
  /** For example `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Requests that are not answered yet. */
  active(): number;
  /** Accepts no new requests, answers the admitted ones, then closes. After `deadlineMs` it closes all connections. */
  stop(deadlineMs?: number): Promise<"drained" | "cut_off">;
  /** New connections get this certificate; errs, and keeps the old one, when it does not fit its key. */
  renew(tls: Tls): Result<void, unknown>;
};

//= SERVE-6
/** Longer than the usual proxies keep an idle connection to a server: nginx and AWS 60, Traefik 90, Caddy 120 seconds. */
export const KEEP_ALIVE_MS = 125_000;

/** Milliseconds for a TLS handshake, and for the head of a request. */
const HEAD_DEADLINE_MS = 15_000;

/** Milliseconds for a whole request, also one whose body is not read. */
const REQUEST_DEADLINE_MS = 60_000;

/** Milliseconds between two checks of these deadlines. */
const CHECK_INTERVAL_MS = 1000;

/** Longer than the deadlines of body, store and answer together, which are 55 seconds. */
const STOP_DEADLINE_MS = 60_000;

const HEALTH_HEADERS = { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" };

const answerHealth = (response: ServerResponse, isOk: boolean): void => {
  // a client that waits before it sends a body is not told to go on
  if (response.req.headers.expect !== undefined) closeAfter(response);
  response.writeHead(isOk ? 200 : 503, HEALTH_HEADERS).end(JSON.stringify({ ok: isOk }));
};

/** With any query, case and number of slashes, and in absolute form, as probes write it. */
const HEALTH_PAGE = /^\/+(healthz|readyz)\/*(?:\?|$)/iu;

const healthPageOf = (url: string = ""): string | undefined => HEALTH_PAGE.exec(withoutOrigin(url))?.[1]?.toLowerCase();

/** `code`: the system's error code, such as `EADDRINUSE`. */
export type ListenFault = { readonly code: string };

const listen = (server: Server, host: string, port: number): Promise<Result<void, ListenFault>> =>
  new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(err({ code: error.code ?? error.name }));
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve(ok());
    });
  });

const urlOf = (server: Server, scheme: string): string => {
  const { address, family, port }: AddressInfo = Object(server.address());
  return `${scheme}://${family === "IPv6" ? `[${address}]` : address}:${String(port)}`;
};

const untilClosed = (server: Server): Promise<void> =>
  // `close` of an HTTP server would also destroy idle connections, with what is on its way to them
  new Promise((resolve) => void NetServer.prototype.close.call(server, () => resolve()));

//= SERVE-2
const stopOf = (server: Server, connections: Connections): RunningServer["stop"] => {
  return async (deadlineMs = STOP_DEADLINE_MS) => {
    connections.drain();
    let isCutOff = false;
    const cut = setTimeout(() => {
      isCutOff = true;
      connections.cut();
    }, deadlineMs);
    await untilClosed(server);
    clearTimeout(cut);
    return isCutOff ? "cut_off" : "drained";
  };
};

const LIMITS = {
  headersTimeout: HEAD_DEADLINE_MS,
  handshakeTimeout: HEAD_DEADLINE_MS,
  requestTimeout: REQUEST_DEADLINE_MS,
  connectionsCheckingInterval: CHECK_INTERVAL_MS,
  keepAlive: true,
  // Node would answer such a request itself, and still hand on those behind its close
  requireHostHeader: false,
};

/** Whether an HTTP/1.1 request lacks its Host, which is a 400 (RFC 9112 §3.2). */
const lacksHost = ({ headers, httpVersion }: IncomingMessage): boolean =>
  headers.host === undefined && httpVersion === "1.1";

const answerBare = (response: ServerResponse, status: number): void => {
  if (response.headersSent) return void response.destroy();
  closeAfter(response);
  response.writeHead(status).end();
};

//= SERVE-7
/** Other code that fails is told of, and does not end the process. */
const guarded = <T>(call: () => T, instead: T, onError: ServerOptions["onError"]): T => {
  try {
    return call();
  } catch (error) {
    if (onError !== undefined) guarded(() => onError(error), undefined, undefined);
    return instead;
  }
};

/** False when nobody can say, of which is told. */
const askReady = async (isReady: ServerOptions["isReady"], onError: ServerOptions["onError"]): Promise<boolean> => {
  try {
    return await isReady();
  } catch (error) {
    guarded(() => onError?.(error), undefined, undefined);
    return false;
  }
};

/** Answers one request. May reject. */
const answerBy =
  ({ listener, isReady, onError }: ServerOptions, connections: Connections) =>
  async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (!connections.take(response)) return;
    if (lacksHost(request)) return answerBare(response, 400);
    const page = healthPageOf(request.url);
    if (page === "healthz") return answerHealth(response, true);
    if (page === undefined) return listener(request, response);
    const isOk = await askReady(isReady, onError);
    answerHealth(response, isOk && !connections.isDraining);
  };

const serverOf = ({ tls, keepAliveMs = KEEP_ALIVE_MS, maxConnections, silenceMs = 0 }: ServerOptions): Server => {
  const settings = { ...LIMITS, keepAliveTimeout: keepAliveMs };
  const server = tls === undefined ? createHttpServer(settings) : createHttpsServer({ ...settings, ...tls });
  // a client may close its side once it has asked, and still gets its answers
  Object.assign(server, { httpAllowHalfOpen: true, timeout: silenceMs });
  return maxConnections === undefined ? server : Object.assign(server, { maxConnections });
};

/** Errs if the server cannot listen on the address. */
export const startServer = async (options: ServerOptions): Promise<Result<RunningServer, ListenFault>> => {
  const { host, port, tls, onError } = options;
  const server = serverOf(options);
  const connections = new Connections(server);
  const answer = answerBy(options, connections);
  const tell = (error: unknown): void => guarded(() => onError?.(error), undefined, undefined);
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch((error: unknown) => {
      tell(error);
      guarded(() => answerBare(response, 500), undefined, onError);
    });
  };
  //= REPLY-6, LIMIT-1
  server.on("request", onRequest).on("checkContinue", onRequest);
  // what else a client expects is ignored; Node would answer it itself, and the limits would not see it
  server.on("checkExpectation", onRequest);
  const listening = await listen(server, host, port);
  // such as EMFILE, when a connection cannot be accepted
  server.on("error", tell);
  return listening.map(() => ({
    url: urlOf(server, tls === undefined ? "http" : "https"),
    active: () => connections.active,
    stop: stopOf(server, connections),
    renew: Result.fromThrowable((fresh: Tls) => {
      if (server instanceof HttpsServer) server.setSecureContext(fresh);
    }),
  }));
};
