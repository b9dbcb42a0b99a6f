// Writes a reply. A request whose body was not read to its end is answered at once and its connection closed, but only
// after the client had a moment to stop sending: closing earlier would destroy the answer on its way (RFC 9112 §9.6).

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { own, type Reply } from "../../core/index.ts";
import { awaitsContinue, declaredLength } from "./body.ts";
import { markLast } from "./connection.ts";

/**
 * Milliseconds. `linger`: for which the rest of a refused body is read and thrown away. `send`: in which a client must
 * have taken its answer; then its connection is closed.
 */
export type RespondDeadlines = { readonly linger: number; readonly send: number };

//= SLOT-5
const DEADLINES: RespondDeadlines = { linger: 1000, send: 20_000 };

/** Whether some of the body has not come yet; what waits in the stream's buffer has. */
const hasUnreadBody = (request: IncomingMessage): boolean =>
  !request.complete &&
  (request.headers["transfer-encoding"] !== undefined || declaredLength(request) > request.readableLength);

const linger = (request: IncomingMessage, response: ServerResponse, deadlineMs: number): void => {
  const end = (): void => {
    clearTimeout(timer);
    request.off("end", end).off("close", end);
    response.end();
  };
  const timer = setTimeout(end, deadlineMs);
  request.on("end", end).on("close", end).resume();
};

const ignore = (): void => undefined;

/** Waits until the answer has left, the client has gone, or the deadline has closed the socket. */
const watch = (
  request: IncomingMessage,
  response: ServerResponse,
  deadlineMs: number,
  send: (done: () => void) => void,
): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => request.socket.destroy(), deadlineMs);
    request.on("error", ignore);
    response.on("error", ignore).once("close", done);
    if (response.destroyed || request.socket.destroyed) done();
    else send(done);
  });

const lengthOf = (body: string) => ({ "Content-Length": String(Buffer.byteLength(body)) });

/** Everything was handed to the system at once, as for every answer that finds room in the socket's buffer. */
const hasLeft = ({ writableFinished, writableEnded, writableLength }: ServerResponse): boolean =>
  writableFinished || (writableEnded && writableLength === 0);

const refuseRest = (
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Reply,
  deadlines: RespondDeadlines,
): Promise<void> =>
  watch(request, response, deadlines.send, (done) => {
    markLast(request);
    response.writeHead(status, { ...headers, ...lengthOf(body), Connection: "close" }).write(body, done);
    linger(request, response, deadlines.linger);
  });

//= SERVE-6
/** As Node announces it, which leaves this to whoever sets Connection. Node has no public field for it. */
const announced = (response: ServerResponse): OutgoingHttpHeaders => {
  const seconds = Math.floor(Number(own(response, "_keepAliveTimeout")) / 1000);
  return seconds > 0 ? { "Keep-Alive": `timeout=${String(seconds)}` } : {};
};

/** Node closes the connection of a client that was not told to continue, although its body may have come. */
const keptOpen = (request: IncomingMessage, response: ServerResponse): OutgoingHttpHeaders =>
  awaitsContinue(request, response) && response.shouldKeepAlive && !response.hasHeader("Connection")
    ? { Connection: "keep-alive", ...announced(response) }
    : {};

/** Whether the host or its client has asked for the end of the connection. */
const isLast = (response: ServerResponse): boolean =>
  !response.shouldKeepAlive || /\bclose\b/iu.test(String(response.getHeader("Connection") ?? ""));

const send = (
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: Reply,
  deadlines: RespondDeadlines,
): void | Promise<void> => {
  if (response.destroyed || request.socket.destroyed) return undefined;
  if (isLast(response)) markLast(request);
  response.writeHead(status, { ...headers, ...lengthOf(body), ...keptOpen(request, response) }).end(body);
  if (hasLeft(response)) return undefined;
  return watch(request, response, deadlines.send, (done) => response.once("finish", done));
};

/** A body that came along with its head is in the buffer once the parser has had its turn. */
const sendOrRefuseRest = async (...sending: Parameters<typeof send>): Promise<void> => {
  await undefined;
  await (hasUnreadBody(sending[0]) ? refuseRest(...sending) : send(...sending));
};

//= SLOT-2, SLOT-5
/**
 * Sends the reply. Returns or resolves once it has left the process, the client has gone, or the deadline has closed the
 * socket.
 */
export const respond = (
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  deadlines: RespondDeadlines = DEADLINES,
): void | Promise<void> =>
  hasUnreadBody(request)
    ? sendOrRefuseRest(request, response, reply, deadlines)
    : send(request, response, reply, deadlines);
