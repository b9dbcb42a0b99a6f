// The bundled plugin and ours behind the same stand-in for the Gateway's API: the same host, the same configuration.

import type { IncomingMessage, ServerResponse } from "node:http";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { GATEWAY_DIST, runUnderRequest } from "./gateway-scope.ts";
import { type FreshAnswers, standInRuntime } from "./stand-in-gateway.ts";

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export const SECRET = "bench-secret-0123456789abcdef";
export const PATH = "/plugins/webhooks/bench";
export const SESSION = "agent:main:bench";

/** `count` routes; the first is the one that is asked. */
export const configOf = (count: number): { readonly routes: Readonly<Record<string, object>> } => ({
  routes: Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      index === 0 ? "bench" : `bench-${String(index)}`,
      { sessionKey: SESSION, secret: index === 0 ? SECRET : `${SECRET}-${String(index)}` },
    ]),
  ),
});

type Registered = { readonly path: string; readonly match?: string; readonly handler: Handler };

/** A plugin's entry point, as its module exports it. */
type Entry = { readonly default: { readonly register: (api: never) => unknown } };

/** What a Gateway does for its plugins: `openclaw/…` is its own package. */
const INSIDE = pathToFileURL(join(GATEWAY_DIST, "index.js")).href;
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, specifier.startsWith("openclaw/") ? { ...context, parentURL: INSIDE } : context),
});

const ENTRIES = {
  bundled: (): Promise<Entry> => import(join(GATEWAY_DIST, "extensions", "webhooks", "index.js")),
  ours: (): Promise<Entry> => import("../../adapters/gateway/plugin.ts"),
} as const;

export type PluginName = keyof typeof ENTRIES;

export const PLUGINS: readonly PluginName[] = ["ours", "bundled"];

/** Registers the plugin with a stand-in for the Gateway, whose flows give `answers`; the handler is the one for PATH. */
export const loadPlugin = async (name: PluginName, answers: FreshAnswers, routes = 1): Promise<Handler> => {
  const registered: Registered[] = [];
  const pluginConfig = configOf(routes);
  const config = {
    gateway: { trustedProxies: ["127.0.0.1"] },
    plugins: { entries: { webhooks: { config: pluginConfig } } },
  };
  const silent = (): void => undefined;
  const api: object = {
    id: "webhooks",
    registrationMode: "full",
    pluginConfig,
    config,
    logger: { info: silent, warn: silent, error: console.error },
    runtime: standInRuntime(answers, config),
    registerHttpRoute: (route: Registered) => registered.push(route),
    registerService: silent,
    lifecycle: { onDispose: silent },
  };
  const { default: entry } = await ENTRIES[name]();
  await entry.register(api as never);
  const found = registered.find(({ path, match }) => path === PATH || (match === "prefix" && PATH.startsWith(path)));
  if (found === undefined) throw new Error(`${name} registered no route for ${PATH}`);
  return found.handler;
};

/** Runs the handler as the Gateway does: who the client is has been found out before. */
export const underRequestScope =
  (handler: Handler): Handler =>
  (request, response) =>
    runUnderRequest(String(request.headers["x-forwarded-for"]), () => handler(request, response));
