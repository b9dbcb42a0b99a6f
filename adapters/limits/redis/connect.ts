// A connection through @redis/client, which is installed by those who want it.

import { err, ok, Result } from "neverthrow";
import type { RedisClientOptions } from "@redis/client";
import { type Link, scriptRunner } from "./link.ts";

type Credentials = Pick<RedisClientOptions, "username" | "password" | "credentialsProvider">;

/** Where the server is, and how to reach it. */
export type Server = {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Certificates that a TLS server's is checked against, PEM. Default: those of Node. */
  readonly ca?: string | Buffer | undefined;
  readonly username?: string | undefined;
  /** Or what gives it, asked for each connection. */
  readonly password?: string | (() => Promise<string>) | undefined;
  /** Of a server that has several. */
  readonly database?: number | undefined;
};

/** Milliseconds for a connection, and after which one is given up on which nothing has come for a command. */
const SOCKET_MS = 5000;

/** Milliseconds between two attempts to connect: at least, and how much more by chance, so that replicas do not come at once. */
const RECONNECT_MS = 200;
const SPREAD_MS = 200;

/** Commands that wait. While the server is silent none is added, so that no more are than come within the deadline. */
const MAX_WAITING = 50_000;

const PORT = 6379;

/** A part before the host, which is percent-encoded; undefined where there is none. */
const decoded = Result.fromThrowable(
  (part: string) => (part === "" ? undefined : decodeURIComponent(part)),
  () => "has a user or a password that is not percent-encoded. Encode it",
);

//= LIMIT-18
/**
 * Reads `redis://host:port/database`, or `rediss://` for TLS, with a user and a password before the host if there are some. Errs
 * with what is wrong and what to do, which names no part of what was given.
 */
export const parseServer = (url: string): Result<Server, string> => {
  const parsed = URL.parse(url);
  if (parsed === null || !["redis:", "rediss:"].includes(parsed.protocol) || parsed.hostname === "")
    return err("is not an address like redis://localhost:6379, or rediss://localhost:6380 for TLS");
  const database = /^\/?(\d{0,4})$/u.exec(parsed.pathname)?.[1];
  if (database === undefined || parsed.search !== "" || parsed.hash !== "")
    return err("has more than a host, a port and the number of a database. Remove the rest");
  return Result.combine([decoded(parsed.username), decoded(parsed.password)]).map(([username, password]) => ({
    host: parsed.hostname.replace(/^\[(.*)\]$/u, "$1"),
    port: parsed.port === "" ? PORT : Number(parsed.port),
    isTls: parsed.protocol === "rediss:",
    username,
    password,
    database: database === "" ? undefined : Number(database),
  }));
};

//= LIMIT-18
/** The address for a log: without user and password. */
export const shownServer = ({ host, port, isTls, database }: Server): string =>
  `redis${isTls ? "s" : ""}://${host.includes(":") ? `[${host}]` : host}:${String(port)}${database === undefined ? "" : `/${String(database)}`}`;

/** The client's package, or undefined when it is not installed. */
const loadClient = async (): Promise<typeof import("@redis/client") | undefined> => {
  try {
    return await import("@redis/client");
  } catch {
    return undefined;
  }
};

/** As the client takes them. */
const credentialsOf = ({ username, password }: Pick<Server, "username" | "password">): Credentials => {
  const named = username === undefined ? {} : { username };
  if (typeof password !== "function") return { ...named, ...(password === undefined ? {} : { password }) };
  const credentials = async (): Promise<{ username?: string; password: string }> => ({
    ...named,
    password: await password(),
  });
  return { credentialsProvider: { type: "async-credentials-provider", credentials } };
};

export type Connected = Link & {
  /** One command of its own, such as INFO. Rejects as `run` does. */
  readonly ask: (...words: readonly string[]) => Promise<unknown>;
};

/** Begins to connect, and never stops to. Errs when the package of the client is not installed. */
export const connect = async (server: Server): Promise<Result<Connected, string>> => {
  const redis = await loadClient();
  if (redis === undefined)
    return err(
      "needs the package @redis/client, which is not installed. Run npm install @redis/client where openclaw-webhooks is installed, with -g if that was",
    );
  const { host, port, isTls, ca, username, password, database } = server;
  const socket = {
    host,
    port,
    connectTimeout: SOCKET_MS,
    socketTimeout: SOCKET_MS,
    reconnectStrategy: () => RECONNECT_MS + Math.random() * SPREAD_MS,
  };
  const client = redis.createClient({
    socket: isTls ? { ...socket, tls: true as const, ...(ca === undefined ? {} : { ca }) } : socket,
    ...credentialsOf({ username, password }),
    ...(database === undefined ? {} : { database }),
    name: "openclaw-webhooks",
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    maintNotifications: "disabled",
  });
  let lastError: unknown;
  // without a listener it would end the process; what is wrong is seen by the probes
  client.on("error", (error: unknown) => void (lastError = error));
  client.connect().catch((error: unknown) => void (lastError = error));
  const send = (words: readonly string[]): Promise<unknown> =>
    client.isReady ? client.sendCommand(words) : Promise.reject(lastError ?? new Error("not connected yet"));
  return ok({
    run: scriptRunner((_, words) => send(words)),
    // in one go, so that no step overtakes another one whose script is not known yet
    prepare: (scripts) => Promise.all(scripts.map(({ text }) => send(["SCRIPT", "LOAD", text]))),
    ask: (...words) => send(words),
    close: () => client.destroy(),
  });
};
