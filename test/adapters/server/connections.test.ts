// What one connection may send to the standalone server, over real sockets: requests behind a close, behind each other,
// behind something that is not a request, with a body that waits to be asked for, and from a sender that has gone.

import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener, type NodeListener } from "../../../adapters/node/index.ts";
import { KEEP_ALIVE_MS, type RunningServer, startServer } from "../../../adapters/server/server.ts";
import { MAX_BODY_BYTES } from "../../../core/index.ts";
import { CONFIG, PATH_A, ROUTE_A } from "../../core/arbitraries.ts";
import { runs } from "../../support/runs.ts";

const logger = { info: () => undefined, warn: () => undefined, error: console.error };
const CREATE = '{"action":"create_flow","goal":"g"}';
const GOOD = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };

type Headers = Readonly<Record<string, string | number>>;

const head = (headers: Headers, target = PATH_A, method = "POST"): string =>
  [`${method} ${target} HTTP/1.1`, "host: x", ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)]
    .join("\r\n")
    .concat("\r\n\r\n");

const create = (headers: Headers = {}): string =>
  head({ ...GOOD, "content-length": CREATE.length, ...headers }) + CREATE;

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
};

/** A store that counts what it is asked; a slow one waits for `letGo`. */
const counted = (isSlow = false) => {
  const flows = memoryFlows();
  const gate = Promise.withResolvers<void>();
  const seen = { asked: 0 };
  const store: FlowStore = {
    execute: async (...command) => {
      seen.asked += 1;
      if (isSlow) await gate.promise;
      return flows.execute(...command);
    },
  };
  return { store, seen, letGo: gate.resolve };
};

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

type Serving = { readonly port: number; readonly running?: RunningServer };

const listenerFor = (flows: FlowStore): NodeListener => createNodeListener({ config: CONFIG, flows, logger });

const start = async (flows: FlowStore, more: object = {}): Promise<Serving & { readonly running: RunningServer }> => {
  const options = { listener: listenerFor(flows), host: "127.0.0.1", port: 0, isReady: () => true, ...more };
  const running = (await startServer(options))._unsafeUnwrap();
  closers.push(() => running.stop(0));
  return { port: Number(new URL(running.url).port), running };
};

/** A server of the embedder's own, wired as the page on embedding says. */
const embed = async (flows: FlowStore): Promise<Serving> => {
  const listener = listenerFor(flows);
  const server = createServer((request, response) => void listener(request, response));
  server.on("checkContinue", (request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => (server.close(), server.closeAllConnections()));
  return { port: (server.address() as AddressInfo).port };
};

const dial = ({ port }: Serving): Socket => connect(port, "127.0.0.1").on("error", () => undefined);

/** All that is answered to `sent` until the server closes the connection. */
const answersTo = async (to: Serving, sent: string): Promise<string> => {
  const socket = dial(to);
  socket.write(sent);
  return text(socket);
};

const statusesIn = (answer: string): readonly string[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d+)/gu)].map(([, status]) => status ?? "");

const closesIn = (answer: string): number => [...answer.matchAll(/\r\nconnection: close/giu)].length;

const until = (isTrue: () => boolean): Promise<void> => expect.poll(isTrue, { timeout: 5000 }).toBe(true);

/** Refusals that leave some of the body unread when they are answered. */
const UNREAD: Readonly<Record<string, readonly [status: string, sent: string]>> = {
  "a wrong secret": ["401", head({ ...GOOD, authorization: "Bearer no", "content-length": 1000 })],
  "an unknown path": ["404", head({ ...GOOD, "content-length": 1000 }, "/nowhere")],
  "another method": ["405", head({ ...GOOD, "content-length": 1000 }, PATH_A, "PUT")],
  "another media type": ["415", head({ ...GOOD, "content-type": "text/plain", "content-length": 1000 })],
  "a body that is too large": ["413", head({ ...GOOD, "content-length": MAX_BODY_BYTES + 1 })],
};

test.each(Object.entries(UNREAD))(
  "REPLY-5: nothing behind %s with an unfinished body is carried out, on any server",
  async (name, [status, sent]) => {
    for (const serve of [start, embed]) {
      const { store, seen } = counted();
      const socket = dial(await serve(store));
      const answer = text(socket);
      socket.write(sent);
      await once(socket, "readable");
      socket.write("x".repeat(name.includes("large") ? MAX_BODY_BYTES + 1 : 1000) + create() + create());
      const said = await answer;
      expect([statusesIn(said), closesIn(said), seen.asked]).toEqual([[status], 1, 0]);
    }
  },
);

test("REPLY-5, SERVE-2: what a connection sends in one piece is answered as often as it is carried out, whatever stands between", async () => {
  const end = `${head({ ...GOOD, "content-length": CREATE.length, connection: "close" })}${CREATE}`;
  const parts: Readonly<Record<string, string>> = {
    create: create(),
    list: head({ ...GOOD, "content-length": 25 }) + '{"action":"list_flows"}  ',
    refused: create({ authorization: "Bearer no" }),
    nowhere: head({ "content-length": 3 }, "/nowhere") + "abc",
    health: head({}, "/healthz", "GET"),
    waiting: create({ expect: "100-continue" }),
    "waiting and refused": create({ expect: "100-continue", authorization: "Bearer no" }),
    "health that waits": head({ expect: "100-continue", "content-length": 1 }, "/healthz", "GET") + "x",
    "no host": create().replace("host: x\r\n", ""),
    garbage: "NOT HTTP\r\n\r\n",
    connect: "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
    end,
  };
  const names = fc.array(fc.constantFrom(...Object.keys(parts)), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(names, fc.boolean(), fc.boolean(), async (sent, isSlow, halfCloses) => {
      const flows = memoryFlows();
      let asked = 0;
      const execute: FlowStore["execute"] = async (...command) => {
        asked += 1;
        if (isSlow) await turns(5);
        return flows.execute(...command);
      };
      const to = await start({ execute });
      const socket = dial(to);
      const answer = text(socket);
      const bytes = [...sent, ...(halfCloses ? [] : ["end"])].map((name) => parts[name] ?? "").join("");
      if (halfCloses) socket.end(bytes);
      else socket.write(bytes);
      const said = await answer;
      const answered = statusesIn(said).filter((status) => status === "200").length;
      const health = said.split('{"ok":true}').length - 1;
      expect([sent, answered - health]).toEqual([sent, asked]);
      expect(closesIn(said)).toBeLessThanOrEqual(1);
      await to.running.stop(0);
    }),
    { numRuns: runs(60) },
  );
});

test("REPLY-5, SERVE-2: at a stop every request that was received is answered, and only the last answer says close", async () => {
  const { store, seen, letGo } = counted(true);
  const to = await start(store);
  const socket = dial(to);
  const answer = text(socket);
  socket.write(create() + create() + create());
  await until(() => seen.asked === 3);
  const stopped = to.running.stop();
  socket.write(create());
  await new Promise((resolve) => setTimeout(resolve, 50));
  letGo();
  const said = await answer;
  expect([statusesIn(said), closesIn(said), seen.asked]).toEqual([["200", "200", "200"], 1, 3]);
  expect(said.indexOf("lose\r\n")).toBeGreaterThan(said.lastIndexOf("HTTP/1.1"));
  expect(await stopped).toBe("drained");
});

test("SERVE-2: a request that crosses the stop on an idle connection is not processed", async () => {
  let asked = 0;
  const listener: NodeListener = async (_, response) => {
    asked += 1;
    response.end("x");
  };
  const to = await start(memoryFlows(), { listener });
  const socket = dial(to);
  socket.write(create());
  await once(socket, "data");
  await turns(3);
  const stopped = to.running.stop();
  socket.write(create());
  expect([await text(socket), await stopped, asked]).toEqual(["", "drained", 1]);
});

/** What ends a connection, sent behind two requests that are being carried out. */
const ENDS: Readonly<Record<string, string>> = {
  "what is not HTTP": "NOT HTTP\r\n\r\n",
  "a body that breaks off": head({ ...GOOD, "transfer-encoding": "chunked" }) + "zz\r\n",
  "a head that is too long": head({ ...GOOD, x: "y".repeat(20_000) }),
  "a tunnel": "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
  "a request without a host": create().replace("host: x\r\n", ""),
  "the end of what the client sends": "",
};

test.each(Object.entries(ENDS))("REPLY-5: requests before %s are answered", async (_, last) => {
  const { store, seen, letGo } = counted(true);
  const socket = dial(await start(store));
  const answer = text(socket);
  socket.end(create() + create() + last);
  await until(() => seen.asked === 2);
  await turns(5);
  letGo();
  expect([statusesIn(await answer).slice(0, 2), seen.asked]).toEqual([["200", "200"], 2]);
});

test("AUDIT-5: a body that breaks off is answered as its event says, whoever reads it or does not, and however it goes on", async () => {
  const started = head({ ...GOOD, "transfer-encoding": "chunked" });
  const wrong = head({ ...GOOD, authorization: "Bearer no", "transfer-encoding": "chunked" });
  const gone = head({ ...GOOD, "content-length": 100 });
  for (const [pieces, status, end] of [
    [[started + "ZZ\r\n", "YY\r\n"], "400", false],
    [[started, '5\r\n{"act\r\n', "ZZ\r\n"], "400", false],
    [[gone, "{"], "400", true],
    [[wrong + "ZZ\r\n", "YY\r\n"], "401", false],
  ] as const) {
    const told: (number | string)[] = [];
    const onEvent = ({ status: seen }: { readonly status: number }): void => void told.push(`event ${String(seen)}`);
    const listener = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger, onEvent });
    const socket = dial(await start(memoryFlows(), { listener }));
    const answer = text(socket);
    for (const piece of pieces) {
      socket.write(piece);
      await turns(20);
    }
    if (end) socket.end();
    expect([pieces, statusesIn(await answer), told]).toEqual([pieces, [status], [`event ${status}`]]);
  }
});

test("REPLY-5: a request that a host hands on late is answered, although one behind it closes the connection", async () => {
  const { store, seen } = counted();
  const listener = listenerFor(store);
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    void (requests === 1 ? turns(5) : Promise.resolve()).then(() => listener(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => (server.close(), server.closeAllConnections()));
  const to = { port: (server.address() as AddressInfo).port };
  const said = await answersTo(to, create() + head({ ...GOOD, authorization: "Bearer no", "content-length": 9 }));
  expect([statusesIn(said), seen.asked]).toEqual([["200", "401"], 1]);
});

const EXPECT = { ...GOOD, expect: "100-continue" };

test("REPLY-6: a client that waits is answered at once when it is refused, and is asked for the body only when it will be read", async () => {
  const refusals: readonly (readonly [string, string])[] = [
    ["401", head({ ...EXPECT, authorization: "Bearer no", "content-length": 9 })],
    ["404", head({ ...EXPECT, "content-length": 9 }, "/nowhere")],
    ["405", head({ ...EXPECT, "content-length": 9 }, PATH_A, "PUT")],
    ["413", head({ ...EXPECT, "content-length": MAX_BODY_BYTES + 1 })],
    ["415", head({ ...EXPECT, "content-type": "text/plain", "content-length": 9 })],
    ["401", head({ ...EXPECT, authorization: "Bearer no", "transfer-encoding": "chunked" })],
  ];
  for (const serve of [start, embed]) {
    const { store, seen } = counted();
    const to = await serve(store);
    const said = await Promise.all(refusals.map(([, sent]) => answersTo(to, sent)));
    expect(said.map(statusesIn)).toEqual(refusals.map(([status]) => [status]));
    const socket = dial(to);
    socket.write(head({ ...EXPECT, "content-length": CREATE.length }));
    const [first] = (await once(socket, "data")) as [Buffer];
    expect(String(first)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    expect(seen.asked).toBe(0);
    const answer = text(socket);
    socket.end(CREATE);
    expect([statusesIn(await answer), seen.asked]).toEqual([["200"], 1]);
    await answersTo(to, create().repeat(119) + create({ connection: "close" }));
    expect(statusesIn(await answersTo(to, head({ ...EXPECT, "content-length": 9 })))).toEqual(["429"]);
  }
});

test("REPLY-6, LIMIT-1: what else a client expects is ignored: it is answered and counted as without it", async () => {
  const { store, seen } = counted();
  const to = await start(store);
  const expecting = (count: number, more: Headers = {}): string =>
    create({ expect: "foo", ...more }).repeat(count - 1) + create({ expect: "foo", ...more, connection: "close" });
  expect(statusesIn(await answersTo(to, expecting(2)))).toEqual(["200", "200"]);
  expect(statusesIn(await answersTo(to, head({ expect: "foo" }, "/healthz", "GET")))).toEqual(["200"]);
  const refused = statusesIn(await answersTo(to, expecting(121, { authorization: "Bearer no" })));
  expect([refused[0], refused.at(-1), seen.asked]).toEqual(["401", "429", 2]);
});

test("SERVE-6: a connection that is kept after the refusal of a client that waits says for how long", async () => {
  const to = await start(counted().store);
  const refused = create({ expect: "100-continue", authorization: "Bearer no" });
  const said = await answersTo(to, refused + create({ connection: "close" }));
  expect(statusesIn(said)).toEqual(["401", "200"]);
  expect(said).toMatch(
    /^HTTP\/1\.1 401 (?:[^\r]*\r\n)*connection: keep-alive\r\n(?:[^\r]*\r\n)*keep-alive: timeout=125\r\n/iu,
  );
});

test("REPLY-6: behind a host that has said 100 already, it is not said twice", async () => {
  const listener = listenerFor(counted().store);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => (server.close(), server.closeAllConnections()));
  const to = { port: (server.address() as AddressInfo).port };
  const said = await answersTo(to, create({ expect: "100-continue", connection: "close" }));
  expect(statusesIn(said)).toEqual(["100", "200"]);
});

test.each(["before the server has noticed it", "after that"])(
  "LIMIT-9: a sender that has reset its connection is not counted, and nothing is carried out for it, %s",
  async (when) => {
    const { store, seen } = counted();
    const events: unknown[] = [];
    const onEvent = (event: unknown): void => void events.push(event);
    const listener = createNodeListener({ config: CONFIG, flows: store, logger, onEvent });
    const held: (() => void)[] = [];
    let requests = 0;
    const server = createServer((request, response) => {
      requests += 1;
      if (when === "after that") held.push(() => void listener(request, response));
      else void listener(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closers.push(() => (server.close(), server.closeAllConnections()));
    const to = { port: (server.address() as AddressInfo).port };
    for (let sender = 1; sender <= 10; sender += 1) {
      const socket = dial(to);
      await once(socket, "connect");
      socket.write(create());
      if (when === "after that") await until(() => requests === sender);
      socket.resetAndDestroy();
      await until(() => requests === sender);
    }
    await turns(3);
    for (const hand of held) hand();
    await turns(3);
    expect([seen.asked, events]).toEqual([0, []]);
  },
);

test("LIMIT-9: a request over a Unix socket, which has no addresses, is served", async () => {
  const { store, seen } = counted();
  const listener = listenerFor(store);
  const server = createServer((request, response) => void listener(request, response));
  const path = `/tmp/openclaw-webhooks-${String(process.pid)}.sock`;
  await new Promise<void>((resolve) => server.listen(path, resolve));
  closers.push(() => server.close());
  const socket = connect(path);
  socket.write(create({ connection: "close" }));
  expect([statusesIn(await text(socket)), seen.asked]).toEqual([["200"], 1]);
});

test("SERVE-6: an idle connection is kept for 125 seconds, which is announced, or for as long as the operator says", async () => {
  expect(KEEP_ALIVE_MS).toBe(125_000);
  const announced = async (to: Serving): Promise<string | null> =>
    (await fetch(`http://127.0.0.1:${String(to.port)}/healthz`)).headers.get("keep-alive");
  expect(await announced(await start(memoryFlows()))).toBe("timeout=125");
  const brief = await start(memoryFlows(), { keepAliveMs: 1000 });
  expect(await announced(brief)).toBe("timeout=1");
  const socket = dial(brief);
  socket.write(head({}, "/healthz", "GET"));
  const begun = performance.now();
  await text(socket);
  expect(performance.now() - begun).toBeGreaterThan(1000);
});

test("SERVE-7: what the server calls may fail in any way; it is told of, and the next request is served", async () => {
  const told: unknown[] = [];
  const broken = (error: unknown): never => {
    told.push(error);
    throw new Error("nobody listens");
  };
  let fails: "throws" | "rejects" | "late" = "throws";
  const listener: NodeListener = async (_, response) => {
    if (fails === "late") response.writeHead(200).write("half");
    if (fails === "rejects") await Promise.resolve();
    throw new Error(fails);
  };
  const isReady = (): never => expect.fail("EACCES");
  const to = await start(memoryFlows(), { listener, isReady, onError: broken });
  expect(statusesIn(await answersTo(to, head({ connection: "close" }, "/readyz", "GET")))).toEqual(["503"]);
  for (fails of ["throws", "rejects"] as const) expect(statusesIn(await answersTo(to, create()))).toEqual(["500"]);
  fails = "late";
  expect(statusesIn(await answersTo(to, create()))).toEqual(["200"]);
  expect(told).toHaveLength(4);
  expect((await fetch(`${to.running.url}/healthz`)).status).toBe(200);
});
