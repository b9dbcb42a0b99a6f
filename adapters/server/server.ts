// An HTTP or HTTPS server around the listener, with two health pages and a stop that answers admitted requests first.

import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { err, ok, type Result } from "neverthrow";
import type { NodeListener } from "../node/listener.ts";

/** Certificate and key as PEM. */
export type Tls = { readonly cert: string | Buffer; readonly key: string | Buffer };

export type ServerOptions = {
  readonly listener: NodeListener;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tls?: Tls | undefined;
  /** Whether the store works. `/readyz` reports it. */
  readonly isReady: () => boolean;
};

export type RunningServer = {
  /** For example `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Accepts no new requests, answers the admitted ones, then closes. After `deadlineMs` it closes all connections. */
  stop(deadlineMs?: number): Promise<"drained" | "cut_off">;
};

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
  response.writeHead(isOk ? 200 : 503, HEALTH_HEADERS).end(JSON.stringify({ ok: isOk }));
};

/** With any query, case and number of slashes, as probes write it. */
const HEALTH_PAGE = /^\/+(healthz|readyz)\/*(?:\?|$)/iu;

const healthPageOf = (url: string = ""): string | undefined => HEALTH_PAGE.exec(url)?.[1]?.toLowerCase();

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

/** All open connections, including those in a TLS handshake. */
const socketsOf = (server: Server): ReadonlySet<Socket> => {
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  server.on("connection", track).on("secureConnection", track);
  return sockets;
};

//= SERVE-2
const stopOf = (server: Server, sockets: ReadonlySet<Socket>, drain: () => void) => {
  return async (deadlineMs: number = STOP_DEADLINE_MS): Promise<"drained" | "cut_off"> => {
    drain();
    let isCutOff = false;
    await new Promise<void>((resolve) => {
      const cut = setTimeout(() => {
        isCutOff = true;
        for (const socket of sockets) socket.destroy();
      }, deadlineMs);
      server.close(() => {
        clearTimeout(cut);
        resolve();
      });
    });
    return isCutOff ? "cut_off" : "drained";
  };
};

const LIMITS = {
  headersTimeout: HEAD_DEADLINE_MS,
  handshakeTimeout: HEAD_DEADLINE_MS,
  requestTimeout: REQUEST_DEADLINE_MS,
  connectionsCheckingInterval: CHECK_INTERVAL_MS,
  keepAlive: true,
};

/** With TLS, requests belong to secure sockets. The plain socket below one may carry a request, too. */
const isSecure = (socket: Socket): boolean => socket instanceof TLSSocket;

/** Errs if the server cannot listen on the address. */
export const startServer = async (options: ServerOptions): Promise<Result<RunningServer, ListenFault>> => {
  const { listener, host, port, tls, isReady } = options;
  let isDraining = false;
  const unanswered = new Set<ServerResponse>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (isDraining) response.setHeader("Connection", "close");
    unanswered.add(response);
    response.once("close", () => unanswered.delete(response));
    const page = healthPageOf(request.url);
    if (page === "healthz") return answerHealth(response, true);
    if (page === "readyz") return answerHealth(response, !isDraining && isReady());
    void listener(request, response);
  };
  const server: Server =
    tls === undefined ? createHttpServer(LIMITS, onRequest) : createHttpsServer({ ...LIMITS, ...tls }, onRequest);
  const sockets = socketsOf(server);
  const listening = await listen(server, host, port);
  const stop = stopOf(server, sockets, () => {
    isDraining = true;
    // idle connections would delay the stop
    for (const response of unanswered) if (!response.headersSent) response.setHeader("Connection", "close");
    const busy = new Set([...unanswered].map((response) => response.req.socket));
    const idle = [...sockets].filter((socket) => !busy.has(socket) && (tls === undefined || isSecure(socket)));
    for (const socket of idle) socket.destroy();
  });
  return listening.map(() => ({ url: urlOf(server, tls === undefined ? "http" : "https"), stop }));
};
