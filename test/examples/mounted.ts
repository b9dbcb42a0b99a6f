import { getConnInfo } from "@hono/node-server/conninfo";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { createFetchHandler } from "../../adapters/fetch/index.ts";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { createNodeListener } from "../../adapters/node/index.ts";

const options = {
  config: { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"] } } },
  flows: memoryFlows(),
  basePath: "/api",
};

export const expressApp: express.Express = express();
expressApp.use("/api", createNodeListener(options));

export const fastifyApp = Fastify();
fastifyApp.register(
  (api, _, done) => {
    const webhooks = createNodeListener(options);
    api.all("/plugins/webhooks/*", {
      onRequest: (request, reply) => {
        reply.hijack();
        return webhooks(request.raw, reply.raw);
      },
      handler: () => undefined,
    });
    done();
  },
  { prefix: "/api" },
);

const handler = createFetchHandler(options);
export const honoApp = new Hono().basePath("/api");
honoApp.all("/plugins/webhooks/*", (c) => handler(c.req.raw, { client: getConnInfo(c).remote.address }));
