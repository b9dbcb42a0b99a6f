// What the core reads of a Node request before its body.

import type { IncomingMessage } from "node:http";
import { type RequestHead, SECRET_HEADERS } from "../../core/index.ts";

/** As it was sent; a framework that mounts handlers below a path cuts `url` and keeps the whole beside it. */
export const targetOf = (request: IncomingMessage): string =>
  "originalUrl" in request && typeof request.originalUrl === "string" ? request.originalUrl : (request.url ?? "");

/** The lines of a header as they were sent. Of some headers Node's own `headers` keep only the first line. */
const linesOf = ({ headers, rawHeaders }: IncomingMessage, name: string): readonly string[] => {
  const isNamed = (other: string): boolean => other.length === name.length && other.toLowerCase() === name;
  const lines = rawHeaders.filter((_, index) => index % 2 === 1 && isNamed(rawHeaders[index - 1] ?? ""));
  // frameworks that make requests of their own may fill in `headers` alone
  const given = Object.hasOwn(headers, name) ? [headers[name] ?? []].flat() : [];
  return lines.length > 1 ? lines : given;
};

/** In no secret, because no header can carry it. */
const NUL = "\0";

//= AUTH-7
/** All lines of a header. Two of a credential are never a secret, not even one with a comma in it. */
const everyLine =
  (request: IncomingMessage): RequestHead["header"] =>
  (name) => {
    const lines = linesOf(request, name);
    return lines.length === 0 ? undefined : lines.join(SECRET_HEADERS.includes(name) ? NUL : ", ");
  };

/** A class, because an accessor in an object literal would cost a request more than the rest of its head. */
class NodeHead implements RequestHead {
  readonly method: string;
  readonly target: string;
  readonly header: RequestHead["header"];
  readonly #request: IncomingMessage;
  readonly #client: () => string | undefined;

  constructor(request: IncomingMessage, client: () => string | undefined, header: RequestHead["header"]) {
    this.method = request.method ?? "";
    this.target = targetOf(request);
    this.header = header;
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

/**
 * `client`: the attributed address, asked for only when it is needed; by default the socket's. `header`: how headers are
 * read; by default all lines of one.
 */
export const headOf = (
  request: IncomingMessage,
  client: () => string | undefined = () => request.socket.remoteAddress,
  header: RequestHead["header"] = everyLine(request),
): RequestHead => new NodeHead(request, client, header);
