// The Gateway plugin: registers the routes and joins the core to the Gateway's HTTP surface and flow API.

import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import { type Config, DEFAULT_PREFIX } from "../../core/index.ts";
import { createBridge, type Deliver, isOurs } from "../bridge/bridge.ts";
import { Log } from "../bridge/log.ts";
import { MemoryLimits } from "../limits/memory.ts";
import type { Binding } from "../managed-flows/api.ts";
import { ClaimsFile } from "../managed-flows/claims-file.ts";
import { PluginFile } from "../managed-flows/plugin-file.ts";
import { gatewayFlows } from "../managed-flows/store.ts";
import { bodyReader, headOf, isBehindClose, isGone, nodePrimitives, onGone, respond } from "../node/index.ts";
import { AgentRuns } from "./agent-runs.ts";
import { FLOW_TOOL } from "./agents.ts";
import { flowTool } from "./flow-tool.ts";
import type { HttpHandler, PluginApi, ServiceHealth } from "./api.ts";
import { gatewayClient, type SnapshotClientOf } from "./client.ts";
import { GatewayCallbacks } from "./callbacks.ts";
import { recordedHeader } from "./head.ts";
import { LiveRoutes, type LiveRoutesOptions } from "./live-routes.ts";
import { RequestWatch } from "./request-watch.ts";
import { readSnapshot } from "./snapshot.ts";

const clock = (): number => performance.now();

/** The asynchronous binding where the Gateway has it; `cancel` is the synchronous one's in every version. */
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

/** The folder of the plugin's own below the Gateway's state, which the manifest declares as a backup resource. */
const stateFolder = ({ state }: PluginApi["runtime"]): string => {
  if (state === undefined) throw new Error("this Gateway names no folder for its state");
  return join(state.resolveStateDir(process.env), "openclaw-webhooks");
};

//= ONCE-7
/** Opened by the first request that has a key, so that an operator who never gets one has no file. */
const pluginFileOf = (runtime: PluginApi["runtime"]): PluginFile =>
  new PluginFile({ file: () => join(stateFolder(runtime), "deliveries.sqlite") });

/** One prefix route for all paths below the default one, exact routes for those elsewhere so that 10,000 routes are one registration. */
const registerPaths = (api: PluginApi, { paths }: Config, handler: HttpHandler): void => {
  const all = [...paths.keys()];
  if (all.some(isBelow)) api.registerHttpRoute({ path: DEFAULT_PREFIX, auth: "plugin", match: "prefix", handler });
  for (const path of all.filter((candidate) => !isBelow(candidate))) {
    api.registerHttpRoute({ path, auth: "plugin", match: "exact", handler });
  }
};

/** Shows in `openclaw health` which configured routes do not live, and which callbacks are not delivered. */
class RouteHealth {
  #health: ServiceHealth | undefined;
  #broken: readonly string[] = [];
  #untold: readonly string[] = [];

  attach(health: ServiceHealth | undefined): void {
    this.#health = health;
    this.#update();
  }

  update(broken: readonly string[]): void {
    this.#broken = broken;
    this.#update();
  }

  /** Routes whose callbacks are not delivered. */
  updateUntold(untold: readonly string[]): void {
    this.#untold = untold;
    this.#update();
  }

  #update(): void {
    const lines = [...this.#broken, ...this.#untold];
    try {
      if (lines.length === 0) this.#health?.clearFailure();
      else this.#health?.reportFailure(new Error(lines.join(" ")));
    } catch {
      // the log has the same lines
    }
  }
}

/** What the Gateway is told of a request that it may go on with. */
const NOT_OURS = Promise.resolve(false);

/** What the Gateway is told of a request that nobody can get an answer to. */
const DROPPED = Promise.resolve(true);

const start = (api: PluginApi, log: Log): void => {
  const { runtime } = api;
  // held, because the Gateway looks each member of its runtime up anew
  const { config } = runtime;
  const current = (): unknown => config.current();
  const health = new RouteHealth();
  let callbacks: GatewayCallbacks | undefined;
  let watch: RequestWatch | undefined;
  const onProblems: LiveRoutesOptions["onProblems"] = (broken, added, solved) => {
    for (const line of added) log.write("warn", line);
    for (const line of solved) log.write("info", `solved: ${line}`);
    health.update(broken);
    callbacks?.follow();
    watch?.follow();
  };
  const onRules: LiveRoutesOptions["onRules"] = (added) => {
    for (const line of added) log.write("info", line);
  };
  const live = new LiveRoutes({ sha256: nodePrimitives.sha256, onProblems, onRules }, api.pluginConfig);
  const follow = (): void => live.follow(readSnapshot(current));
  const file = pluginFileOf(runtime);
  const flows = gatewayFlows({
    bind: bindFlows(runtime),
    hostConfig: current,
    claims: new ClaimsFile(file),
    onRun: () => agents.wake(),
  });
  const agents = new AgentRuns({
    runtime,
    outside: AsyncLocalStorage.snapshot(),
    live,
    follow,
    hostConfig: current,
    file,
    flows,
    log,
  });
  callbacks = new GatewayCallbacks({
    config: () => live.config,
    refresh: follow,
    bind: bindFlows(runtime),
    file,
    changes: flows.changes,
    log,
    onProblems: (lines) => health.updateUntold(lines),
  });
  watch = new RequestWatch({ config: () => live.config, folder: () => stateFolder(runtime), log });
  const { locate, handle, endWaits, resumeWaits } = createBridge({
    routes: () => live.config.routes,
    store: flows,
    limits: new MemoryLimits(),
    primitives: nodePrimitives,
    clock,
    log,
    get onEvent() {
      return watch.onEvent;
    },
  });
  const serveBy =
    (clientOf: SnapshotClientOf): HttpHandler =>
    (request, response) => {
      if (isBehindClose(response)) return DROPPED;
      const snapshot = readSnapshot(current);
      live.follow(snapshot);
      const location = locate(headOf(request, () => clientOf(request, snapshot), recordedHeader(request)));
      if (!isOurs(location)) return NOT_OURS;
      if (isGone(request)) return DROPPED;
      const deliver: Deliver = ({ reply }) => respond(request, response, reply);
      return handle(location, bodyReader(request, response), deliver, response, onGone);
    };
  let serve: HttpHandler | undefined;
  const ready = gatewayClient(() =>
    log.write("warn", "this Gateway offers no client attribution; all clients behind one proxy share a rate limit"),
  ).then((clientOf) => (serve = serveBy(clientOf)));
  const handler: HttpHandler = (request, response) =>
    serve === undefined ? ready.then((begun) => begun(request, response)) : serve(request, response);
  const end = (): void => {
    live.dispose();
    endWaits();
    watch.end();
    // what ends late may have opened the file again
    void Promise.all([agents.stop(), callbacks.stop()]).then(() => file.close());
  };
  api.registerService({
    id: "webhooks",
    start: ({ serviceHealth }) => {
      live.resume();
      resumeWaits();
      watch.resume();
      agents.start();
      callbacks.start();
      health.attach(serviceHealth);
    },
    stop: () => {
      end();
      health.attach(undefined);
    },
  });
  api.lifecycle?.onDispose?.(end);
  registerPaths(api, live.config, handler);
};

//= RUN-9
/** In every mode, because the Gateway makes tools in one of its own. Agents get it only in turns that runs have begun. */
const offerTool = (api: PluginApi): void => {
  // boundary: the Gateway's own type of a tool has more members, all optional.
  api.registerTool?.((context) => flowTool(context) as never, { name: FLOW_TOOL, optional: true });
};

/** Called several times per process by the Gateway; only the mode `full` serves requests. Never throws. */
const register = (api: PluginApi): void => {
  try {
    offerTool(api);
    if (api.registrationMode !== "full") return;
    const log = new Log(api.logger, clock);
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
