// The connections of a server: which answers each of them waits for, and how it ends without losing one of them.

import { type Server, type ServerResponse, STATUS_CODES } from "node:http";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { breakOff, brokenBy, closeAfter, isBehindClose, shut } from "../node/connection.ts";

/** Milliseconds in which a client must close its side of a connection that has ended. */
const LINGER_MS = 1000;

const ignore = (): void => undefined;

/** The status for what is not a request; undefined when it is not HTTP at all, as in a failed TLS handshake. */
const statusOf = (code: unknown): number | undefined => {
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") return 413;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return 408;
  return String(code).startsWith("HPE_") ? 400 : undefined;
};

const endpointOf = ({ remoteAddress, remotePort }: Socket): string => `${String(remoteAddress)} ${String(remotePort)}`;

export class Connections {
  /** Unanswered requests of each open connection, in their order. With TLS there is also the plain socket below each one. */
  readonly #unanswered = new Map<Socket, Set<ServerResponse>>();
  #isDraining = false;

  /** Follows all connections, including those in a TLS handshake. */
  constructor(server: Server) {
    const open = (socket: Socket): void => {
      this.#unanswered.set(socket, new Set());
      socket.once("close", () => this.#unanswered.delete(socket));
    };
    server.on("connection", open).on("secureConnection", open);
    server.on("clientError", ({ code }: NodeJS.ErrnoException, socket) => this.#endBroken(socket, statusOf(code)));
    // without a listener Node destroys the connection, with the answers that it waits for
    server.on("connect", (_, socket) => this.#endBroken(socket.on("error", ignore), 405));
  }

  /** Requests that are not answered yet. */
  get active(): number {
    return [...this.#unanswered.values()].reduce((sum, { size }) => sum + size, 0);
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  //= REPLY-5, SERVE-2
  /** Whether the request is to be processed. While the server drains, a connection's next answer is its last one. */
  take(response: ServerResponse): boolean {
    if (isBehindClose(response)) return false;
    const unanswered = this.#unanswered.get(response.req.socket);
    unanswered?.add(response);
    response.once("close", () => unanswered?.delete(response));
    if (this.#isDraining) closeAfter(response);
    return true;
  }

  //= REPLY-5, SERVE-2
  /** Each connection ends with the answer to what it has asked for last; an idle one ends now. */
  drain(): void {
    this.#isDraining = true;
    const sockets = [...this.#unanswered.keys()];
    const secure = new Set(sockets.filter((socket) => socket instanceof TLSSocket).map(endpointOf));
    for (const [socket, unanswered] of this.#unanswered) {
      const last = [...unanswered].at(-1);
      if (last !== undefined) closeAfter(last);
      else if (socket instanceof TLSSocket || !secure.has(endpointOf(socket))) this.#end(socket);
    }
  }

  /** Ends all connections at once. */
  cut(): void {
    for (const socket of this.#unanswered.keys()) socket.destroy();
  }

  /** Drops what still comes for a moment, because closing at once could destroy the answer before it (RFC 9112 §9.6). */
  #end(socket: Socket, text = ""): void {
    shut(socket);
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once("close", () => clearTimeout(timer)).end(text);
  }

  //= REPLY-5
  /** What has come is not a request. Answers to the requests before it are sent first. `status`: undefined to say nothing. */
  #endBroken(socket: unknown, status: number | undefined): void {
    if (!(socket instanceof Socket)) return;
    const unanswered = [...(this.#unanswered.get(socket) ?? [])];
    // what still comes breaks again
    if (status !== undefined && unanswered.some(({ req }) => brokenBy(req) !== undefined)) return;
    const last = unanswered.findLast(({ req }) => req.complete);
    if (last !== undefined) return closeAfter(last);
    const hasBegun = unanswered.some(({ headersSent }) => headersSent);
    if (status === undefined || hasBegun || !socket.writable) return void socket.destroy();
    const [reading] = unanswered;
    if (reading === undefined) return this.#refuse(socket, status);
    breakOff(reading.req, status === 408 ? "timeout" : "malformed");
    // by then it is refused, if its body was wanted
    setImmediate(() => {
      if (!reading.headersSent && socket.writable) this.#refuse(socket, status);
    });
  }

  #refuse(socket: Socket, status: number): void {
    this.#end(socket, `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\n\r\n`);
  }
}
