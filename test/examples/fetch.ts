import { serve } from "@hono/node-server";
import { createFetchHandler } from "../../adapters/fetch/index.ts";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";

const webhooks = createFetchHandler({
  config: { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"] } } },
  flows: memoryFlows(),
});

// Cloudflare Workers: only there can a client not write this header itself. Elsewhere the platform's second argument
// knows the address: Deno's `info.remoteAddr.hostname`, Bun's `server.requestIP(request)?.address`.
export default {
  fetch: (request: Request) => webhooks(request, { client: request.headers.get("cf-connecting-ip") ?? undefined }),
};

// Node.
export const server = serve({
  fetch: (request, { incoming }) => webhooks(request, { client: incoming.socket.remoteAddress }),
  port: Number(process.env["PORT"] ?? 8080),
  hostname: "127.0.0.1",
});
