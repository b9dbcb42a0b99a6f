// A server of its own: the listener, two health pages, and a stop that answers what was admitted.

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
  /** 0: a free one. */
  readonly port: number;
  readonly tls?: Tls | undefined;
  /** Whether the store can be asked; `/readyz` says so. */
  readonly isReady: () => boolean;
};

export type RunningServer = {
  /** For example `http://127.0.0.1:8787`. */
  readonly url: string;
  /** Takes no new request, answers those that came in, then closes; after `deadlineMs` it closes all the same. */
  stop(deadlineMs?: number): Promise<"drained" | "cut_off">;
};

/** Milliseconds for a TLS handshake and for a request's head: a client that trickles them holds nothing for long. */
const HEAD_DEADLINE_MS = 15_000;

/** Milliseconds for a whole request, also one that nobody reads; and between two looks at the deadlines. */
const REQUEST_DEADLINE_MS = 60_000;
const LOOK_MS = 1000;

/** Body, host and answer have 55 seconds between them. */
const STOP_DEADLINE_MS = 60_000;

const HEALTH_HEADERS = { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" };

const answerHealth = (response: ServerResponse, isOk: boolean): void => {
  response.writeHead(isOk ? 200 : 503, HEALTH_HEADERS).end(JSON.stringify({ ok: isOk }));
};

/** Everything that can be said of a listen error in one code of the system's. */
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

/** Everything that is connected, a TLS handshake that goes on included. */
const socketsOf = (server: Server): ReadonlySet<Socket> => {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  server.on("connection", keep).on("secureConnection", keep);
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
  connectionsCheckingInterval: LOOK_MS,
  keepAlive: true,
};

/** Behind TLS a request's socket is the secure one; the plain one below it may carry a request too. */
const isSecure = (socket: Socket): boolean => socket instanceof TLSSocket;

/** Errs with the system's code when the address cannot be had. */
export const startServer = async (options: ServerOptions): Promise<Result<RunningServer, ListenFault>> => {
  const { listener, host, port, tls, isReady } = options;
  let isDraining = false;
  const unanswered = new Set<ServerResponse>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (isDraining) response.setHeader("Connection", "close");
    unanswered.add(response);
    response.once("close", () => unanswered.delete(response));
    if (request.url === "/healthz") return answerHealth(response, true);
    if (request.url === "/readyz") return answerHealth(response, !isDraining && isReady());
    void listener(request, response);
  };
  const server: Server =
    tls === undefined ? createHttpServer(LIMITS, onRequest) : createHttpsServer({ ...LIMITS, ...tls }, onRequest);
  const sockets = socketsOf(server);
  const listening = await listen(server, host, port);
  const stop = stopOf(server, sockets, () => {
    isDraining = true;
    // a connection that is kept alive, or that asks nothing, would hold up the stop
    for (const response of unanswered) if (!response.headersSent) response.setHeader("Connection", "close");
    const asking = new Set([...unanswered].map((response) => response.req.socket));
    const idle = [...sockets].filter((socket) => !asking.has(socket) && (tls === undefined || isSecure(socket)));
    for (const socket of idle) socket.destroy();
  });
  return listening.map(() => ({ url: urlOf(server, tls === undefined ? "http" : "https"), stop }));
};
