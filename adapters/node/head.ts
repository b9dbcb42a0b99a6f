// What the core wants to know of a Node request before its body.

import type { IncomingMessage } from "node:http";
import type { RequestHead } from "../../core/index.ts";

/** `client`: the attributed address, asked for only when it is needed; by default the socket's. */
export const headOf = (
  request: IncomingMessage,
  client: () => string | undefined = () => request.socket.remoteAddress,
): RequestHead => ({
  method: request.method ?? "",
  target: request.url ?? "",
  header: (name) => {
    const value = request.headers[name];
    return Array.isArray(value) ? value[0] : value;
  },
  get client() {
    return client();
  },
  peer: request.socket.remoteAddress,
});
