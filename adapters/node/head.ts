// What the core wants to know of a Node request before its body.

import type { IncomingMessage } from "node:http";
import type { RequestHead } from "../../core/index.ts";

/** As it was sent; a framework that mounts handlers below a path cuts `url` and keeps the whole beside it. */
export const targetOf = (request: IncomingMessage): string =>
  "originalUrl" in request && typeof request.originalUrl === "string" ? request.originalUrl : (request.url ?? "");

/** Attributes a request to its client's address. */
export type ClientOf = (request: IncomingMessage) => string | undefined;

const socketAddress: ClientOf = (request) => request.socket.remoteAddress;

/** Reads the request when it is asked; a class, for one is made for each request. */
class NodeHead implements RequestHead {
  readonly #request: IncomingMessage;
  readonly #clientOf: ClientOf;
  readonly header: RequestHead["header"];

  constructor(request: IncomingMessage, clientOf: ClientOf) {
    this.#request = request;
    this.#clientOf = clientOf;
    this.header = (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value[0] : value;
    };
  }

  get method(): string {
    return this.#request.method ?? "";
  }

  get target(): string {
    return targetOf(this.#request);
  }

  get client(): string | undefined {
    return this.#clientOf(this.#request);
  }

  get peer(): string | undefined {
    return this.#request.socket.remoteAddress;
  }
}

/** `clientOf`: the attributed address, asked for only when it is needed; by default the socket's. */
export const headOf = (request: IncomingMessage, clientOf: ClientOf = socketAddress): RequestHead =>
  new NodeHead(request, clientOf);
