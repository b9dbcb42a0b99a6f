// The operator's listener: pages to read, at an address of their own, so that no caller of a route can reach them. Nothing
// can be changed through it.

import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import type { Result } from "neverthrow";
import { isSecret, MAX_SECRET_BYTES, type SecretDigest, withoutOrigin } from "../../core/index.ts";
import { closeAfter } from "../node/connection.ts";
import { nodePrimitives } from "../node/primitives.ts";
import { type ListenFault, type RunningServer, type ServerOptions, startServer } from "./server.ts";

/** `headers` as they are sent, beside those that every page has. */
export type AdminReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
};

/** Makes a page for one request, of which neither the method nor the token needs to be looked at. May throw or reject: a 500. */
export type AdminPage = (request: IncomingMessage) => AdminReply | Promise<AdminReply>;

/** By exact path, such as `/metrics`. `/healthz` and `/readyz` are there anyway. */
export type AdminPages = ReadonlyMap<string, AdminPage>;

export type AdminOptions = Pick<ServerOptions, "host" | "port" | "tls" | "isReady" | "onError"> & {
  /** What every page but the health pages demands. Undefined: nothing, for a listener that this machine alone can reach. */
  readonly token: SecretDigest | undefined;
  readonly pages: AdminPages;
  /** Told of each request with a wrong token. `peer`: its address. */
  readonly onWrongToken?: ((peer: string) => void) | undefined;
};

/** Connections at once; a further one is closed. */
const MAX_CONNECTIONS = 64;

/** Milliseconds for which an idle connection is kept, between two looks at a health page. */
const KEEP_ALIVE_MS = 20_000;

/** Milliseconds after which a connection is closed on which nothing moves, such as one whose reader takes no answer. */
const SILENCE_MS = 30_000;

const HEADERS = { "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" };

const plain = (status: number, sentence: string, headers: AdminReply["headers"] = {}): AdminReply => ({
  status,
  headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
  body: `${sentence}\n`,
});

const NOT_FOUND = plain(404, "There is no such page.");
const READ_ONLY = plain(405, "Pages can only be read.", { Allow: "GET, HEAD" });
const FAILED = plain(500, "The page could not be made. The server's log says why.");
const MISDIRECTED = plain(421, "Without a token this listener answers only to localhost or an IP address.");
const FOREIGN = plain(403, "Without a token no other site can lead here. Type the address into the browser.");

/** A browser asks its user for the second kind; programs send the first. */
const UNAUTHORIZED = plain(401, "The token is missing or wrong.", {
  "WWW-Authenticate": 'Bearer, Basic realm="openclaw-webhooks"',
});

const AUTHORIZATION = /^(?<scheme>bearer|basic) +(?<value>\S+) *$/iu;

/** The token of a request: a bearer's, or the password of a browser's user, whatever the user is called. */
const tokenOf = ({ headers }: IncomingMessage): string => {
  const { scheme = "", value = "" } = AUTHORIZATION.exec(headers.authorization ?? "")?.groups ?? {};
  if (value.length > 2 * MAX_SECRET_BYTES) return "";
  return scheme.toLowerCase() === "bearer"
    ? value
    : Buffer.from(value, "base64")
        .toString("latin1")
        .replace(/^[^:]*:/u, "");
};

//= ADMIN-2
const isAllowed = (token: SecretDigest, request: IncomingMessage): boolean => {
  const given = tokenOf(request);
  return given !== "" && isSecret(token, given, nodePrimitives.sha256);
};

const HOST = /^(?:\[(?<six>[^\]]*)\]|(?<name>[^:]*))(?::\d*)?$/u;

//= ADMIN-2
/** Whether a browser can have sent it only for a page of this address: a stranger's site may lead its own name here. */
const isDirect = ({ headers }: IncomingMessage): boolean => {
  const { six, name = "" } = HOST.exec(headers.host ?? "")?.groups ?? {};
  return isIP(six ?? name) !== 0 || name.toLowerCase() === "localhost" || headers.host === undefined;
};

//= ADMIN-2
/** Whether a page of another site has made a browser send it. Browsers alone send this field, and no script can change it. */
const isForeign = ({ headers }: IncomingMessage): boolean => {
  const site = headers["sec-fetch-site"] ?? "none";
  return site !== "none" && site !== "same-origin";
};

const pathOf = ({ url = "" }: IncomingMessage): string => withoutOrigin(url).split(/[?#]/u, 1).join("") || "/";

//= ADMIN-1, ADMIN-2
const replyTo = ({ token, pages, onWrongToken }: AdminOptions, request: IncomingMessage): ReturnType<AdminPage> => {
  if (token === undefined && !isDirect(request)) return MISDIRECTED;
  if (token === undefined && isForeign(request)) return FOREIGN;
  if (token !== undefined && !isAllowed(token, request)) {
    // a browser asks without one first
    if (request.headers.authorization !== undefined) onWrongToken?.(request.socket.remoteAddress ?? "unknown");
    return UNAUTHORIZED;
  }
  const page = pages.get(pathOf(request));
  if (page === undefined) return NOT_FOUND;
  return request.method === "GET" || request.method === "HEAD" ? page(request) : READ_ONLY;
};

const send = ({ status, headers, body }: AdminReply, response: ServerResponse): void => {
  response.writeHead(status, { ...HEADERS, ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
};

//= ADMIN-1
/** Listens until it is stopped. Errs if it cannot listen on the address. */
export const startAdmin = (options: AdminOptions): Promise<Result<RunningServer, ListenFault>> => {
  const { host, port, tls, isReady, onError } = options;
  const replied = async (request: IncomingMessage): Promise<AdminReply> => {
    try {
      return await replyTo(options, request);
    } catch (error) {
      onError?.(error);
      return FAILED;
    }
  };
  return startServer({
    listener: async (request, response) => {
      // before the page is made, so that what stands behind it on the connection makes none
      closeAfter(response);
      send(await replied(request), response);
    },
    host,
    port,
    tls,
    isReady,
    onError,
    keepAliveMs: KEEP_ALIVE_MS,
    maxConnections: MAX_CONNECTIONS,
    silenceMs: SILENCE_MS,
  });
};
