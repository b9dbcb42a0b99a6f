// The Gateway plugin: registers the routes and joins the core to the Gateway's HTTP surface and flow API.

import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import type { RequestEvent } from "../../core/index.ts";
import { createBridge, type Deliver, isOurs } from "../bridge/bridge.ts";
import { Log } from "../bridge/log.ts";
import { newLines } from "../bridge/rule-lines.ts";
import { linesIn, told, type Told } from "../bridge/told.ts";
import { MemoryLimits } from "../limits/memory.ts";
import type { Binding } from "../managed-flows/api.ts";
import { ClaimsFile } from "../managed-flows/claims-file.ts";
import { PluginFile } from "../managed-flows/plugin-file.ts";
import { gatewayFlows } from "../managed-flows/store.ts";
import { bodyReader, headOf, isBehindClose, isGone, nodePrimitives, onGone, respond } from "../node/index.ts";
import { AgentRuns } from "./agent-runs.ts";
import { FLOW_TOOL, importFence } from "./agents.ts";
import { flowTool } from "./flow-tool.ts";
import type { HttpHandler, PluginApi } from "./api.ts";
import { offerCommand, offerStatus } from "./command.ts";
import { gatewayClient, type SnapshotClientOf } from "./client.ts";
import { GatewayCallbacks } from "./callbacks.ts";
import { recordedHeader } from "./head.ts";
import { Health } from "./health.ts";
import { importIngress } from "./ingress.ts";
import { liveLine, LiveRoutes, type LiveRoutesOptions } from "./live-routes.ts";
import { GatewayPaths } from "./paths.ts";
import { RequestWatch } from "./request-watch.ts";
import { importScopes } from "./scopes.ts";
import { readSnapshot } from "./snapshot.ts";
import { Activity } from "../status/activity.ts";
import { createStatus } from "../status/document.ts";
import { offerStatusPage } from "./status-page.ts";
import { ConfigWatch } from "./watch.ts";

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

/** The folder of the plugin's own below the Gateway's state, which the manifest declares as a backup resource. */
const stateFolder = ({ state }: PluginApi["runtime"]): string => {
  if (state === undefined) throw new Error("this Gateway names no folder for its state");
  return join(state.resolveStateDir(process.env), "openclaw-webhooks");
};

//= ONCE-7
/** Opened by the first request that has a key, so that an operator who never gets one has no file. */
const pluginFileOf = (runtime: PluginApi["runtime"]): PluginFile =>
  new PluginFile({ file: () => join(stateFolder(runtime), "deliveries.sqlite") });

/** What an edit may change without a replacement of the plugin, during which all its routes would answer 500. */
const FOLLOWED = ["plugins.entries.webhooks.config"];

//= RELOAD-1
/** The live configuration is followed; `enabled` and the rest of the entry still end or replace the plugin. */
const keepOnEdit = (api: PluginApi): void => {
  try {
    api.registerReload?.({ hotPrefixes: FOLLOWED });
  } catch {
    // without it an edit replaces the plugin
  }
};

/** What the Gateway is told of a request that it may go on with. */
const NOT_OURS = Promise.resolve(false);

/** What the Gateway is told of a request that nobody can get an answer to. */
const DROPPED = Promise.resolve(true);

const start = (api: PluginApi, log: Log): void => {
  const { runtime } = api;
  // held, because the Gateway looks each member of its runtime up anew
  const { config } = runtime;
  const current = (): unknown => config.current();
  const health = new Health();
  const report = (added: readonly string[], solved: readonly string[]): void => {
    for (const line of added) log.write("warn", line);
    for (const line of solved) log.write("info", `solved: ${line}`);
  };
  const onProblems: LiveRoutesOptions["onProblems"] = (broken, added, solved) => {
    report(added, solved);
    health.set("routes", broken);
  };
  const onRules: LiveRoutesOptions["onRules"] = (added) => {
    for (const line of added) log.write("info", line);
  };
  let changed: (() => void) | undefined;
  const { sha256 } = nodePrimitives;
  const onChange = (): void => changed?.();
  const onUnreadable = (): void =>
    log.warnSometimes(
      "the Gateway's configuration cannot be read at the moment; the routes stay as they are",
      "snapshot",
    );
  const live = new LiveRoutes(
    { sha256, onProblems, onRules, onChange, onUnreadable },
    api.pluginConfig,
    readSnapshot(current),
  );
  const follow = (): void => live.follow(readSnapshot(current));
  const file = pluginFileOf(runtime);
  const flows = gatewayFlows({
    bind: bindFlows(runtime),
    hostConfig: current,
    claims: new ClaimsFile(file),
    canStart: () => agents.canStart(),
    onRun: () => agents.wake(),
  });
  const agents = new AgentRuns({
    runtime,
    importFence,
    outside: AsyncLocalStorage.snapshot(),
    live,
    follow,
    hostConfig: current,
    file,
    flows,
    log,
  });
  const callbacks = new GatewayCallbacks({
    config: () => live.config,
    refresh: follow,
    bind: bindFlows(runtime),
    file,
    changes: flows.changes,
    log,
    onProblems: (lines) => health.set("callbacks", lines),
  });
  const activity = new Activity();
  const requests = new RequestWatch({ config: () => live.config, folder: () => stateFolder(runtime), log });
  const onEvent = (event: RequestEvent): void => {
    activity.add(event);
    requests.onEvent?.(event);
  };
  const { locate, handle, endWaits, resumeWaits } = createBridge({
    routes: () => live.config.routes,
    store: flows,
    limits: new MemoryLimits(),
    primitives: nodePrimitives,
    clock,
    log,
    onEvent,
    whenKept: requests.whenKept,
  });
  let notGranted: readonly Told[] = [];
  const status = createStatus({
    config: () => live.config,
    activity,
    store: flows,
    told: () => [...live.config.problems.map((problem) => told(problem, liveLine(problem))), ...notGranted],
    callbacks: () => callbacks.problems(),
    runs: () => agents.standings(),
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
  const paths = new GatewayPaths({
    register: (route) => api.registerHttpRoute(route),
    ingress: importIngress(),
    handler,
    onProblems: (problems) => {
      const before = linesIn(notGranted);
      notGranted = problems.map((problem) => told(problem));
      const lines = linesIn(notGranted);
      report(newLines(new Set(lines), new Set(before)), newLines(new Set(before), new Set(lines)));
      health.set("paths", lines);
    },
  });
  changed = () => {
    paths.follow(live.config.paths);
    agents.follow();
    callbacks.follow();
    requests.follow();
  };
  const watch = new ConfigWatch(follow);
  const end = (): void => {
    watch.stop();
    paths.stop();
    live.dispose();
    endWaits();
    requests.end();
    // what ends late may have opened the file again
    void Promise.all([agents.stop(), callbacks.stop()]).then(() => file.close());
  };
  api.registerService({
    id: "webhooks",
    start: ({ serviceHealth }) => {
      live.resume();
      resumeWaits();
      requests.resume();
      paths.start();
      agents.start();
      callbacks.start();
      watch.start();
      health.attach(serviceHealth);
    },
    stop: () => {
      end();
      health.attach(undefined);
    },
  });
  api.lifecycle?.onDispose?.(end);
  paths.register(live.config.paths);
  keepOnEdit(api);
  offerStatusPage(api, status, importScopes());
  offerStatus(api, status);
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
    offerCommand(api);
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
