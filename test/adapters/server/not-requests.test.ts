// What the server says on a connection to what is not a request, and to connections that come or stay while it drains.

import { once } from "node:events";
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener, type NodeListener } from "../../../adapters/node/index.ts";
import { Connections } from "../../../adapters/server/connections.ts";
import { type RunningServer, startServer } from "../../../adapters/server/server.ts";
import { CONFIG } from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const logger = { info: () => undefined, warn: () => undefined, error: console.error };
const WEBHOOKS = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger });

const started = async (listener: NodeListener = WEBHOOKS): Promise<RunningServer & { readonly port: number }> => {
  const server = (await startServer({ listener, host: "127.0.0.1", port: 0, isReady: () => true }))._unsafeUnwrap();
  closers.push(() => server.stop(0));
  return { ...server, port: Number(new URL(server.url).port) };
};

/** A server of its own whose connections are followed. */
const followed = async (answer: RequestListener, options: ServerOptions = {}) => {
  const server: Server = createServer(options);
  const connections = new Connections(server);
  server.on("request", (request, response) => {
    if (connections.take(response)) answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => (server.close(), server.closeAllConnections()));
  return { connections, server, port: (server.address() as AddressInfo).port };
};

const dial = ({ port }: { readonly port: number }): Socket =>
  connect({ port, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => undefined);

const answerTo = (to: { readonly port: number }, sent: string): Promise<string> => {
  const socket = dial(to);
  socket.write(sent);
  return text(socket).finally(() => socket.end());
};

/** The whole answer to what is not a request. */
const refusal = (status: string): string => `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`;

const HEALTH = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const CHUNKED = "POST /nowhere HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";

test.each([
  ["400 Bad Request", "what is not HTTP", "NOT HTTP\r\n\r\n"],
  ["400 Bad Request", "a header without a name", "GET / HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n"],
  ["431 Request Header Fields Too Large", "a head that is too long", `GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}`],
  ["405 Method Not Allowed", "a tunnel", "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n"],
])("REPLY-5: %s is all that is said to %s, also behind an answered request", async (status, _, sent) => {
  const to = await started();
  expect(await answerTo(to, sent)).toBe(refusal(status));
  const socket = dial(to);
  const all = text(socket);
  socket.write(HEALTH);
  await once(socket, "readable");
  socket.end(sent);
  const said = await all;
  expect(said).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
  expect([said.match(/HTTP\/1\.1/gu)?.length, said.slice(-refusal(status).length)]).toEqual([2, refusal(status)]);
});

test("REPLY-5: bytes that are not HTTP get one refusal or none, and never another status", async () => {
  const to = await started();
  const bytes = fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const socket = dial(to);
      const all = text(socket);
      socket.end(`\u0001${sent}`);
      expect(await all).toBe(refusal("400 Bad Request"));
    }),
    { numRuns: runs(40) },
  );
});

test("REPLY-5: a head that does not come in its time is answered with 408", async () => {
  const to = await followed(() => undefined, { headersTimeout: 20, connectionsCheckingInterval: 10 });
  expect(await answerTo(to, "GET / HTTP/1.1\r\nhost:")).toBe(refusal("408 Request Timeout"));
});

test("REPLY-5: chunks with too many extensions are answered with 413", async () => {
  const to = await followed((request) => void request.resume());
  expect(await answerTo(to, `${CHUNKED}1;${"x".repeat(20_000)}\r\n`)).toBe(refusal("413 Payload Too Large"));
});

test("REPLY-5: nothing is written into an answer that has begun when the rest of its request breaks off", async () => {
  const to = await followed((request, response) => {
    request.resume();
    response.writeHead(200, { "content-length": 10 }).write("begun");
  });
  const socket = dial(to);
  const all = text(socket);
  socket.write(CHUNKED);
  await once(socket, "readable");
  socket.write("zz\r\n");
  const said = await all.catch(() => "reset");
  expect(said).not.toContain("400");
  expect(said === "reset" || said.endsWith("begun")).toBe(true);
});

test("REPLY-5: a body that breaks off is answered with 400 as long as its answer has not begun", async () => {
  const to = await followed((request) => void request.resume());
  expect(await answerTo(to, `${CHUNKED}zz\r\n`)).toBe(refusal("400 Bad Request"));
});

test("SERVE-2: a client that keeps its side open does not delay a stop by more than a moment", async () => {
  const server = await started();
  const socket = dial(server);
  const all = text(socket);
  socket.write(HEALTH);
  await once(socket, "readable");
  const begun = performance.now();
  expect(await server.stop(30_000)).toBe("drained");
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect((await all).match(/HTTP/gu)).toHaveLength(1);
});

test("SERVE-2: a connection that still comes while the server drains gets one answer, which says close", async () => {
  const to = await followed((_, response) => void response.end("x"));
  expect(to.connections.isDraining).toBe(false);
  to.connections.drain();
  expect(to.connections.isDraining).toBe(true);
  const said = await answerTo(to, HEALTH + HEALTH);
  expect(said.match(/HTTP\/1\.1 200/gu)).toHaveLength(1);
  expect(said).toMatch(/\r\nconnection: close\r\n/iu);
});

test("an HTTP/1.0 request needs no Host, and an HTTP/1.1 request does", async () => {
  const to = await started();
  expect(await answerTo(to, "GET /healthz HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
  expect(await answerTo(to, "GET /healthz HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/u);
});
