// An HTTP server around the bridge, for tests over real sockets. X-Forwarded-For identifies the client, and headers are read
// as in a Gateway, because the recorded traces are the Gateway's.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createBridge } from "../../adapters/bridge/bridge.ts";
import { Log } from "../../adapters/bridge/log.ts";
import { recordedHeader } from "../../adapters/gateway/head.ts";
import type { FlowStore } from "../../adapters/flows/flow-store.ts";
import { gatewayFlows } from "../../adapters/managed-flows/store.ts";
import { MemoryLimits } from "../../adapters/limits/memory.ts";
import { headOf, nodePrimitives, readBody, respond } from "../../adapters/node/index.ts";
import { loadConfig } from "../../core/index.ts";
import type { ModelHost } from "./model-host.ts";

export const modelFlows = (host: ModelHost): FlowStore =>
  gatewayFlows({ bind: (sessionKey) => host.bind(sessionKey), hostConfig: () => ({}) });

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
  /** What the log says of defects. */
  readonly defects: readonly string[];
  readonly close: () => Promise<void>;
};

/** Deadlines in milliseconds: for a body, for taking an answer, and for the end of a refused body. */
export type Deadlines = { readonly body?: number; readonly send?: number; readonly linger?: number };

const ignore = (): void => undefined;

/** Starts the server on a free loopback port. */
export const startServer = async (
  config: unknown,
  store: FlowStore,
  deadlines: Deadlines = {},
): Promise<TestServer> => {
  const limits = new MemoryLimits();
  const defects: string[] = [];
  const { routes } = loadConfig(config, nodePrimitives.sha256);
  const clock = (): number => performance.now();
  const { locate, handle } = createBridge({
    routes: () => routes,
    store,
    limits,
    primitives: nodePrimitives,
    clock,
    log: new Log({ info: ignore, warn: ignore, error: (line) => defects.push(line) }, clock),
  });
  const server: Server = createServer((request, response) => {
    void handle(
      locate(headOf(request, () => clientOf(request), recordedHeader(request))),
      (limits, ticket) => readBody(request, { ...limits, deadlineMs: deadlines.body ?? limits.deadlineMs }, ticket),
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
