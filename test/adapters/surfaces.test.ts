// The Fetch handler and the Node listener pass the suite for HTTP surfaces.

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "vitest";
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
