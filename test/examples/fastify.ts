import Fastify from "fastify";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { createNodeListener } from "../../adapters/node/index.ts";

const webhooks = createNodeListener({
  config: { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"] } } },
  flows: memoryFlows(),
});

const app = Fastify();
app.all("/plugins/webhooks/*", {
  // The first hook of a request, so that Fastify's parsers never see the body: the listener reads it itself.
  onRequest: (request, reply) => {
    reply.hijack();
    return webhooks(request.raw, reply.raw);
  },
  handler: () => undefined,
});
app.post("/echo", (request) => request.body);

await app.listen({ port: Number(process.env["PORT"] ?? 8080), host: "127.0.0.1" });
export const server = app.server;
