// What a connection says of its requests: whether an earlier answer was its last one, and whether the sender has gone.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { BodyFault } from "../../core/index.ts";

/** Connections of which the last answer is known. */
const closing = new WeakSet<Socket>();

/** From now on nothing that arrives on the connection is processed. */
export const shut = (socket: Socket): void => void closing.add(socket);

/** Remembers that the answer to this request is the last one of its connection. Streams of HTTP/2 end by themselves. */
export const markLast = ({ socket, httpVersionMajor }: IncomingMessage): void => {
  if (httpVersionMajor === 1) shut(socket);
};

//= REPLY-5
/**
 * Whether an earlier answer on this connection says `Connection: close`: then the request is not processed (RFC 9112 §9.6).
 * A request whose answer is the next to be written was here before that one, however late a host hands it on.
 */
export const isBehindClose = ({ req, socket }: ServerResponse): boolean =>
  closing.has(req.socket) && (socket === null || req.socket.writableEnded);

/** Makes this answer the last one of its connection, even if its head has left. */
export const closeAfter = (response: ServerResponse): void => {
  const { req: request } = response;
  if (closing.has(request.socket)) return;
  markLast(request);
  if (!response.headersSent) response.setHeader("Connection", "close");
  else if (response.writableFinished) request.socket.destroySoon();
  else response.once("finish", () => request.socket.destroySoon());
};

/** Requests whose body will not come to its end, and why. */
const broken = new WeakMap<IncomingMessage, BodyFault>();

/** Emitted by a request when its body breaks off. */
export const BROKEN = Symbol("broken");

/** The rest of the body cannot be read. Who reads it is told, also who begins later. */
export const breakOff = (request: IncomingMessage, fault: BodyFault): void => {
  broken.set(request, fault);
  request.emit(BROKEN);
};

export const brokenBy = (request: IncomingMessage): BodyFault | undefined => broken.get(request);

//= LIMIT-9
/**
 * Whether the sender has reset its TCP connection, so that its address is not known any more. A Unix socket has neither an
 * address of its own nor one of its peer, and is not gone.
 */
export const isGone = ({ socket }: IncomingMessage): boolean =>
  socket.remoteAddress === undefined && (socket.destroyed || socket.localAddress !== undefined);

/** What waits for the end of what a client sends: one listener for all on a connection, however many requests it carries. */
const waiting = new WeakMap<Socket, Set<() => void>>();

const listenersOn = (socket: Socket): Set<() => void> => {
  const known = waiting.get(socket);
  if (known !== undefined) return known;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  socket.once("end", tell);
  waiting.set(socket, listeners);
  return listeners;
};

//= WAIT-5
/**
 * Calls `listener` once the client has gone, at once when it has. One that has closed its side of the connection counts as gone,
 * because nothing more is seen of a client that has ended; if it still listens, it gets its answer. Streams of HTTP/2 close.
 */
export const onGone = (response: ServerResponse, listener: () => void): (() => void) => {
  const { socket, httpVersionMajor } = response.req;
  response.once("close", listener);
  if (httpVersionMajor !== 1) return () => void response.off("close", listener);
  if (response.destroyed || socket.destroyed || socket.readableEnded) listener();
  const listeners = listenersOn(socket).add(listener);
  return () => {
    response.off("close", listener);
    listeners.delete(listener);
  };
};
