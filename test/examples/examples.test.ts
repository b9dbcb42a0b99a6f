// The examples that a developer copies: each of them as it is, over real sockets, held to one table of checks.
// docs/embedding.md shows them word for word: test/docs.

import { once } from "node:events";
import { type IncomingHttpHeaders, request } from "node:http";
import type { Server } from "node:net";
import { text } from "node:stream/consumers";
import express from "express";
import { Hono } from "hono";
import { serve } from "@hono/node-server";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CONSOLE } from "../../adapters/bridge/from-config.ts";
import { createFetchHandler } from "../../adapters/fetch/index.ts";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { createNodeListener, type Logger } from "../../adapters/node/index.ts";

type Example = {
  readonly load: () => Promise<{ readonly server: Server }>;
  /** An app around the webhooks, with a JSON route of its own at /echo. */
  readonly app: boolean;
  /** What answers on a path below the prefix that is no route's. */
  readonly unknown: "listener" | "app";
};

const EXAMPLES: Readonly<Record<string, Example>> = {
  node: { load: () => import("./node.ts"), app: false, unknown: "listener" },
  telemetry: { load: () => import("./telemetry.ts"), app: false, unknown: "listener" },
  fetch: { load: () => import("./fetch.ts"), app: false, unknown: "listener" },
  hono: { load: () => import("./hono.ts"), app: true, unknown: "listener" },
  express: { load: () => import("./express.ts"), app: true, unknown: "app" },
  fastify: { load: () => import("./fastify.ts"), app: true, unknown: "listener" },
};

/** The limits as docs/http-api.md promises them. */
const MAX_BODY = 262_144;
const MAX_REQUESTS = 120;

const SECRET = "example-secret-0123456789";
const PATH = "/plugins/webhooks/ci";
const CREATE = '{"action":"create_flow","goal":"Review inbound queue"}';
const CREATED = { ok: true, routeId: "ci", result: { created: true, flow: { controllerId: "webhooks/ci" } } };
const JSON_HEADERS = { "content-type": "application/json" };
const HEADERS = { ...JSON_HEADERS, authorization: `Bearer ${SECRET}` };

type Sent = {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** One piece is announced with its length, several are sent chunked. */
  readonly body?: readonly string[];
  /** The sender's own address. */
  readonly from?: string;
};

type Got = { readonly status: number | undefined; readonly headers: IncomingHttpHeaders; readonly body: unknown };

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
};

const portOf = (server: Server): number => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server does not listen on a port");
  return address.port;
};

/** One request over a connection of its own. */
const send = (server: Server, { path = PATH, headers = HEADERS, body = [CREATE], from }: Sent = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    const length = body.length === 1 ? { "content-length": String(Buffer.byteLength(body.join(""))) } : {};
    const to = { host: "127.0.0.1", port: portOf(server), path, method: "POST", agent: false, localAddress: from };
    const outgoing = request({ ...to, headers: { ...headers, ...length } }, (answer) => {
      const got = (content: string): Got => ({
        status: answer.statusCode,
        headers: answer.headers,
        body: parsed(content),
      });
      text(answer).then((content) => resolve(got(content)), reject);
    });
    outgoing.on("error", reject);
    for (const piece of body) outgoing.write(piece);
    outgoing.end();
  });

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));

/** Listens on a free port for as long as `use` runs. */
const serving = async (server: Server, use: (server: Server) => Promise<void>): Promise<void> => {
  if (!server.listening) await once(server, "listening");
  await use(server).finally(() => closed(server));
};

const padded = (size: number): string => CREATE + " ".repeat(size - CREATE.length);
const halves = (body: string): readonly string[] => [body.slice(0, body.length / 2), body.slice(body.length / 2)];

/** A server of `@hono/node-server` puts its own `Request` and `Response` in place of the global ones. */
const globals = { Request: globalThis.Request, Response: globalThis.Response };
const warnings: string[] = [];

beforeAll(() => {
  vi.stubEnv("CI_SECRET", SECRET);
  vi.stubEnv("PORT", "0");
  vi.spyOn(CONSOLE, "warn").mockImplementation((line) => void warnings.push(line));
});

afterAll(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  Object.assign(globalThis, globals);
});

describe.each(Object.entries(EXAMPLES))("%s.ts", (_name, { load, app, unknown }) => {
  let server: Server;

  beforeAll(async () => {
    ({ server } = await load());
    if (!server.listening) await once(server, "listening");
  });

  afterAll(() => closed(server));

  test("creates a flow, with the body announced or chunked", async () => {
    expect(await send(server)).toMatchObject({ status: 200, body: CREATED });
    expect(await send(server, { body: halves(CREATE) })).toMatchObject({ status: 200, body: CREATED });
    expect(warnings).toEqual([]);
  });

  test("refuses a wrong secret, and says so in the log", async () => {
    const headers = { ...HEADERS, authorization: "Bearer no" };
    expect(await send(server, { headers })).toMatchObject({ status: 401, body: { ok: false, code: "unauthorized" } });
    expect(warnings.splice(0)).toMatchObject([expect.stringContaining("secret or signature was refused")]);
  });

  test("BODY-1: refuses what is no JSON itself, not by the framework", async () => {
    for (const type of ["text/plain", "garbage"]) {
      const headers = { ...HEADERS, "content-type": type };
      expect(await send(server, { headers })).toMatchObject({ status: 415, body: { code: "unsupported_media_type" } });
    }
  });

  test("BODY-2: takes 262,144 bytes and refuses one more, announced or chunked", async () => {
    for (const cut of [(body: string) => [body], halves]) {
      expect(await send(server, { body: cut(padded(MAX_BODY)) })).toMatchObject({ status: 200 });
      const refused = await send(server, { body: cut(padded(MAX_BODY + 1)) });
      expect(refused).toMatchObject({ status: 413, body: { ok: false, code: "payload_too_large" } });
    }
  });

  test("does not know other paths below the prefix", async () => {
    const got = await send(server, { path: "/plugins/webhooks/none" });
    expect(got.status).toBe(404);
    if (unknown === "listener") expect(got.body).toMatchObject({ ok: false, code: "route_not_found" });
    else expect(got.body).not.toHaveProperty("ok");
  });

  if (app)
    test("leaves the app's other routes and their parsers alone", async () => {
      const got = await send(server, { path: "/echo", headers: JSON_HEADERS, body: ['{"order":7}'] });
      expect(got).toMatchObject({ status: 200, body: { order: 7 } });
    });

  // Other systems have no second loopback address.
  test.runIf(process.platform === "linux")("LIMIT-1: counts each client for itself", async () => {
    for (let n = 0; n < MAX_REQUESTS; n += 1) expect((await send(server, { from: "127.0.0.3" })).status).toBe(200);
    const refused = await send(server, { from: "127.0.0.3" });
    expect(refused).toMatchObject({ status: 429, body: { code: "rate_limited" } });
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect((await send(server, { from: "127.0.0.4" })).status).toBe(200);
    const limited = warnings.splice(0).filter((line) => line.includes("rate limit"));
    expect(limited).toEqual([expect.stringContaining("client=127.0.0.3 ")]);
  });
});

const MOUNTED: Readonly<Record<string, () => Promise<Server>>> = {
  Express: async () => (await import("./mounted.ts")).expressApp.listen(0, "127.0.0.1"),
  Fastify: async () => {
    const { fastifyApp } = await import("./mounted.ts");
    await fastifyApp.listen({ port: 0, host: "127.0.0.1" });
    return fastifyApp.server;
  },
  Hono: async () => {
    const { honoApp } = await import("./mounted.ts");
    return serve({ fetch: honoApp.fetch, port: 0, hostname: "127.0.0.1" });
  },
};

test.each(Object.entries(MOUNTED))(
  "ROUTE-4: mounted.ts serves below /api in %s, and nowhere else",
  async (_, start) => {
    await serving(await start(), async (server) => {
      for (const path of [`/api${PATH}`, `/api${PATH}/?x=1`])
        expect([path, await send(server, { path })]).toMatchObject([path, { status: 200, body: CREATED }]);
      for (const path of [PATH, `/api/api${PATH}`, `/v1${PATH}`, `/api${PATH}/none`])
        expect([path, (await send(server, { path })).status]).toEqual([path, 404]);
    });
    expect(warnings).toEqual([]);
  },
);

test("LIMIT-1: what fetch.ts exports for Workers answers there, and counts by their header", async () => {
  const { default: worker } = await import("./fetch.ts");
  const ask = (client: string): Promise<Response> => {
    const headers = { ...HEADERS, "cf-connecting-ip": client };
    return worker.fetch(new Request(`https://hooks.example${PATH}`, { method: "POST", headers, body: CREATE }));
  };
  expect(await (await ask("203.0.113.1")).json()).toMatchObject(CREATED);
  for (let n = 1; n < MAX_REQUESTS; n += 1) expect((await ask("203.0.113.1")).status).toBe(200);
  expect((await ask("203.0.113.1")).status).toBe(429);
  expect((await ask("203.0.113.2")).status).toBe(200);
});

/** A misuse: the answer is the 500 `internal`, at once, and the log says what to change. */
const expectReadBefore = async (server: Server, errors: readonly string[]): Promise<void> => {
  expect(await send(server)).toMatchObject({ status: 500, body: { ok: false, code: "internal" } });
  expect(errors).toMatchObject([expect.stringContaining("the body was read before the webhook")]);
};

const misused = (): { readonly errors: string[]; readonly logger: Logger } => {
  const errors: string[] = [];
  const logger = { info: () => undefined, warn: () => undefined, error: (line: string) => void errors.push(line) };
  return { errors, logger };
};

const CONFIG = { routes: { ci: { sessionKey: "agent:main:ci", secret: SECRET } } };

test("REPLY-4: a body parser before the Express middleware is a 500 that the log explains", async () => {
  const { errors, logger } = misused();
  const app = express();
  app.use(express.json());
  app.use(createNodeListener({ config: CONFIG, flows: memoryFlows(), logger }));
  await serving(app.listen(0, "127.0.0.1"), (server) => expectReadBefore(server, errors));
});

test("REPLY-4: a body that a Hono middleware has read is a 500 that the log explains", async () => {
  const { errors, logger } = misused();
  const webhooks = createFetchHandler({ config: CONFIG, flows: memoryFlows(), logger });
  const app = new Hono();
  app.use(async (c, next) => {
    await c.req.json();
    await next();
  });
  app.all("/plugins/webhooks/*", (c) => webhooks(c.req.raw));
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" });
  await serving(server, (listening) => expectReadBefore(listening, errors));
});

test("bridge.ts answers a route's path, and says of another that it is none", async () => {
  const { handler } = await import("./bridge.ts");
  const event = { method: "POST", path: PATH, headers: HEADERS, body: CREATE, sourceIp: "127.0.0.1" };
  const made = await handler(event);
  expect([made.statusCode, parsed(made.body)]).toMatchObject([200, CREATED]);
  const other = await handler({ ...event, path: "/none" });
  expect([other.statusCode, parsed(other.body)]).toMatchObject([404, { code: "route_not_found" }]);
});
