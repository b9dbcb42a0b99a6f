// What the core reads of a Node request before its body.

import type { IncomingMessage } from "node:http";
import type { RequestHead } from "../../core/index.ts";

/** As it was sent; a framework that mounts handlers below a path cuts `url` and keeps the whole beside it. */
export const targetOf = (request: IncomingMessage): string =>
  "originalUrl" in request && typeof request.originalUrl === "string" ? request.originalUrl : (request.url ?? "");

/** A class, because an accessor in an object literal would cost a request more than the rest of its head. */
class NodeHead implements RequestHead {
  readonly method: string;
  readonly target: string;
  readonly header: RequestHead["header"];
  readonly #request: IncomingMessage;
  readonly #client: () => string | undefined;

  constructor(request: IncomingMessage, client: () => string | undefined) {
    this.method = request.method ?? "";
    this.target = targetOf(request);
    this.header = (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
    this.#request = request;
    this.#client = client;
  }

  get peer(): string | undefined {
    return this.#request.socket.remoteAddress;
  }

  get client(): string | undefined {
    return this.#client();
  }
}

/** `client`: the attributed address, asked for only when it is needed; by default the socket's. */
export const headOf = (
  request: IncomingMessage,
  client: () => string | undefined = () => request.socket.remoteAddress,
): RequestHead => new NodeHead(request, client);
