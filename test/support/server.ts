// A plain HTTP server in front of the bridge, for tests over real sockets; clients are told apart by X-Forwarded-For.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Bridge, exchange, type FlowHost, type ReadBody } from "../../adapters/bridge/exchange.ts";
import { createFlowHost } from "../../adapters/bridge/execute.ts";
import { gatewayFlows } from "../../adapters/managed-flows/store.ts";
import { MemoryLimits } from "../../adapters/limits/memory.ts";
import { headOf, nodePrimitives, readBody, respond } from "../../adapters/node/index.ts";
import { loadConfig } from "../../core/index.ts";
import type { ModelHost } from "./model-host.ts";

export const modelFlows = (host: ModelHost): FlowHost =>
  createFlowHost({
    store: gatewayFlows({ bind: (sessionKey) => host.bind(sessionKey), hostConfig: () => ({}) }),
    warn: () => undefined,
  });

/** The right-most forwarded address, as behind one trusted proxy. */
const clientOf = ({ headers }: IncomingMessage): string | undefined =>
  String(headers["x-forwarded-for"] ?? "")
    .split(",")
    .at(-1)
    ?.trim();

export type TestServer = {
  readonly base: string;
  readonly port: number;
  readonly limits: MemoryLimits;
  readonly defects: unknown[];
  readonly close: () => Promise<void>;
};

/** Milliseconds that a body may take to arrive, an answer to be taken, and a refused body to end. */
export type Deadlines = { readonly body?: number; readonly send?: number; readonly linger?: number };

/** Starts on a free loopback port. */
export const startServer = async (config: unknown, host: FlowHost, deadlines: Deadlines = {}): Promise<TestServer> => {
  const limits = new MemoryLimits();
  const defects: unknown[] = [];
  const bridge: Bridge = {
    limits,
    host,
    primitives: nodePrimitives,
    now: () => performance.now(),
    onDefect: (error) => defects.push(error),
  };
  const { routes } = loadConfig(config, nodePrimitives.sha256);
  const server: Server = createServer((request, response) => {
    const read: ReadBody = () => readBody(request, deadlines.body);
    void exchange(
      bridge,
      routes,
      headOf(request, () => clientOf(request)),
      read,
      ({ reply }) => respond(request, response, reply, { send: 20_000, linger: 1000, ...deadlines }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { base: `http://127.0.0.1:${String(port)}`, port, limits, defects, close };
};
