import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { Hono } from "hono";
import { createFetchHandler } from "../../adapters/fetch/index.ts";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";

const webhooks = createFetchHandler({
  config: { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"] } } },
  flows: memoryFlows(),
});

const app = new Hono();
app.all("/plugins/webhooks/*", (c) => webhooks(c.req.raw, { client: getConnInfo(c).remote.address }));
app.post("/echo", async (c) => c.json(await c.req.json()));

export const server = serve({ fetch: app.fetch, port: Number(process.env["PORT"] ?? 8080), hostname: "127.0.0.1" });
