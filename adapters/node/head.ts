// What the core wants to know of a Node request before its body.

import type { IncomingMessage } from "node:http";
import type { RequestHead } from "../../core/index.ts";

/** As it was sent; a framework that mounts handlers below a path cuts `url` and keeps the whole beside it. */
export const targetOf = (request: IncomingMessage): string =>
  "originalUrl" in request && typeof request.originalUrl === "string" ? request.originalUrl : (request.url ?? "");

/** `client`: the attributed address, asked for only when it is needed; by default the socket's. */
export const headOf = (
  request: IncomingMessage,
  client: () => string | undefined = () => request.socket.remoteAddress,
): RequestHead => ({
  method: request.method ?? "",
  target: targetOf(request),
  header: (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  },
  get client() {
    return client();
  },
  peer: request.socket.remoteAddress,
});
