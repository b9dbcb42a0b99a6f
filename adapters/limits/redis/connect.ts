// A connection through @redis/client, which is installed by those who want it.

import { err, ok, Result } from "neverthrow";
import { type Link, scriptRunner } from "./link.ts";

/** Where the server is, and how to reach it. */
export type Server = {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Certificates that a TLS server's is checked against, PEM. Default: those of Node. */
  readonly ca?: string | Buffer | undefined;
  readonly username?: string | undefined;
  /** Or what reads it, for each connection. What that rejects with is what is wrong with the connection. */
  readonly password?: string | (() => Promise<string>) | undefined;
  /** Of a server that has several. */
  readonly database?: number | undefined;
};

/** Milliseconds for a connection, and after which one is given up on which nothing has come for a command. */
const SOCKET_MS = 5000;

/** Milliseconds between two attempts to connect: at least, and how much more by chance, so that replicas do not come at once. */
const RECONNECT_MS = 200;
const SPREAD_MS = 200;

/** Milliseconds between two connections that are given up because the server takes no writes. */
const LEAVE_MS = 1000;

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

/** A server that has become a replica keeps its connections, although the address may lead to another one by now. */
const takesNoWrites = (error: unknown): boolean => error instanceof Error && error.message.startsWith("READONLY");

//= LIMIT-18
/** Without the password: a server that knows no HELLO repeats what it was sent, up to a length. */
const withoutSecret = (error: unknown, password: string | undefined): unknown => {
  if (!(error instanceof Error)) return error;
  const cut = error.message.replace(/,? with args beginning with:.*$/su, "");
  const message = password === undefined || password === "" ? cut : cut.replaceAll(password, "[hidden]");
  return message === error.message ? error : new Error(message);
};

/** The client's package, or undefined when it is not installed. */
const loadClient = async (): Promise<typeof import("@redis/client") | undefined> => {
  try {
    return await import("@redis/client");
  } catch {
    return undefined;
  }
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
  let secret: string | undefined;
  const credentials = async () => {
    secret = typeof password === "function" ? await password() : password;
    return { ...(username === undefined ? {} : { username }), ...(secret === undefined ? {} : { password: secret }) };
  };
  const hasUser = username !== undefined || password !== undefined;
  const options = {
    socket: isTls ? { ...socket, tls: true as const, ...(ca === undefined ? {} : { ca }) } : socket,
    ...(hasUser ? { credentialsProvider: { type: "async-credentials-provider" as const, credentials } } : {}),
    ...(database === undefined ? {} : { database }),
    name: "openclaw-webhooks",
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING,
    maintNotifications: "disabled" as const,
  };
  let lastError: unknown;
  const failed = (error: unknown): void => void (lastError = withoutSecret(error, secret));
  const dial = () => {
    const dialled = redis.createClient(options);
    // without a listener it would end the process; what is wrong is seen by the probes
    dialled.on("error", failed);
    dialled.connect().catch(failed);
    return dialled;
  };
  let [client, since, hasEnded] = [dial(), performance.now(), false];
  //= LIMIT-17
  /** To where the address leads now. What is on its way rejects. */
  const leave = (): void => {
    if (hasEnded || performance.now() - since < LEAVE_MS) return;
    client.destroy();
    [client, since] = [dial(), performance.now()];
  };
  const send = async (words: readonly string[]): Promise<unknown> => {
    if (!client.isReady) throw lastError ?? new Error("not connected yet");
    try {
      return await client.sendCommand(words);
    } catch (error) {
      if (takesNoWrites(error)) leave();
      throw withoutSecret(error, secret);
    }
  };
  return ok({
    run: scriptRunner((_, words) => send(words)),
    // in one go, so that no step overtakes another one whose script is not known yet
    prepare: (scripts) => Promise.all(scripts.map(({ text }) => send(["SCRIPT", "LOAD", text]))),
    ask: (...words) => send(words),
    close: () => {
      hasEnded = true;
      client.destroy();
    },
  });
};
