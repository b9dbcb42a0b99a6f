// Bodies and answers over real sockets: slow, cut off, too large, refused early.

import { createServer, IncomingMessage } from "node:http";
import { type AddressInfo, connect, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { MAX_BODY_BYTES, SLOTS } from "../../../core/index.ts";
import { LIMITS, ticket } from "../../support/bodies.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener, readBody } from "../../../adapters/node/index.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { CONFIG, PATH_A, ROUTE_A } from "../../core/arbitraries.ts";
import { ModelHost } from "../../support/model-host.ts";
import { type Deadlines, modelFlows, startServer, type TestServer } from "../../support/server.ts";

let server: TestServer | undefined;
afterEach(() => server?.close());

const start = async (
  deadlines: Deadlines = {},
  store: FlowStore = modelFlows(new ModelHost()),
): Promise<TestServer> => {
  server = await startServer(CONFIG, store, deadlines);
  return server;
};

const HEADERS = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };
const LIST = '{"action":"list_flows"}';

const post = (to: TestServer, body: string, headers: Readonly<Record<string, string>> = HEADERS): Promise<Response> =>
  fetch(to.base + PATH_A, { method: "POST", headers, body });

const codeOf = async (response: Response): Promise<string | undefined> =>
  ((await response.json()) as { code?: string }).code;

/** A connection that has sent a head and a part of the body. */
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

/** Slots that are held; each counts for its client and for its peer. */
const heldIn = ({ limits: { state } }: TestServer): number => {
  const [clients, peers] = [state.clientSlots, state.peerSlots].map((slots) => [...slots.values()]);
  const held = clients?.reduce((sum, count) => sum + count, 0) ?? 0;
  expect(
    peers?.reduce((sum, count) => sum + count, 0),
    "SLOT-3",
  ).toBe(held);
  return held;
};

test("BODY-2: exactly 262,144 bytes are accepted, one more is refused, announced or not", async () => {
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
  expect(heldIn(to)).toBe(0);
});

test("REPLY-4: a client that is still sending 5 MB reads the refusal, and its slot is free with the answer", async () => {
  const to = await start();
  for (let n = 0; n < SLOTS.client + 2; n += 1)
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
  expect(heldIn(to)).toBe(0);
});

test("REPLY-4: a refusal of a request whose body came with its head keeps the connection", async () => {
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

test("AUTH-7, BODY-6: a secret with a comma opens in one line, not in two, and no body whose transfer is compressed is read", async () => {
  const secret = "first-half, second-half";
  const config = { routes: { r: { path: PATH_A, sessionKey: "agent:main:main", secret } } };
  const embedding = createServer(createNodeListener({ config, flows: memoryFlows() }));
  const { port } = await new Promise<AddressInfo>((resolve) => {
    embedding.listen(0, "127.0.0.1", () => resolve(embedding.address() as AddressInfo));
  });
  const statusOf = async (lines: readonly string[], body: string): Promise<number> => {
    const socket = connect(port, "127.0.0.1");
    const head = [
      `POST ${PATH_A} HTTP/1.1`,
      "host: x",
      "connection: close",
      "content-type: application/json",
      ...lines,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
    return Number((await text(socket)).slice(9, 12));
  };
  const whole = `content-length: ${String(LIST.length)}`;
  const chunks = `${LIST.length.toString(16)}\r\n${LIST}\r\n0\r\n\r\n`;
  for (const start of ["authorization: Bearer ", "X-OpenClaw-Webhook-Secret: "]) {
    const [name = ""] = start.split(" ");
    const line = `${start}${secret}`;
    expect(await statusOf([whole, line], LIST)).toBe(200);
    expect(await statusOf([whole, `${start}first-half`, `${name} second-half`], LIST)).toBe(401);
    expect(await statusOf(["transfer-encoding: chunked", line], chunks)).toBe(200);
    expect(await statusOf(["transfer-encoding: gzip, chunked", line], chunks)).toBe(415);
  }
  embedding.close();
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
  expect(heldIn(to)).toBe(0);
});

/** A request of `client` whose body does not come. */
const hold = (to: TestServer, client: number): Socket =>
  open(to, { ...HEADERS, "content-length": "100", "x-forwarded-for": `10.0.0.${String(client)}` });

test("SLOT-1, SLOT-2: eight unfinished bodies hold the slots of a client, the ninth is refused; finishing or hanging up frees a slot", async () => {
  const to = await start();
  const held = Array.from({ length: SLOTS.client }, () => hold(to, 1));
  await until(() => heldIn(to) === SLOTS.client);
  const busy = await post(to, LIST, { ...HEADERS, "x-forwarded-for": "10.0.0.1" });
  expect([busy.status, busy.headers.get("retry-after"), await codeOf(busy)]).toEqual([429, "1", "too_many_in_flight"]);
  expect((await post(to, LIST, { ...HEADERS, "x-forwarded-for": "10.0.0.2" })).status).toBe(200);
  for (const socket of held) socket.destroy();
  await until(() => heldIn(to) === 0);
  expect((await post(to, LIST, { ...HEADERS, "x-forwarded-for": "10.0.0.1" })).status).toBe(200);
});

test("SLOT-1, SLOT-3: a peer holds 64 slots of a route at most, whatever clients it forwards", async () => {
  const to = await start();
  const held = Array.from({ length: SLOTS.peer }, (_, n) => hold(to, n % (SLOTS.peer / SLOTS.client)));
  await until(() => heldIn(to) === SLOTS.peer);
  const another = { ...HEADERS, "x-forwarded-for": "10.0.1.1" };
  expect(await codeOf(await post(to, LIST, another))).toBe("too_many_in_flight");
  held[0]?.destroy();
  await until(() => heldIn(to) === SLOTS.peer - 1);
  expect((await post(to, LIST, another)).status).toBe(200);
  for (const socket of held) socket.destroy();
  await until(() => heldIn(to) === 0);
});

test("SLOT-2: after a client hangs up while the store works, its slot is held until the store is done", async () => {
  let finish: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const inner = modelFlows(new ModelHost());
  const to = await start({}, { execute: (...command) => done.then(() => inner.execute(...command)) });
  const socket = open(to, { ...HEADERS, "content-length": String(LIST.length) });
  socket.write(LIST);
  await until(() => heldIn(to) === 1);
  socket.destroy();
  finish();
  await until(() => heldIn(to) === 0);
  expect(to.defects).toEqual([]);
});

test("SLOT-2: a client that hung up before its body was read does not hold a slot until the deadline", async () => {
  let seen: Promise<unknown> | undefined;
  const own = createServer((request) => {
    seen = new Promise((resolve) => request.once("close", () => resolve(readBody(request, LIMITS, ticket()))));
    request.socket.destroy();
  });
  await new Promise<void>((resolve) => own.listen(0, "127.0.0.1", resolve));
  const socket = connect((own.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => undefined).write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
  await until(() => seen !== undefined);
  expect(await seen).toMatchObject({ error: "gone" });
  own.close();
});

/** A request that has arrived in full, as from an adapter of another server. */
const complete = (body: string): IncomingMessage => {
  const request = Object.assign(new IncomingMessage(new Socket()), { complete: true });
  request.push(body);
  request.push(null);
  return request;
};

test("BODY-2: a body that arrived before it is read is read whole, once, and within the limit", async () => {
  for (const size of [0, 1, MAX_BODY_BYTES]) {
    const request = complete("x".repeat(size));
    expect(Buffer.from((await readBody(request, LIMITS, ticket()))._unsafeUnwrap()).toString()).toBe("x".repeat(size));
    if (size > 0) await expect(readBody(request, LIMITS, ticket())).rejects.toThrow("body");
  }
  expect((await readBody(complete("x".repeat(MAX_BODY_BYTES + 1)), LIMITS, ticket()))._unsafeUnwrapErr()).toBe(
    "too_large",
  );
  expect((await readBody(complete("{}").destroy(), LIMITS, ticket()))._unsafeUnwrapErr()).toBe("gone");
});

/** What a host's own code may do to a request, before or after the bridge has begun to read it. */
const MEDDLING: Readonly<Record<string, (request: IncomingMessage) => unknown>> = {
  "counts its bytes": (request) => request.on("data", () => undefined),
  "makes it flow": (request) => request.resume(),
  "stops it and makes it flow": (request) => request.pause().resume(),
};

test.each(Object.entries(MEDDLING))(
  "BODY-1: a body is read whole when a host that has not awaited anything %s",
  async (_, meddle) => {
    for (const order of ["before", "after"]) {
      const listener = createNodeListener({ config: CONFIG, flows: memoryFlows() });
      const host = createServer((request, response) => {
        if (order === "before") meddle(request);
        void listener(request, response);
        if (order === "after") meddle(request);
      });
      await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
      const base = `http://127.0.0.1:${String((host.address() as AddressInfo).port)}`;
      for (const body of [LIST, LIST + " ".repeat(200_000)]) {
        const whole = await fetch(base + PATH_A, { method: "POST", headers: HEADERS, body });
        const pieces = new Blob([body]).stream();
        const chunked = await fetch(base + PATH_A, { method: "POST", headers: HEADERS, body: pieces, duplex: "half" });
        expect([order, whole.status, chunked.status]).toEqual([order, 200, 200]);
      }
      host.closeAllConnections();
      host.close();
    }
  },
);

test("BODY-1: a body that other code makes come as text while it is read is that host's mistake, and the process lives", async () => {
  const errors: string[] = [];
  const logger = { info: () => undefined, warn: () => undefined, error: (line: string) => void errors.push(line) };
  const listener = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger });
  const host = createServer((request, response) => {
    void listener(request, response);
    request.setEncoding("utf8");
  });
  await new Promise<void>((resolve) => host.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${String((host.address() as AddressInfo).port)}`;
  const answer = await fetch(base + PATH_A, { method: "POST", headers: HEADERS, body: LIST });
  expect([answer.status, await codeOf(answer)]).toEqual([500, "internal"]);
  expect(errors).toEqual([expect.stringContaining("mistake in this host")]);
  host.closeAllConnections();
  host.close();
});

test("SLOT-2: a request that is ended as soon as its body is read for is gone at once", async () => {
  const request = new IncomingMessage(new Socket());
  const reading = readBody(request, LIMITS, ticket());
  request.destroy();
  expect((await reading)._unsafeUnwrapErr()).toBe("gone");
});

test("SLOT-2, SLOT-5: an answer that is not read holds its slot until the deadline, and no longer", async () => {
  const to = await start({ send: 300 });
  const big = JSON.stringify({ action: "create_flow", goal: "g", stateJson: "x".repeat(250_000) });
  for (let n = 0; n < 33; n += 1) expect((await post(to, big)).status).toBe(200);
  const socket = open(to, { ...HEADERS, "content-length": String(LIST.length), "x-forwarded-for": "10.0.0.2" });
  socket.pause();
  socket.write(LIST);
  await until(() => heldIn(to) === 1);
  await until(() => heldIn(to) === 0);
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
