// The Gateway's own functions that run a plugin's code under a request and as a plugin, out of the installed package.

import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

export const GATEWAY_DIST: string = join(
  import.meta.dirname,
  "..",
  "systems",
  "host",
  "node_modules",
  "openclaw",
  "dist",
);

type RunInScope = <T>(scope: object, run: () => T, registry?: object) => T;

type Scopes = { readonly underRequest: RunInScope; readonly asPlugin: RunInScope };

/** The file that has them is named after its content, and their exports are single letters. */
const load = (): Scopes => {
  const file = readdirSync(GATEWAY_DIST).find((name) => /^gateway-request-scope-[\w-]+\.mjs$/u.test(name)) ?? "";
  const exported = createRequire(import.meta.url)(join(GATEWAY_DIST, file)) as Readonly<Record<string, unknown>>;
  const functionOf = (name: string): RunInScope => {
    const found = Object.values(exported).find((value) => typeof value === "function" && value.name === name);
    if (found === undefined) throw new Error(`this Gateway has no ${name}`);
    return found as RunInScope;
  };
  return {
    underRequest: functionOf("withPluginRuntimeGatewayRequestScope"),
    asPlugin: functionOf("withPluginRuntimePluginScope"),
  };
};

/** Loaded at the first use, because `--help` needs no Gateway. */
let scopes: Scopes | undefined;
const loaded = (): Scopes => (scopes ??= load());

const isWebchatConnect = (): boolean => false;
const REGISTRY = { plugins: [] };
const CONNECT = { minProtocol: 4, maxProtocol: 4, client: { id: "gateway-client", version: "internal" }, scopes: [] };

/** Runs under a request of which the Gateway has found the client out. */
export const runUnderRequest = <T>(clientIp: string, run: () => T): T =>
  loaded().underRequest(
    {
      client: { connId: `plugin-http:${clientIp}`, clientIp, connect: CONNECT },
      isWebchatConnect,
      context: {},
      pluginRegistry: REGISTRY,
      declaredProviderOwners: undefined,
      pluginId: "webhooks",
      pluginSource: "index.js",
      pluginOrigin: "global",
    },
    run,
  );

/** Runs what a plugin asks of the Gateway. */
export const runAsPlugin = <T>(run: () => T): T =>
  loaded().asPlugin({ pluginId: "webhooks", pluginSource: "index.js", pluginOrigin: "global" }, run, REGISTRY);
