// Which client a request comes from, as the Gateway attributes it: X-Forwarded-For counts only behind a trusted proxy.

import type { IncomingMessage } from "node:http";
import { tailOf } from "../node/client.ts";
import { type ProxyTrust, proxyTrust } from "./snapshot.ts";

type ResolveClientIp = (
  request: IncomingMessage,
  trustedProxies: ProxyTrust["trustedProxies"],
  allowRealIpFallback: boolean,
) => unknown;

/** Not a literal, for the package is not there at build time; the Gateway provides it at run time. */
const INGRESS: string = "openclaw/plugin-sdk/webhook-ingress";

const isResolver = (value: unknown): value is ResolveClientIp => typeof value === "function";

const importResolver = async (): Promise<ResolveClientIp | undefined> => {
  try {
    const ingress: { readonly resolveRequestClientIp?: unknown } = await import(INGRESS);
    return isResolver(ingress.resolveRequestClientIp) ? ingress.resolveRequestClientIp : undefined;
  } catch {
    return undefined;
  }
};

const FORWARDING = ["x-forwarded-for", "x-real-ip"];

const isWhole = (value: string): boolean => tailOf(value) === value;

//= LIMIT-7
/** The request, with its forwarding headers cut when they are too long. */
export const bounded = (request: IncomingMessage): IncomingMessage => {
  const long = FORWARDING.filter((name) => !isWhole(String(request.headers[name] ?? "")));
  if (long.length === 0) return request;
  const cut = Object.fromEntries(long.map((name) => [name, tailOf(String(request.headers[name]))]));
  const view: IncomingMessage = Object.create(request, { headers: { value: { ...request.headers, ...cut } } });
  return view;
};

/** The address of a request's client; undefined when its socket has none. */
export type AttributeClient = (request: IncomingMessage) => string | undefined;

//= LIMIT-8
/** Resolves to the Gateway's attribution, or to the socket's address after telling `onMissing` that it is not there. */
export const loadAttribution = async (snapshot: () => unknown, onMissing: () => void): Promise<AttributeClient> => {
  const resolve = await importResolver();
  if (resolve === undefined) onMissing();
  return (request) => {
    const peer = request.socket.remoteAddress;
    if (resolve === undefined) return peer;
    try {
      const { trustedProxies, allowRealIpFallback } = proxyTrust(snapshot());
      const client = resolve(bounded(request), trustedProxies, allowRealIpFallback);
      return typeof client === "string" ? client : peer;
    } catch {
      return peer;
    }
  };
};
