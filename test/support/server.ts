// A plain HTTP server in front of the bridge, for tests over real sockets; clients are told apart by X-Forwarded-For.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Bridge, exchange, type FlowHost } from "../../adapters/bridge/exchange.ts";
import { createManagedFlows } from "../../adapters/managed-flows/managed-flows.ts";
import { MemoryLimits } from "../../adapters/memory/limits.ts";
import { headOf, nodePrimitives, readBody, respond } from "../../adapters/node/index.ts";
import { loadConfig } from "../../core/index.ts";
import type { ModelHost } from "./model-host.ts";

export const modelFlows = (host: ModelHost): FlowHost =>
  createManagedFlows({ bind: (sessionKey) => host.bind(sessionKey), hostConfig: () => ({}), warn: () => undefined });

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

/** Starts on a free loopback port. `bodyDeadlineMs`: how long a body may take, milliseconds. */
export const startServer = async (config: unknown, host: FlowHost, bodyDeadlineMs?: number): Promise<TestServer> => {
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
    void exchange(
      bridge,
      routes,
      headOf(request, () => clientOf(request)),
      () => readBody(request, bodyDeadlineMs),
    ).then(({ reply }) => respond(request, response, reply));
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
