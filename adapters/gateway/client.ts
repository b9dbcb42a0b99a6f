// Which client a request comes from, as the Gateway attributes it: X-Forwarded-For counts only behind a trusted proxy.

import type { IncomingMessage } from "node:http";
import { tailOf } from "../node/client.ts";
import { type ProxyTrust, proxyTrust } from "./snapshot.ts";

/** As much of a request as an attribution needs. */
type Sender = {
  readonly socket: { readonly remoteAddress: string | undefined };
  readonly headers: Readonly<Record<string, string>>;
};

type ResolveClientIp = (
  sender: Sender,
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

//= LIMIT-7
const forwarded = ({ headers }: IncomingMessage, name: string): string => tailOf(String(headers[name] ?? ""));

/** The address of a request's client, by the trust that the live `snapshot` states; undefined when its socket has none. */
export type AttributeClient = (request: IncomingMessage, snapshot: unknown) => string | undefined;

/** Says nothing of itself, so that an attribution of it is one that the Gateway has made for the request at hand. */
const NOBODY: Sender = { socket: { remoteAddress: undefined }, headers: {} };

/** Answers that are remembered; when there are more, all start afresh. */
const MAX_REMEMBERED = 1024;

/** The Gateway's function, asked once for the same addresses: parsing them costs more than all else before the secret. */
const remembering = (resolve: ResolveClientIp) => {
  const known = new Map<string, string | undefined>();
  let trusted = "";
  return (peer: string | undefined, hop: string, real: string, snapshot: unknown): string | undefined => {
    const { trustedProxies, allowRealIpFallback } = proxyTrust(snapshot);
    const trust = `${trustedProxies.join("\n")}\n${String(allowRealIpFallback)}`;
    if (trust !== trusted) known.clear();
    trusted = trust;
    const key = `${peer ?? ""}\n${hop}\n${real}`;
    if (known.has(key)) return known.get(key);
    const sender = { socket: { remoteAddress: peer }, headers: { "x-forwarded-for": hop, "x-real-ip": real } };
    const said = resolve(sender, trustedProxies, allowRealIpFallback);
    const client = typeof said === "string" ? said : undefined;
    if (known.size >= MAX_REMEMBERED) known.clear();
    known.set(key, client);
    return client;
  };
};

/**
 * Attribution by `resolve`: the right-most hop that it takes for a client, or the one of X-Real-IP where that counts. The
 * hops are asked for one by one from the right, where proxies write, so that what a client wrote before them costs nothing.
 */
export const attributionBy = (resolve: ResolveClientIp): AttributeClient => {
  const ask = remembering(resolve);
  return (request, snapshot) => {
    const made = resolve(NOBODY, [], false);
    if (typeof made === "string") return made;
    const peer = request.socket.remoteAddress;
    for (const hop of forwarded(request, "x-forwarded-for").split(",").toReversed()) {
      const client = hop === "" ? undefined : ask(peer, hop, "", snapshot);
      if (client !== undefined) return client;
    }
    return ask(peer, "", forwarded(request, "x-real-ip"), snapshot) ?? peer;
  };
};

//= LIMIT-8
/** Resolves to the Gateway's attribution, or to the socket's address after telling `onMissing` that it is not there. */
export const loadAttribution = async (onMissing: () => void): Promise<AttributeClient> => {
  const resolve = await importResolver();
  if (resolve === undefined) onMissing();
  const attribute = resolve === undefined ? undefined : attributionBy(resolve);
  return (request, snapshot) => {
    try {
      return attribute === undefined ? request.socket.remoteAddress : attribute(request, snapshot);
    } catch {
      return request.socket.remoteAddress;
    }
  };
};
