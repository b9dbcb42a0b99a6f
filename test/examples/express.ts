import express from "express";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { createNodeListener } from "../../adapters/node/index.ts";

const webhooks = createNodeListener({
  config: { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"] } } },
  flows: memoryFlows(),
});

const app = express();
// Before every body parser, and without a path: below one, Express would cut it off from what the listener sees.
app.use(webhooks);
app.use(express.json());
app.post("/echo", (request, response) => void response.json(request.body));

export const server = app.listen(Number(process.env["PORT"] ?? 8080), "127.0.0.1");
