// The numbers that are promised, written down a second time: each deadline, size and mode is seen as behaviour, a
// millisecond or one entry before it and at it. The clock belongs to the test; sockets, files and TLS are real.

import { execFileSync } from "node:child_process";
import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { DatabaseSync } from "node:sqlite";
import tls, { type SecureVersion } from "node:tls";
import { ok } from "neverthrow";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { Log } from "../../adapters/bridge/log.ts";
import { run } from "../../adapters/cli/program.ts";
import { createFetchHandler } from "../../adapters/fetch/index.ts";
import type { FlowStore } from "../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../adapters/flows/memory/store.ts";
import { openSqliteFlows } from "../../adapters/flows/sqlite/index.ts";
import { startSweeping } from "../../adapters/flows/sweeper.ts";
import { emptyState, MemoryLimits } from "../../adapters/limits/memory.ts";
import { OldestFirst } from "../../adapters/limits/oldest-first.ts";
import { createNodeListener, type NodeListener } from "../../adapters/node/index.ts";
import { type RunningServer, startServer, type Tls } from "../../adapters/server/server.ts";
import type { Bucket } from "../../core/index.ts";
import { CONFIG, PATH_A, ROUTE_A } from "../core/arbitraries.ts";
import { locatedOf } from "../support/small-limits.ts";

const SECOND = 1000;
const folder = mkdtempSync(join(tmpdir(), "promises-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const logger = { info: () => undefined, warn: () => undefined, error: console.error };
const HEADERS = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };
const NEVER: FlowStore = { execute: () => new Promise(() => undefined) };

const CERT = join(folder, "cert.pem");
const KEY = join(folder, "key.pem");
/** A certificate that signs itself, made anew. */
const certificate = (): Tls => {
  const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
  execFileSync("openssl", [...made, "-keyout", KEY, "-out", CERT], { stdio: "ignore" });
  return { cert: readFileSync(CERT), key: readFileSync(KEY) };
};

let server: RunningServer | undefined;
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await server?.stop(0);
  server = undefined;
});

const serve = async (listener: NodeListener, tls?: Tls): Promise<RunningServer> => {
  const started = await startServer({ listener, host: "127.0.0.1", port: 0, tls, isReady: () => true });
  return (server = started._unsafeUnwrap());
};

const serveFlows = (flows: FlowStore = memoryFlows(), tls?: Tls): Promise<RunningServer> =>
  serve(createNodeListener({ config: CONFIG, flows, logger }), tls);

/** What came back over a connection, and whether it is over. */
type Heard = { readonly socket: Socket; text: string; isOver: boolean };

const send = (to: RunningServer, headers: Readonly<Record<string, string>>, body = ""): Heard => {
  const socket = connect(Number(new URL(to.url).port), "127.0.0.1");
  const heard: Heard = { socket, text: "", isOver: false };
  const over = (): void => void (heard.isOver = true);
  socket
    .on("data", (piece) => (heard.text += String(piece)))
    .on("end", over)
    .on("close", over)
    .on("error", over);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${PATH_A} HTTP/1.1\r\nhost: x\r\n${lines.join("")}\r\n${body}`);
  return heard;
};

/** Waits for the sockets, whose time is real. */
const until = async (isTrue: () => boolean): Promise<void> => {
  const latest = performance.now() + 10 * SECOND;
  while (!isTrue() && performance.now() < latest) await new Promise(setImmediate);
  expect(isTrue()).toBe(true);
};

/** Long enough for whatever has been set off to reach the other end of a socket of this machine. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
};

/** From here on time passes only by `pass`. */
const holdTime = (): void => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

/** Whether `isSo` becomes true at the promised moment, and not a millisecond before. */
const turnsAt = async (ms: number, isSo: () => boolean): Promise<void> => {
  await pass(ms - 1);
  await settle();
  expect(isSo(), `after ${String(ms - 1)} ms`).toBe(false);
  await pass(1);
  await until(isSo);
};

/** What Node keeps under a symbol. */
const hidden = (one: object, name: string): unknown => {
  const symbol = Object.getOwnPropertySymbols(one).find(({ description }) => description === name);
  expect(symbol, name).toBeDefined();
  return symbol === undefined ? undefined : Reflect.get(one, symbol);
};

const LIST = '{"action":"list_flows"}';
const LATEST = '{"action":"find_latest_flow"}';

/** What `serve` writes to its log. It is stopped as soon as it listens and `look` has been called. */
const served = async (args: readonly string[], look = (): void => undefined) => {
  let log = "";
  let end = (): void => undefined;
  const status = await run(["serve", "--port", "0", ...args], {
    out: () => undefined,
    error: (text) => {
      log += text;
      if (text.includes("listening on")) setImmediate(() => (look(), end()));
    },
    env: { XDG_STATE_HOME: join(folder, "state") },
    input: () => Promise.resolve(new Uint8Array()),
    isTerminal: false,
    onStop: (stop) => {
      end = () => stop(true);
      return () => undefined;
    },
  });
  return { status, log };
};

describe("deadlines", () => {
  test("BODY-3: a body has 15 seconds on node", async () => {
    const to = await serveFlows();
    holdTime();
    const heard = send(to, { ...HEADERS, "content-length": "100" }, "{");
    await until(() => vi.getTimerCount() > 0);
    await turnsAt(15 * SECOND, () => heard.text.includes("408 Request Timeout"));
    heard.socket.destroy();
  });

  test("BODY-3: a body has 15 seconds in a fetch handler", async () => {
    const handler = createFetchHandler({ config: CONFIG, flows: memoryFlows(), logger });
    holdTime();
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
    const init = { method: "POST", headers: HEADERS, body, duplex: "half" } as const;
    let status = 0;
    void handler(new Request(`http://x${PATH_A}`, init)).then((answer) => (status = answer.status));
    await until(() => vi.getTimerCount() > 0);
    await turnsAt(15 * SECOND, () => status === 408);
  });

  test("SLOT-4: the flow store has 20 seconds", async () => {
    const to = await serveFlows(NEVER);
    holdTime();
    const heard = send(to, { ...HEADERS, "content-length": String(LIST.length) }, LIST);
    await until(() => vi.getTimerCount() > 0);
    await turnsAt(20 * SECOND, () => heard.text.includes("504 Gateway Timeout"));
    heard.socket.destroy();
  });

  test("SLOT-5: a client has 20 seconds to take its answer", async () => {
    const flows = memoryFlows();
    await flows.execute(
      ROUTE_A.sessionKey,
      { action: "create_flow", goal: "g", controllerId: "c", stateJson: "x".repeat(20_000_000) },
      logger.error,
    );
    let isAsked = false;
    const asked: FlowStore = {
      execute: (...action) => {
        isAsked = true;
        return flows.execute(...action);
      },
    };
    const to = await serveFlows(asked);
    holdTime();
    const heard = send(to, { ...HEADERS, "content-length": String(LATEST.length) }, LATEST);
    heard.socket.pause();
    let isGone = false;
    heard.socket.once("close", () => (isGone = true));
    // the deadline of the body is over by then
    await until(() => isAsked && vi.getTimerCount() > 0);
    await settle();
    await pass(20 * SECOND - 1);
    await settle();
    expect(vi.getTimerCount()).toBe(1);
    await pass(1);
    expect(vi.getTimerCount()).toBe(0);
    heard.socket.resume();
    await until(() => isGone);
    expect(heard.text.length).toBeLessThan(20_000_000);
  });

  test("REPLY-4: the rest of a refused body is read for a second; then the connection is closed", async () => {
    const to = await serveFlows();
    holdTime();
    const heard = send(to, { ...HEADERS, authorization: "Bearer wrong", "content-length": "100" }, "{");
    await until(() => heard.text.includes("401 Unauthorized"));
    await turnsAt(SECOND, () => heard.isOver);
  });

  test("SERVE-2: a stop waits 60 seconds for what has begun", async () => {
    let isAsked = false;
    const to = await serve(() => {
      isAsked = true;
      return Promise.resolve();
    });
    const heard = send(to, { "content-length": "0" });
    await until(() => isAsked);
    holdTime();
    let how: string | undefined;
    void to.stop().then((ended) => (how = ended));
    await turnsAt(60 * SECOND, () => how === "cut_off");
    await until(() => heard.isOver);
  });

  test("STORE-3: the first sweep is after 5 seconds, each further one a minute after the last", async () => {
    holdTime();
    let swept = 0;
    const stop = startSweeping({ sweep: () => ok((swept += 1)) }, { onFault: console.error });
    await turnsAt(5 * SECOND, () => swept === 1);
    await turnsAt(60 * SECOND, () => swept === 2);
    await turnsAt(60 * SECOND, () => swept === 3);
    await stop();
  });

  test("AUDIT-3: a warning is shown again after 60 seconds", () => {
    const warned: string[] = [];
    let now = 7;
    const log = new Log({ ...logger, warn: (line) => warned.push(line) }, () => now);
    for (const at of [7, 8, 6000, 60_006, 60_007, 60_008, 120_006, 120_007]) {
      now = at;
      log.warnSometimes(String(at), "topic");
    }
    expect(warned.map((line) => /\d+/u.exec(line)?.[0])).toEqual(["7", "60007", "120007"]);
  });

  /** Node's own timers cannot be held, so the server that answers is asked what it has been set to. */
  test("a head and a TLS handshake have 15 seconds, a whole request 60, and this is looked at every second", async () => {
    const seen: object[] = [];
    const note = (message: unknown): void => void seen.push(Object(message).server);
    diagnostics.subscribe("http.server.request.start", note);
    await (await fetch(`${(await serveFlows()).url}/healthz`)).text();
    await server?.stop(0);
    await overTls(await serveFlows(memoryFlows(), certificate()), "TLSv1.3");
    diagnostics.unsubscribe("http.server.request.start", note);
    expect(seen.length).toBe(2);
    for (const one of seen) {
      expect(one).toMatchObject({ headersTimeout: 15 * SECOND, requestTimeout: 60 * SECOND });
      expect(hidden(one, "http.server.connectionsCheckingInterval")).toMatchObject({ _repeat: SECOND });
    }
    expect(hidden(seen[1] ?? {}, "handshake-timeout")).toBe(15 * SECOND);
  });
});

describe("tables", () => {
  const client = (number: number, isGood = false) =>
    locatedOf({ client: number, route: "a", peer: number, isJson: true, isGood });
  const LATER = 60_000;

  test("LIMIT-5: 4,096 strangers and 64 + 4,096 known clients of a route have buckets of their own, and no more", () => {
    const limits = new MemoryLimits();
    const { strangers, known, overflow } = limits.state;
    for (let number = 0; number < 4096; number += 1) limits.admit(client(number), 0);
    expect([strangers.size, overflow.size]).toEqual([4096, 0]);
    limits.admit(client(4096), 0);
    expect([strangers.size, overflow.size]).toEqual([4096, 1]);
    for (let number = 0; number < 5000; number += 1) {
      limits.admit(client(number), 0);
      limits.confirm(client(number), 0);
    }
    expect(known.get("a")?.size).toBe(64 + 4096);
  });

  test("LIMIT-7: one request drops 64 windows that have ended", () => {
    const state = emptyState();
    const limits = new MemoryLimits(4096, { state });
    for (let number = 0; number < 1000; number += 1) limits.admit(client(number), 0);
    limits.admit(client(1000), LATER);
    expect(state.strangers.size).toBe(1000 - 64 + 1);
  });

  test.each([
    [7, true],
    [8, false],
  ])(
    "LIMIT-7: with %i known clients in their windows before one whose window has ended, room is found: %s",
    (live, isFound) => {
      const state = emptyState();
      const known = new OldestFirst<Bucket>();
      state.known.set("a", known);
      for (let number = 0; number < 164; number += 1) {
        known.set(`client ${String(number)}`, { endsAt: number === live ? LATER : LATER + 1, count: 1 });
      }
      const limits = new MemoryLimits(100, { state });
      limits.admit(client(1), LATER);
      limits.confirm(client(1), LATER);
      expect([known.has(`client ${String(live)}`), known.has(client(1).clientKey)]).toEqual([!isFound, isFound]);
    },
  );
});

describe("files", () => {
  test("STORE-2: the connection that writes flows waits for the disk", () => {
    const exec = vi.spyOn(DatabaseSync.prototype, "exec");
    const flows = openSqliteFlows(join(folder, "full.db"))._unsafeUnwrap();
    const [connection] = exec.mock.contexts;
    if (!(connection instanceof DatabaseSync)) return expect.fail("no connection was opened");
    expect(connection.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
    flows.close();
  });

  test("STORE-2: the database and the files beside it are for their owner only, and so is the folder that serve makes", async () => {
    // the mutation run has its tests in worker threads, which share the umask of the process
    const before = isMainThread ? process.umask(0) : undefined;
    const made = join(folder, "state", "openclaw-webhooks");
    const modes: string[] = [];
    const { status } = await served([], () => {
      const files = ["flows.db", "flows.db-wal", "flows.db-shm"].map((name) => join(made, name));
      modes.push(...[made, ...files].map((file) => (statSync(file).mode & 0o777).toString(8)));
    });
    if (before !== undefined) process.umask(before);
    expect([status, modes]).toEqual([0, ["700", "600", "600", "600"]]);
  });
});

/** The version of TLS that a client gets which knows only this one, or the code with which it is turned away. */
const overTls = async (to: RunningServer, version: SecureVersion): Promise<string> => {
  const options = {
    minVersion: version,
    maxVersion: version,
    rejectUnauthorized: false,
    ciphers: "DEFAULT@SECLEVEL=0",
  };
  const socket = tls.connect({ ...options, host: "127.0.0.1", port: Number(new URL(to.url).port) });
  try {
    await once(socket, "secureConnect");
    socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const [answer] = await once(socket, "data");
    return `${String(socket.getProtocol())} ${String(answer).slice(9, 12)}`;
  } catch (error) {
    return String(Object(error).code);
  } finally {
    socket.destroy();
  }
};

describe("TLS", () => {
  test("TLS 1.3 and 1.2 are spoken, older versions are not", async () => {
    // with ciphers that allow old versions, only the server's own choice of versions is left
    const ciphers = tls.DEFAULT_CIPHERS;
    tls.DEFAULT_CIPHERS = "DEFAULT@SECLEVEL=0";
    const to = await serveFlows(memoryFlows(), certificate());
    tls.DEFAULT_CIPHERS = ciphers;
    const spoken = [];
    for (const version of ["TLSv1.3", "TLSv1.2", "TLSv1.1", "TLSv1"] as const) spoken.push(await overTls(to, version));
    const REFUSED = "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION";
    expect(spoken).toEqual(["TLSv1.3 200", "TLSv1.2 200", REFUSED, REFUSED]);
  });

  test.each([
    ["without TLS and --public", [], false, undefined],
    ["with TLS and without --public", ["tls"], false, undefined],
    ["with --public and without TLS", ["--public"], true, "http:"],
    ["with --public and TLS", ["--public", "tls"], false, "https:"],
  ])("SERVE-1: beyond the loopback interface, %s", async (_, given, isWarned, scheme) => {
    certificate();
    const args = given.flatMap((arg) => (arg === "tls" ? ["--tls-cert", CERT, "--tls-key", KEY] : [arg]));
    const { status, log } = await served(["--host", "0.0.0.0", ...args]);
    expect(/listening on (https?:)/u.exec(log)?.[1]).toBe(scheme);
    expect([status, log.includes("unencrypted")]).toEqual([scheme === undefined ? 1 : 0, isWarned]);
    if (scheme === undefined) expect(log).toContain("Add --public if that is intended");
  });
});
