import { createServer } from "node:http";
import { memoryFlows } from "../../adapters/flows/memory/index.ts";
import { createNodeListener, startCallbacks } from "../../adapters/node/index.ts";

const notify = { url: process.env["CALLBACK_URL"], secret: process.env["CALLBACK_SECRET"] };
const options = {
  config: { routes: { ci: { sessionKey: "agent:main:ci", secret: process.env["CI_SECRET"], notify } } },
  flows: memoryFlows(),
};

const callbacks = startCallbacks(options);
export const server = createServer(createNodeListener(options))
  .listen(Number(process.env["PORT"] ?? 8080), "127.0.0.1")
  .on("close", () => void callbacks.stop());
