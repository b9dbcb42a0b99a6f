// The bundled plugin and ours behind the same stand-in for the Gateway's API: the same host, the same configuration.

import type { IncomingMessage, ServerResponse } from "node:http";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BoundFlows, Canceller } from "../../adapters/managed-flows/api.ts";

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

const GATEWAY = join(import.meta.dirname, "..", "systems", "host", "node_modules", "openclaw", "dist");

/** What a Gateway does for its plugins: `openclaw/…` is its own package. */
const INSIDE = pathToFileURL(join(GATEWAY, "index.js")).href;
registerHooks({
  resolve: (specifier, context, next) =>
    next(specifier, specifier.startsWith("openclaw/") ? { ...context, parentURL: INSIDE } : context),
});

const ENTRIES = {
  bundled: (): Promise<Entry> => import(join(GATEWAY, "extensions", "webhooks", "index.js")),
  ours: (): Promise<Entry> => import("../../adapters/gateway/plugin.ts"),
} as const;

export type PluginName = keyof typeof ENTRIES;

export const PLUGINS: readonly PluginName[] = ["ours", "bundled"];

/** Registers the plugin with a Gateway of which only `host` does anything; the handler is the one for PATH. */
export const loadPlugin = async (name: PluginName, host: BoundFlows & Canceller, routes = 1): Promise<Handler> => {
  const registered: Registered[] = [];
  const pluginConfig = configOf(routes);
  const config = {
    gateway: { trustedProxies: ["127.0.0.1"] },
    plugins: { entries: { webhooks: { config: pluginConfig } } },
  };
  const bindSession = (): object => host;
  const managedFlows = { bindSession };
  const silent = (): void => undefined;
  const api: object = {
    id: "webhooks",
    registrationMode: "full",
    pluginConfig,
    config,
    logger: { info: silent, warn: silent, error: console.error },
    runtime: { config: { current: () => config }, tasks: { managedFlows, async: { managedFlows } } },
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
