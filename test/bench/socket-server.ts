// One server of the race, in a process of its own: `socket-server.ts <contestant> <scenario>`. Says its port, and its CPU
// time whenever it is asked.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { bareHandler } from "./bare.ts";
import { skewClocks, tick } from "./clock.ts";
import { exhaust } from "./in-process.ts";
import { type Handler, loadPlugin } from "./plugins.ts";
import { type Scenario, scenarioOf } from "./scenarios.ts";
import { FreshAnswers } from "./stand-in-gateway.ts";

const [contestant, named] = process.argv.slice(2);

const handlerOf = async (scenario: Scenario): Promise<Handler> => {
  const answers = new FreshAnswers(scenario.host?.gives);
  if (contestant !== "ours" && contestant !== "bundled") return bareHandler(scenario, answers);
  skewClocks();
  const handler = await loadPlugin(contestant, answers);
  if (scenario.status === 429) {
    await exhaust(handler, scenario);
    return handler;
  }
  return (request, response) => {
    tick(scenario.clients);
    return handler(request, response);
  };
};

const handler = await handlerOf(scenarioOf(named));
const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (request, response) => {
  void handler(request, response);
});
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on("message", () => process.send?.(process.cpuUsage()));
process.on("disconnect", () => process.exit());
