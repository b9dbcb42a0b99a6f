import { createBridge, Log, MemoryLimits } from "../../adapters/bridge/index.ts";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { nodePrimitives } from "../../adapters/node/index.ts";
import { loadConfig, ok } from "../../core/index.ts";

/** A request as your platform gives it: here to a function of a cloud provider. */
type Incoming = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly sourceIp: string;
};
type Outgoing = { readonly statusCode: number; readonly headers: object; readonly body: string };

const config = { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"] } } };
const { routes } = loadConfig(config, nodePrimitives.sha256);
const clock = (): number => performance.now();

const bridge = createBridge({
  routes: () => routes,
  store: memoryFlows(),
  limits: new MemoryLimits(),
  primitives: nodePrimitives,
  clock,
  log: new Log(console, clock),
});

export const handler = ({ method, path, headers, body, sourceIp }: Incoming): Promise<Outgoing> =>
  new Promise((resolve) => {
    const header = (name: string): string | undefined => headers[name];
    const location = bridge.locate({ method, target: path, header, client: sourceIp, peer: sourceIp });
    void bridge.handle(
      location,
      () => Promise.resolve(ok(new TextEncoder().encode(body))),
      ({ reply }) => resolve({ statusCode: reply.status, headers: reply.headers, body: reply.body }),
    );
  });
