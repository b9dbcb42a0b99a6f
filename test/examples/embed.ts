import { createServer, type Server } from "node:http";
import { err } from "neverthrow";
import { type Bridge, exchange } from "../../adapters/bridge/exchange.ts";
import { MemoryLimits } from "../../adapters/memory/limits.ts";
import { headOf, nodePrimitives, readBody, respond } from "../../adapters/node/index.ts";
import { createFlow, loadConfig, sha256, viewFlow } from "../../core/index.ts";

const { routes, problems } = loadConfig(
  { routes: { ci: { sessionKey: "ci", secret: process.env["CI_SECRET"] } } },
  sha256,
);
for (const problem of problems) console.warn(problem);

const bridge: Bridge = {
  limits: new MemoryLimits(),
  primitives: nodePrimitives,
  now: () => performance.now(),
  onDefect: (error) => console.error(error),
  host: {
    // Your store goes here: carry out `action` for the flows of `route.sessionKey`, answer with views.
    execute: async ({ route, action }) => {
      if (action.action !== "create_flow") return err("bad_host_answer");
      const flow = createFlow(crypto.randomUUID(), action, route.controllerId, Date.now());
      const view = viewFlow(flow).mapErr(() => "bad_host_answer" as const);
      return view.map((shown) => ({ kind: "created", flow: shown }) as const);
    },
  },
};

export const server: Server = createServer((request, response) => {
  const read = () => readBody(request);
  void exchange(bridge, routes, headOf(request), read, ({ reply }) => respond(request, response, reply));
}).listen(Number(process.env["PORT"] ?? 8080), "127.0.0.1");
