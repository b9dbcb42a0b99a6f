// The operator's listener, over real sockets.

import { once } from "node:events";
import { request as ask } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { nodePrimitives } from "../../../adapters/node/index.ts";
import { type AdminOptions, startAdmin } from "../../../adapters/server/admin.ts";
import type { RunningServer } from "../../../adapters/server/server.ts";
import { digestSecret } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const TOKEN = "an admin token of 30 characters".replaceAll(" ", "-");
const PAGE = { status: 200, headers: { "Content-Type": "text/plain" }, body: "numbers\n" };

const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop(0)));
});

const start = async (
  changes: Partial<AdminOptions> = {},
): Promise<{ readonly port: number; readonly asked: string[] }> => {
  const asked: string[] = [];
  const started = await startAdmin({
    host: "127.0.0.1",
    port: 0,
    token: undefined,
    isReady: () => true,
    pages: new Map([["/metrics", ({ url = "" }) => (asked.push(url), PAGE)]]),
    ...changes,
  });
  const server = started._unsafeUnwrap();
  running.push(server);
  return { port: Number(new URL(server.url).port), asked };
};

const guarded = (): ReturnType<typeof start> => start({ token: digestSecret(TOKEN, nodePrimitives.sha256) });

type Sent = {
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: NodeJS.Dict<string | string[]>;
};

const send = async (
  port: number,
  path: string,
  {
    method = "GET",
    headers = {},
    body = "",
  }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Sent> => {
  const asking = ask({ port, path, method, headers });
  asking.end(body);
  const [response] = (await once(asking, "response")) as [import("node:http").IncomingMessage];
  return { status: response.statusCode, body: await text(response), headers: response.headers };
};

test("ADMIN-1: its pages are read by GET and HEAD; all else is 404 or 405, whatever path and method, and calls no page", async () => {
  const { port, asked } = await start();
  expect(await send(port, "/metrics?a=1")).toMatchObject({ status: 200, body: "numbers\n" });
  expect(await send(port, "/metrics", { method: "HEAD" })).toMatchObject({
    status: 200,
    body: "",
    headers: { "content-length": "8" },
  });
  expect(asked).toHaveLength(2);
  const path = fc.constantFrom(
    "/",
    "/metrics/",
    "/Metrics",
    "//metrics",
    "/plugins/webhooks/zapier",
    "/metrics%00",
    "/healthzz",
    "/metrics",
  );
  const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE");
  await fc.assert(
    fc.asyncProperty(path, method, async (where, how) => {
      const { status, headers } = await send(port, where, { method: how });
      if (where !== "/metrics") expect(status).toBe(404);
      else if (how !== "GET") expect([status, headers["allow"]]).toEqual([405, "GET, HEAD"]);
    }),
    { numRuns: runs(60) },
  );
});

test("ADMIN-1: a body is not waited for: the answer comes at once, and the connection ends", async () => {
  const { port } = await start();
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 405 [^]*Connection: close/u);
});

test("ADMIN-1: the health pages are there, and say whether the store works", async () => {
  let isReady = true;
  const { port } = await start({ isReady: () => isReady });
  expect([(await send(port, "/healthz")).status, (await send(port, "/readyz")).status]).toEqual([200, 200]);
  isReady = false;
  expect([(await send(port, "/healthz")).status, (await send(port, "/readyz")).status]).toEqual([200, 503]);
});

test("ADMIN-1: a page that fails is a 500 without a word of the error, which is told", async () => {
  const told: unknown[] = [];
  const fails = (): never => {
    throw new Error("boom");
  };
  const pages = new Map([
    ["/metrics", fails],
    ["/later", () => Promise.reject(new Error("boom"))],
  ]);
  const { port } = await start({ pages, onError: (error) => void told.push(error) });
  for (const path of pages.keys()) {
    const { status, body } = await send(port, path);
    expect([status, body.includes("boom")]).toEqual([500, false]);
  }
  expect(told).toHaveLength(2);
});

test("ADMIN-1: one page on a connection, which ends with it; what stands behind it makes none, and a health page ends nothing", async () => {
  const { port, asked } = await start();
  const socket = connect(port, "127.0.0.1");
  const line = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  socket.write(line("/healthz") + line("/readyz") + line("/metrics").repeat(200));
  const answers = await text(socket);
  expect(answers.match(/HTTP\/1\.1 200/gu)).toHaveLength(3);
  expect(answers).toMatch(/Connection: close\r\n[^]*numbers\n$/u);
  expect(asked).toHaveLength(1);
});

test("ADMIN-1: a page that takes its time keeps what stands behind it from making another", async () => {
  let pages = 0;
  let done = (): void => undefined;
  const slow = new Promise<void>((resolve) => (done = resolve));
  const made = async () => {
    pages += 1;
    await slow;
    return PAGE;
  };
  const { port } = await start({ pages: new Map([["/metrics", made]]) });
  const socket = connect(port, "127.0.0.1");
  const line = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
  socket.write(line);
  socket.write(line);
  await send(port, "/none");
  socket.write(line);
  await send(port, "/none");
  done();
  expect((await text(socket)).match(/HTTP\/1\.1 200/gu)).toHaveLength(1);
  expect(pages).toBe(1);
});

test("ADMIN-1: connections beyond 64 are closed, and those that are there go on", async () => {
  const { port } = await start();
  const sockets = Array.from({ length: 64 }, () => connect(port, "127.0.0.1"));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const [first] = sockets;
  first?.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(first ?? expect.fail(), "data");
  const further = connect(port, "127.0.0.1");
  further.on("error", () => undefined);
  await once(further, "close");
  for (const socket of sockets) socket.destroy();
});

test("ADMIN-2: with a token a page is shown for that alone, as bearer or as a browser's password; a wrong one calls no page", async () => {
  const { port, asked } = await guarded();
  const basic = (word: string): string => `Basic ${Buffer.from(word).toString("base64")}`;
  for (const authorization of [`Bearer ${TOKEN}`, `bearer  ${TOKEN}`, basic(`operator:${TOKEN}`), basic(`:${TOKEN}`)])
    expect((await send(port, "/metrics", { headers: { authorization } })).status).toBe(200);
  expect(asked).toHaveLength(4);
  const wrong = fc.oneof(
    fc.constantFrom(
      "",
      `Bearer ${TOKEN}x`,
      `Bearer ${TOKEN.slice(1)}`,
      TOKEN,
      basic(TOKEN.slice(1)),
      basic(`${TOKEN}:`),
      "Bearer",
      "Basic =",
    ),
    fc.base64String().map((word) => `Basic ${word}`),
    fc.string({ unit: fc.constantFrom(..."abc-:= "), maxLength: 60 }).map((word) => `Bearer ${word}`),
    fc.constant(`Bearer ${"x".repeat(9000)}`),
  );
  await fc.assert(
    fc.asyncProperty(wrong, fc.constantFrom("/metrics", "/nope"), async (authorization, path) => {
      const { status, headers } = await send(port, path, { headers: { authorization } });
      expect([status, headers["www-authenticate"]]).toEqual([401, 'Bearer, Basic realm="openclaw-webhooks"']);
    }),
    { numRuns: runs(60) },
  );
  expect(asked).toHaveLength(4);
  expect((await send(port, "/healthz")).status).toBe(200);
});

test("ADMIN-2: without a token a page is shown only for localhost or an address, so that no site can lead its name here", async () => {
  const { port, asked } = await start();
  for (const host of ["localhost", `localhost:${String(port)}`, "127.0.0.1", "[::1]:9090", "10.0.0.7:1", "LOCALHOST"])
    expect([host, (await send(port, "/metrics", { headers: { host } })).status]).toEqual([host, 200]);
  const before = asked.length;
  for (const host of [
    "evil.example",
    "evil.example:9090",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[evil]",
    "localhost:x",
  ])
    expect([host, (await send(port, "/metrics", { headers: { host } })).status]).toEqual([host, 421]);
  expect(asked).toHaveLength(before);
});

test("ADMIN-2: without a token a page of another site makes no page, whatever it asks for; the own page and a user do", async () => {
  const { port, asked } = await start();
  for (const site of ["none", "same-origin"])
    expect((await send(port, "/metrics", { headers: { "sec-fetch-site": site } })).status).toBe(200);
  for (const site of ["cross-site", "same-site", "other"])
    for (const path of ["/metrics", "/nope"])
      expect([site, (await send(port, path, { headers: { "sec-fetch-site": site } })).status]).toEqual([site, 403]);
  expect(asked).toHaveLength(2);
  const tokened = await guarded();
  const headers = { authorization: `Bearer ${TOKEN}`, "sec-fetch-site": "cross-site" };
  expect((await send(tokened.port, "/metrics", { headers })).status).toBe(200);
});

test("ADMIN-2: with a token any name will do, as in a cluster", async () => {
  const { port } = await guarded();
  const headers = { host: "webhooks.monitoring:9090", authorization: `Bearer ${TOKEN}` };
  expect((await send(port, "/metrics", { headers })).status).toBe(200);
});
