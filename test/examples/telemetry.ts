import { createServer } from "node:http";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { createNodeListener } from "../../adapters/node/index.ts";
import { telemetry } from "../../adapters/otel/index.ts";

const webhooks = createNodeListener({
  config: { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"] } } },
  flows: memoryFlows(),
  onEvent: telemetry(),
});

export const server = createServer(webhooks).listen(Number(process.env["PORT"] ?? 8080), "127.0.0.1");
