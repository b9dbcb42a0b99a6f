// Bodies and answers over real sockets: slow, cut off, too large, refused early.

import { createServer, IncomingMessage } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { MAX_BODY_BYTES, SLOT_LIMIT } from "../../../core/index.ts";
import { readBody } from "../../../adapters/node/index.ts";
import type { FlowHost } from "../../../adapters/bridge/exchange.ts";
import { CONFIG, PATH_A, ROUTE_A } from "../../core/arbitraries.ts";
import { ModelHost } from "../../support/model-host.ts";
import { type Deadlines, modelFlows, startServer, type TestServer } from "../../support/server.ts";

let server: TestServer | undefined;
afterEach(() => server?.close());

const start = async (deadlines: Deadlines = {}, host: FlowHost = modelFlows(new ModelHost())): Promise<TestServer> => {
  server = await startServer(CONFIG, host, deadlines);
  return server;
};

const HEADERS = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };
const LIST = '{"action":"list_flows"}';

const post = (to: TestServer, body: string, headers: Readonly<Record<string, string>> = HEADERS): Promise<Response> =>
  fetch(to.base + PATH_A, { method: "POST", headers, body });

const codeOf = async (response: Response): Promise<string | undefined> =>
  ((await response.json()) as { code?: string }).code;

/** A connection that has sent a head, and as much of the body as it likes. */
const open = (to: TestServer, headers: Readonly<Record<string, string>>): Socket => {
  const socket = connect(to.port, "127.0.0.1");
  socket.on("error", () => undefined);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${PATH_A} HTTP/1.1\r\nhost: x\r\n${lines.join("")}\r\n`);
  return socket;
};

const until = async (isTrue: () => boolean): Promise<void> => {
  const latest = performance.now() + 5000;
  while (!isTrue() && performance.now() < latest) await new Promise(setImmediate);
  expect(isTrue()).toBe(true);
};

test("BODY-2: exactly 262,144 bytes pass, one more does not, whether announced or not", async () => {
  const to = await start();
  const padded = (size: number): string => LIST + " ".repeat(size - LIST.length);
  const streamed = (size: number): Promise<Response> =>
    fetch(to.base + PATH_A, {
      method: "POST",
      headers: HEADERS,
      body: new Blob([padded(size)]).stream(),
      duplex: "half",
    });
  expect((await post(to, padded(MAX_BODY_BYTES))).status).toBe(200);
  expect((await streamed(MAX_BODY_BYTES)).status).toBe(200);
  expect(await codeOf(await post(to, padded(MAX_BODY_BYTES + 1)))).toBe("payload_too_large");
  expect(await codeOf(await streamed(MAX_BODY_BYTES + 1))).toBe("payload_too_large");
  expect(to.limits.state.slots.size).toBe(0);
});

test("REPLY-4: a client that is still sending 5 MB reads the refusal, and its slot is free with the answer", async () => {
  const to = await start();
  for (let n = 0; n < SLOT_LIMIT + 2; n += 1)
    expect(await codeOf(await post(to, "x".repeat(5_000_000)))).toBe("payload_too_large");
  expect((await post(to, LIST)).status).toBe(200);
});

test("REPLY-4: a refusal before the body is answered at once and ends the connection", async () => {
  const to = await start({ linger: 50 });
  for (const headers of [
    { ...HEADERS, authorization: "Bearer no" },
    { ...HEADERS, "content-type": "text/plain" },
  ]) {
    const socket = open(to, { ...headers, "content-length": "1000" });
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 4(01|15) /u);
    expect(answer.toLowerCase()).toContain("connection: close");
  }
  expect(to.limits.state.slots.size).toBe(0);
});

test("REPLY-4: a refusal of a request whose body came along keeps the connection", async () => {
  const to = await start();
  const refusals = { ...HEADERS, authorization: "Bearer no", "content-length": String(LIST.length) };
  const lines = Object.entries(refusals).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(to.port, "127.0.0.1");
  let seen = "";
  socket.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  for (let asked = 1; asked <= 3; asked += 1) {
    socket.write(`POST ${PATH_A} HTTP/1.1\r\nhost: x\r\n${lines.join("")}\r\n${LIST}`);
    await until(() => seen.split('"result":{}}').length === asked + 1);
  }
  expect(seen.match(/HTTP\/1\.1 \d+/gu)).toEqual(["HTTP/1.1 401", "HTTP/1.1 401", "HTTP/1.1 401"]);
  expect(seen.toLowerCase()).not.toContain("connection: close");
  socket.destroy();
});

test("REPLY-1: a request with a whole body keeps its connection", async () => {
  const to = await start();
  const socket = open(to, { ...HEADERS, "content-length": String(LIST.length) });
  let seen = "";
  socket.on("data", (chunk: Buffer) => (seen += chunk.toString()));
  socket.write(LIST);
  await until(() => seen.includes('"flows":[]'));
  expect(seen.toLowerCase()).toContain("connection: keep-alive");
  socket.destroy();
});

test("BODY-3: a body that does not arrive in time is a 408, and its slot is free", async () => {
  const to = await start({ body: 50, linger: 50 });
  const socket = open(to, { ...HEADERS, "content-length": "10" });
  socket.write("{");
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /u);
  expect(to.limits.state.slots.size).toBe(0);
});

test("SLOT-1, SLOT-2: eight unfinished bodies are held, the ninth is refused; finishing and hanging up frees", async () => {
  const to = await start();
  const held = Array.from({ length: SLOT_LIMIT }, () => open(to, { ...HEADERS, "content-length": "100" }));
  const slotsHeld = async (): Promise<boolean> => (await post(to, LIST)).status === 429;
  const latest = performance.now() + 5000;
  while (!(await slotsHeld()) && performance.now() < latest);
  const busy = await post(to, LIST);
  expect([busy.headers.get("retry-after"), await codeOf(busy)]).toEqual(["1", "too_many_in_flight"]);
  for (const socket of held) socket.destroy();
  await until(() => to.limits.state.slots.size === 0);
  expect((await post(to, LIST)).status).toBe(200);
});

test("SLOT-2: a client that hangs up while the host works costs one slot until the host is done", async () => {
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const inner = modelFlows(new ModelHost());
  const to = await start({}, { execute: (command) => done.then(() => inner.execute(command)) });
  const socket = open(to, { ...HEADERS, "content-length": String(LIST.length) });
  socket.write(LIST);
  await until(() => to.limits.state.slots.size === 1);
  socket.destroy();
  finish();
  await until(() => to.limits.state.slots.size === 0);
  expect(to.defects).toEqual([]);
});

test("SLOT-2: a client that hung up before its body was asked for does not hold a slot until the deadline", async () => {
  let seen: Promise<unknown> | undefined;
  const own = createServer((request) => {
    seen = new Promise((resolve) => request.once("close", () => resolve(readBody(request))));
    request.socket.destroy();
  });
  await new Promise<void>((resolve) => own.listen(0, "127.0.0.1", resolve));
  const socket = connect((own.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => undefined).write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
  await until(() => seen !== undefined);
  expect(await seen).toMatchObject({ error: "gone" });
  own.close();
});

/** A request that has come in full, as an adapter from another server makes it. */
const complete = (body: string): IncomingMessage => {
  const request = Object.assign(new IncomingMessage(new Socket()), { complete: true });
  request.push(body);
  request.push(null);
  return request;
};

test("BODY-2: a body that is there before it is asked for is read whole, once, and within the limit", async () => {
  for (const size of [0, 1, MAX_BODY_BYTES]) {
    const request = complete("x".repeat(size));
    expect(Buffer.from((await readBody(request))._unsafeUnwrap()).toString()).toBe("x".repeat(size));
    if (size > 0) await expect(readBody(request)).rejects.toThrow("body");
  }
  expect((await readBody(complete("x".repeat(MAX_BODY_BYTES + 1))))._unsafeUnwrapErr()).toBe("too_large");
  expect((await readBody(complete("{}").destroy()))._unsafeUnwrapErr()).toBe("gone");
});

test("SLOT-2, SLOT-5: an answer that nobody reads holds its slot, and only until the deadline", async () => {
  const to = await start({ send: 300 });
  const big = JSON.stringify({ action: "create_flow", goal: "g", stateJson: "x".repeat(250_000) });
  for (let n = 0; n < 40; n += 1) expect((await post(to, big)).status).toBe(200);
  const socket = open(to, { ...HEADERS, "content-length": String(LIST.length), "x-forwarded-for": "10.0.0.2" });
  socket.pause();
  socket.write(LIST);
  await until(() => to.limits.state.slots.size === 1);
  await until(() => to.limits.state.slots.size === 0);
  socket.destroy();
});

test("REPLY-1: HEAD and other methods get a 405 with Allow, HEAD without a body", async () => {
  const to = await start();
  for (const method of ["GET", "HEAD", "PUT", "OPTIONS", "DELETE", "PATCH"]) {
    const answer = await fetch(to.base + PATH_A, { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await answer.text()) === "").toBe(method === "HEAD");
  }
});
