// The Fetch handler and the Node listener pass the suite for HTTP surfaces, and give the same answers.

import { createServer, request as sendRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Endpoint, webhookSuite } from "../../adapters/conformance/index.ts";
import { createFetchHandler } from "../../adapters/fetch/index.ts";
import { memoryFlows } from "../../adapters/flows/memory/store.ts";
import { createNodeListener } from "../../adapters/node/index.ts";
import { runs } from "../support/runs.ts";

const ROUTES = { a: "agent:main:suite-a", b: "agent:main:suite-b" } as const;
const secretOf = (id: string): string => `secret-of-${id}-0123456789`;
const CONFIG = {
  routes: Object.fromEntries(
    Object.entries(ROUTES).map(([id, sessionKey]) => [id, { sessionKey, secret: secretOf(id) }]),
  ),
};
const endpoint = (base: string, id: keyof typeof ROUTES): Endpoint => ({
  url: `${base}/plugins/webhooks/${id}`,
  secret: secretOf(id),
  sessionKey: ROUTES[id],
});
const both = (base: string): readonly [Endpoint, Endpoint] => [endpoint(base, "a"), endpoint(base, "b")];
type Loose = (options: unknown) => unknown;
const SURFACES: Readonly<Record<string, Loose>> = {
  createNodeListener: (options) => Reflect.apply(createNodeListener, undefined, [options]),
  createFetchHandler: (options) => Reflect.apply(createFetchHandler, undefined, [options]),
};

describe.each(Object.entries(SURFACES))("%s", (name, make) => {
  test.each([
    [undefined, "The options must be an object with config and flows."],
    [null, "The options must be an object with config and flows."],
    [{ flows: undefined }, "The option flows must be a store, "],
    [{ flows: {} }, "The option flows must be a store, "],
    [{ basePath: 7 }, 'The option basePath must be a text such as "/api".'],
    [{ basePath: null }, 'The option basePath must be a text such as "/api".'],
    [{ onEvent: "x" }, "The option onEvent must be a function."],
    [{ explain: {} }, "The option explain must be a function."],
    [{ logger: {} }, "The option logger must have the functions info, warn and error."],
    [{ limits: { admit: () => undefined } }, "The option limits must have the functions admit, confirm and release."],
    [{ basePath: 7, onEvent: 7 }, 'The option basePath must be a text such as "/api". The option onEvent must'],
  ])("%j is a mistake that is named at once", (options, sentence) => {
    const given = options && { config: CONFIG, flows: memoryFlows(), ...options };
    expect(() => make(given)).toThrow(
      expect.objectContaining({ name: "Misuse", message: expect.stringContaining(sentence) }),
    );
  });

  test("a name that is not an option is one line of the log", () => {
    const errors: string[] = [];
    const log = { ...logger, error: (line: string) => void errors.push(line) };
    make({ config: CONFIG, flows: memoryFlows(), logger: log, basepath: "/api", toString: 1 });
    expect(errors).toEqual(
      ["basepath", "toString"].map((option) =>
        expect.stringMatching(`^\\[webhooks\\] ${option} is not an option\\. The options are config, flows, basePath,`),
      ),
    );
    expect(errors[0]?.includes("trustedProxies")).toBe(name === "createNodeListener");
  });
});

test("the trusted proxies of a node listener are a list of texts, and too wide ones are advised against", () => {
  const warnings: string[] = [];
  const log = { ...logger, warn: (line: string) => void warnings.push(line) };
  const make = (trustedProxies: unknown) =>
    SURFACES["createNodeListener"]?.({ config: CONFIG, flows: memoryFlows(), logger: log, trustedProxies });
  for (const wrong of ["10.0.0.1", [7], {}])
    expect(() => make(wrong)).toThrow("The option trustedProxies must be a list of texts.");
  make(["10.0.0.0/8", "::/0"]);
  expect(warnings).toEqual([expect.stringContaining("trustedProxies ::/0 advice: it covers so many addresses")]);
});

const logger = { info: () => undefined, warn: () => undefined, error: console.error };
const asClient = (client: number): { readonly "x-forwarded-for": string } => ({
  "x-forwarded-for": `10.${String(client >> 16)}.${String((client >> 8) & 255)}.${String(client & 255)}`,
});

describe("LIMIT-8, ORDER-1, REPLY-1, REPLY-4: the Fetch handler", { timeout: 60_000 }, () => {
  webhookSuite(test, {
    open: () => {
      const handler = createFetchHandler({ config: CONFIG, flows: memoryFlows(), logger });
      const client = (request: Request): string | undefined => request.headers.get("x-forwarded-for") ?? undefined;
      return { routes: both("http://bridge.test"), fetch: (request) => handler(request, { client: client(request) }) };
    },
    asClient,
    runs: runs(20),
  });
});

describe("LIMIT-8, ORDER-1, REPLY-1, REPLY-4: the Node listener", { timeout: 60_000 }, () => {
  const servers: Server[] = [];
  webhookSuite(test, {
    open: async () => {
      const options = { config: CONFIG, flows: memoryFlows(), logger, trustedProxies: ["127.0.0.0/8"] };
      const listener = createNodeListener(options);
      const server = createServer((request, response) => void listener(request, response));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      servers.push(server);
      return { routes: both(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`) };
    },
    close: () => {
      for (const server of servers.splice(0)) {
        server.close();
        server.closeAllConnections();
      }
    },
    asClient,
    runs: runs(20),
  });
});

describe("the same request to both", () => {
  const handlers: Record<string, ReturnType<typeof createFetchHandler>> = {};
  const servers: Record<string, Server> = {};
  const paths = { plain: undefined, mounted: "/api" };

  beforeAll(async () => {
    for (const [name, basePath] of Object.entries(paths)) {
      const options = { config: CONFIG, flows: memoryFlows(), logger, ...(basePath === undefined ? {} : { basePath }) };
      handlers[name] = createFetchHandler(options);
      const listener = createNodeListener({ ...options, trustedProxies: ["127.0.0.0/8"] });
      const server = createServer((request, response) => void listener(request, response));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      servers[name] = server;
    }
  });
  afterAll(() => {
    for (const server of Object.values(servers)) {
      server.close();
      server.closeAllConnections();
    }
  });

  type Lines = readonly (readonly [name: string, value: string])[];
  type Answer = { readonly status: number | undefined; readonly body: unknown; readonly limits: readonly unknown[] };
  let clients = 0;

  const toFetch = async (name: string, path: string, lines: Lines): Promise<Answer> => {
    const headers = new Headers();
    for (const [header, value] of lines) headers.append(header, value);
    const request = new Request(`http://bridge.test${path}`, { method: "POST", headers, body: LIST });
    request.headers.set("content-type", headers.get("content-type") ?? "");
    const response = await handlers[name]?.(request, { client: clientOf(clients) });
    const limits = LIMITS.map((field) => response?.headers.get(field) ?? undefined);
    return { status: response?.status, body: await response?.json(), limits };
  };

  const toNode = (name: string, path: string, lines: Lines): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const { port } = Object(servers[name]?.address()) as AddressInfo;
      const headers = [...lines, ["x-forwarded-for", clientOf(clients)], ["host", "h"]].flat();
      const sent = sendRequest({ port, host: "127.0.0.1", method: "POST", path, headers, agent: false }, (answer) => {
        const limits = LIMITS.map((field) => answer.headers[field]);
        json(answer).then((body) => resolve({ status: answer.statusCode, body, limits }), reject);
      });
      sent.on("error", reject).end(LIST);
    });

  const both = async (name: string, path: string, lines: Lines): Promise<Answer> => {
    clients += 1;
    const answers = [await toFetch(name, path, lines), await toNode(name, path, lines)] as const;
    expect(answers[0]).toEqual(answers[1]);
    return answers[0];
  };

  const LIST = '{"action":"list_flows"}';
  const clientOf = (client: number): string => asClient(client)["x-forwarded-for"];
  const JSON_TYPE = ["content-type", "application/json"] as const;
  const BEARER = ["authorization", `Bearer ${secretOf("a")}`] as const;
  const OWN = ["x-openclaw-webhook-secret", secretOf("a")] as const;
  const PATH = "/plugins/webhooks/a";
  const LIMITS = ["ratelimit-policy", "ratelimit"];

  test("LIMIT-11: an answer tells of limits if, and only if, its request was authenticated", async () => {
    const usual = ['"default";q=120;w=60, "in-flight";q=8;qu="concurrent-requests"', '"default";r=119;t=60'];
    const none = [undefined, undefined];
    const given = [JSON_TYPE, BEARER] as const;
    expect((await both("plain", PATH, given)).limits).toEqual(usual);
    expect((await both("plain", PATH, [JSON_TYPE, ["authorization", "Bearer no"]])).limits).toEqual(none);
    expect((await both("plain", PATH, [BEARER, ["content-type", "text/plain"]])).limits).toEqual(none);
    expect((await both("plain", "/nope", given)).limits).toEqual(none);
  });

  test("AUTH-7, BODY-1, BODY-6: every choice of headers, also sent twice, gets the same answer", async () => {
    const secret = secretOf("a");
    const line = fc.oneof(
      fc.tuple(
        fc.constantFrom("authorization", "Authorization"),
        fc.constantFrom(`Bearer ${secret}`, "Bearer no", `bearer ${secret}`, "Basic eA==", "Bearer", ""),
      ),
      fc.tuple(fc.constant("x-openclaw-webhook-secret"), fc.constantFrom(secret, "no", "")),
      fc.tuple(
        fc.constantFrom("content-type", "Content-Type"),
        fc.constantFrom("application/json", "text/plain", "application/x+json", "application/json; charset=latin1"),
      ),
      fc.tuple(fc.constant("content-encoding"), fc.constantFrom("identity", "gzip", "")),
    );
    const statuses = new Set<number | undefined>();
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 5 }), async (lines) => {
        statuses.add((await both("plain", PATH, lines)).status);
        statuses.add((await both("plain", PATH, [JSON_TYPE, ...lines])).status);
      }),
      { numRuns: runs(150) },
    );
    expect([...statuses].toSorted()).toEqual([200, 401, 415]);
  });

  test("AUTH-7: a credential header that was sent twice is refused, whatever stands in its lines", async () => {
    const credentials = [BEARER, OWN];
    for (const [name, right] of credentials) {
      const prefix = name === "authorization" ? "Bearer " : "";
      for (const other of [right, `${prefix}no`, `${prefix}${secretOf("b")}`, ""]) {
        for (const lines of [
          [right, other],
          [other, right],
          [right, right, other],
        ]) {
          const sent = lines.map((value) => [name, value] as const);
          expect([sent, (await both("plain", PATH, [JSON_TYPE, ...sent])).status]).toEqual([sent, 401]);
        }
      }
    }
    expect((await both("plain", PATH, [JSON_TYPE, BEARER])).status).toBe(200);
    expect((await both("plain", PATH, [JSON_TYPE, OWN])).status).toBe(200);
  });

  test("ROUTE-1, ROUTE-4: a route is reached below the base path, in every spelling, and beside it not at all", async () => {
    const spell = (path: string): readonly string[] => [
      path,
      `/${path}`,
      `${path}/`,
      path.toUpperCase(),
      path.replaceAll("/", "//"),
      path.replace("a", "%61"),
      `/x/..${path}`,
      `${path}?a=1`,
    ];
    for (const path of spell(PATH)) {
      expect([path, (await both("plain", path, [JSON_TYPE, BEARER])).status]).toEqual([path, 200]);
      expect([path, (await both("mounted", path, [JSON_TYPE, BEARER])).status]).toEqual([path, 404]);
    }
    for (const path of spell(`/api${PATH}`)) {
      expect([path, (await both("mounted", path, [JSON_TYPE, BEARER])).status]).toEqual([path, 200]);
      expect([path, (await both("plain", path, [JSON_TYPE, BEARER])).status]).toEqual([path, 404]);
    }
  });
});

test("ROUTE-4: a base path that is not a text is a mistake of the host, at once", () => {
  for (const basePath of [null, 5, {}, ["/api"]]) {
    const options = { config: CONFIG, flows: memoryFlows(), logger, basePath: basePath as unknown as string };
    expect(() => createFetchHandler(options)).toThrow('The option basePath must be a text such as "/api".');
  }
});

test("ROUTE-4: a base path may end in a slash; one that is no path serves nothing, and the log says what to write", async () => {
  const statusAt = async (basePath: unknown, path: string): Promise<readonly [number, readonly string[]]> => {
    const warnings: string[] = [];
    const log = { ...logger, warn: (line: string) => void warnings.push(line) };
    const handler = createFetchHandler({
      config: CONFIG,
      flows: memoryFlows(),
      logger: log,
      basePath: basePath as string,
    });
    const headers = { "content-type": "application/json", authorization: `Bearer ${secretOf("a")}` };
    const body = '{"action":"list_flows"}';
    return [(await handler(new Request(`http://h${path}`, { method: "POST", headers, body }))).status, warnings];
  };
  for (const base of ["/api", "/api/", "//API", "/x/../api", "/%61pi"]) {
    expect(await statusAt(base, "/api/plugins/webhooks/a")).toEqual([200, []]);
  }
  for (const base of ["", "/", "//"]) expect(await statusAt(base, "/plugins/webhooks/a")).toEqual([200, []]);
  for (const base of ["api", "*", "/%zz", "/api?x", "/api#f", "/api%3Fx", "/api%2523", "http://h/api", "\\api"]) {
    for (const path of ["/plugins/webhooks/a", "/api/plugins/webhooks/a"]) {
      const [status, warnings] = await statusAt(base, path);
      expect([base, status, warnings.length, warnings[0]]).toEqual([
        base,
        404,
        1,
        '[webhooks] basePath must start with a slash, as in "/api". No route is served',
      ]);
    }
  }
});
