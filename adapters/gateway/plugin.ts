// The Gateway plugin: registers the routes and joins the core to the Gateway's HTTP surface and flow API.

import type { IncomingMessage, ServerResponse } from "node:http";
import { type Config, DEFAULT_PREFIX } from "../../core/index.ts";
import { type Bridge, exchange } from "../bridge/exchange.ts";
import type { Binding } from "../managed-flows/api.ts";
import { createFlowHost } from "../bridge/execute.ts";
import { Log } from "../bridge/log.ts";
import { scrub } from "../bridge/scrub.ts";
import { gatewayFlows } from "../managed-flows/store.ts";
import { MemoryLimits } from "../limits/memory.ts";
import { headOf, nodePrimitives, readBody, respond } from "../node/index.ts";
import { type AttributeClient, loadAttribution } from "./client.ts";
import type { HttpHandler, PluginApi, ServiceHealth } from "./api.ts";
import { LiveRoutes, type LiveRoutesOptions } from "./live-routes.ts";
import { readSnapshot } from "./snapshot.ts";

const now = (): number => performance.now();

/** The asynchronous binding where the host has it; `cancel` is the synchronous one's in every version. */
const bindFlows =
  ({ tasks }: PluginApi["runtime"]) =>
  (sessionKey: string): Binding => {
    const { managedFlows } = tasks.async ?? tasks;
    return {
      flows: managedFlows.bindSession({ sessionKey }),
      canceller: () => tasks.managedFlows.bindSession({ sessionKey }),
    };
  };

const isBelow = (path: string): boolean => path.startsWith(`${DEFAULT_PREFIX}/`) || path === DEFAULT_PREFIX;

/** One prefix route for all paths below the default one, exact routes for those elsewhere (design: O(1) registrations). */
const registerPaths = (api: PluginApi, { paths }: Config, handler: HttpHandler): void => {
  const all = [...paths.keys()];
  if (all.some(isBelow)) api.registerHttpRoute({ path: DEFAULT_PREFIX, auth: "plugin", match: "prefix", handler });
  for (const path of all.filter((candidate) => !isBelow(candidate))) {
    api.registerHttpRoute({ path, auth: "plugin", match: "exact", handler });
  }
};

type Serving = {
  readonly bridge: Bridge;
  readonly live: LiveRoutes;
  readonly attribute: AttributeClient;
  readonly log: Log;
};

/** What the Gateway is told of a request that it may go on with. */
const NOT_OURS = Promise.resolve(false);

const serve = (
  { bridge, live, attribute, log }: Serving,
  snapshot: unknown,
  request: IncomingMessage,
  response: ServerResponse,
): ReturnType<HttpHandler> => {
  const head = headOf(request, () => attribute(request, snapshot));
  // a path that is no route's is delivered before anything waits
  let isOurs = true;
  const done = exchange(
    bridge,
    live.current(snapshot).routes,
    head,
    () => readBody(request),
    ({ reply, audit }) => {
      isOurs = audit.code !== "route_not_found";
      if (!isOurs) return undefined;
      log.audit(audit);
      return respond(request, response, reply);
    },
  );
  return isOurs ? done : NOT_OURS;
};

/** What `openclaw health` shows of routes that are configured and do not live. */
class RouteHealth {
  #health: ServiceHealth | undefined;
  #broken: readonly string[] = [];

  attach(health: ServiceHealth | undefined): void {
    this.#health = health;
    this.update(this.#broken);
  }

  update(broken: readonly string[]): void {
    this.#broken = broken;
    try {
      if (broken.length === 0) this.#health?.clearFailure();
      else this.#health?.reportFailure(new Error(broken.join(" ")));
    } catch {
      // the log has the same lines
    }
  }
}

const start = (api: PluginApi, log: Log): void => {
  const { runtime } = api;
  const current = (): unknown => runtime.config.current();
  const health = new RouteHealth();
  const onProblems: LiveRoutesOptions["onProblems"] = (broken, added, solved) => {
    for (const line of added) log.write("warn", line);
    for (const line of solved) log.write("info", `solved: ${line}`);
    health.update(broken);
  };
  const live = new LiveRoutes({ sha256: nodePrimitives.sha256, onProblems }, api.pluginConfig);
  const bridge: Bridge = {
    limits: new MemoryLimits(),
    host: createFlowHost({
      store: gatewayFlows({ bind: bindFlows(runtime), hostConfig: current }),
      warn: (line, topic) => log.warnSometimes(line, topic),
    }),
    primitives: nodePrimitives,
    now,
    onDefect: (error) => log.write("error", `defect, please report it: ${scrub(error, [])}`),
  };
  const attribution = loadAttribution(() =>
    log.write("warn", "this Gateway offers no client attribution; all clients behind one proxy share a rate limit"),
  );
  let serving: Serving | undefined;
  const ready = attribution.then((attribute): Serving => (serving = { bridge, live, attribute, log }));
  const handler: HttpHandler = (request, response) => {
    const handle = (by: Serving): ReturnType<HttpHandler> => serve(by, readSnapshot(current), request, response);
    return serving === undefined ? ready.then(handle) : handle(serving);
  };
  api.registerService({
    id: "webhooks",
    start: ({ serviceHealth }) => {
      live.resume();
      health.attach(serviceHealth);
    },
    stop: () => {
      live.dispose();
      health.attach(undefined);
    },
  });
  api.lifecycle?.onDispose?.(() => live.dispose());
  registerPaths(api, live.known, handler);
};

/** Called several times per process by the Gateway; only the mode `full` serves requests. Never throws. */
const register = (api: PluginApi): void => {
  try {
    if (api.registrationMode !== "full") return;
    const log = new Log(api.logger, now);
    try {
      start(api, log);
    } catch {
      log.write("error", "could not start on this Gateway. It needs OpenClaw 2026.8.2 or later");
    }
  } catch {
    // no logger to say it to; a throw would leave the Gateway without either plugin
  }
};

export default {
  id: "webhooks",
  name: "Webhooks",
  description: "Authenticated webhook routes that let outside systems create and drive TaskFlows.",
  register,
};
