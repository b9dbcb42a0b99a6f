// Writes a reply. A request whose body was not read to its end is answered at once and its connection closed, but only
// after the client had a moment to stop sending: closing earlier would destroy the answer on its way (RFC 9112 §9.6).

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Reply } from "../../core/index.ts";

/**
 * Milliseconds. `linger`: for which the rest of a refused body is read and thrown away. `send`: in which a client must
 * have taken its answer; then its connection is closed.
 */
export type RespondDeadlines = { readonly linger: number; readonly send: number };

//= SLOT-5
const DEADLINES: RespondDeadlines = { linger: 1000, send: 20_000 };

const hasUnreadBody = ({ headers, complete }: IncomingMessage): boolean =>
  !complete && (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0);

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

//= SLOT-2, SLOT-5
/** Sends the reply. Resolves once it has left the process, the client has gone, or the deadline has closed the socket. */
export const respond = (
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  deadlines: RespondDeadlines = DEADLINES,
): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => request.socket.destroy(), deadlines.send);
    request.on("error", ignore);
    response.on("error", ignore).once("close", done);
    if (response.destroyed || request.socket.destroyed) return done();
    const headers = { ...reply.headers, "Content-Length": String(Buffer.byteLength(reply.body)) };
    if (hasUnreadBody(request)) {
      response.writeHead(reply.status, { ...headers, Connection: "close" }).write(reply.body, done);
      linger(request, response, deadlines.linger);
    } else {
      response.once("finish", done).writeHead(reply.status, headers).end(reply.body);
    }
  });
