// The Gateway's own module for webhooks, as much of it as this plugin uses. Any part of it may be missing.

import type { HttpHandler } from "./api.ts";
import { importSdk } from "./sdk.ts";

/** As much of a request as the Gateway's resolver reads. */
export type Sender = {
  readonly socket: { readonly remoteAddress: string | undefined };
  readonly headers: Readonly<Record<string, string>>;
};

export type ResolveClientIp = (sender: Sender, trustedProxies: string[], allowRealIpFallback: boolean) => unknown;

/** A path that is registered while the Gateway runs. */
export type LateRoute = {
  readonly path: string;
  readonly auth: "plugin";
  readonly match: "exact";
  readonly handler: HttpHandler;
  readonly pluginId: string;
  /** Tells apart who registered it within one plugin. */
  readonly source: string;
  readonly throwOnFailure: boolean;
};

/** Returns what removes the path again. Throws where the path is not granted, if `throwOnFailure`. */
export type RegisterLate = (route: LateRoute) => () => void;

export type Ingress = {
  readonly resolveRequestClientIp?: ResolveClientIp | undefined;
  readonly registerPluginHttpRoute?: RegisterLate | undefined;
};

const isResolver = (value: unknown): value is ResolveClientIp => typeof value === "function";
const isRegistrar = (value: unknown): value is RegisterLate => typeof value === "function";

/** Never rejects. */
export const importIngress = async (): Promise<Ingress> => {
  const { resolveRequestClientIp, registerPluginHttpRoute } = await importSdk("webhook-ingress");
  return {
    resolveRequestClientIp: isResolver(resolveRequestClientIp) ? resolveRequestClientIp : undefined,
    registerPluginHttpRoute: isRegistrar(registerPluginHttpRoute) ? registerPluginHttpRoute : undefined,
  };
};
