// Writes a reply. A request whose body was not read to its end is answered at once and its connection closed, but only
// after the client had a moment to stop sending: closing earlier would destroy the answer on its way (RFC 9112 §9.6).

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Reply } from "../../core/index.ts";

/** Milliseconds for which the rest of a refused body is read and thrown away. */
const LINGER_MS = 1000;

const hasUnreadBody = ({ headers, complete }: IncomingMessage): boolean =>
  !complete && (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0);

const linger = (request: IncomingMessage, response: ServerResponse): void => {
  const end = (): void => {
    clearTimeout(timer);
    request.off("end", end).off("close", end);
    response.end();
  };
  const timer = setTimeout(end, LINGER_MS);
  request.on("end", end).on("close", end).resume();
};

/** Sends the whole reply at once; a client that has gone is no error. */
export const respond = (request: IncomingMessage, response: ServerResponse, reply: Reply): void => {
  request.on("error", () => undefined);
  response.on("error", () => undefined);
  const headers = { ...reply.headers, "Content-Length": String(Buffer.byteLength(reply.body)) };
  if (!hasUnreadBody(request)) {
    response.writeHead(reply.status, headers).end(reply.body);
    return;
  }
  response.writeHead(reply.status, { ...headers, Connection: "close" }).write(reply.body);
  linger(request, response);
};
