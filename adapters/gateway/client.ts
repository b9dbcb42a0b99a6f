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

const isSameTrust = (a: ProxyTrust, b: ProxyTrust): boolean =>
  a.allowRealIpFallback === b.allowRealIpFallback &&
  a.trustedProxies.length === b.trustedProxies.length &&
  a.trustedProxies.every((entry, index) => entry === b.trustedProxies[index]);

/** The Gateway's function, asked once for the same addresses: parsing them costs more than all else before the secret. */
class Remembered {
  readonly #resolve: ResolveClientIp;
  readonly #known = new Map<string, string | undefined>();
  #trust: ProxyTrust = { trustedProxies: [], allowRealIpFallback: false };

  constructor(resolve: ResolveClientIp) {
    this.#resolve = resolve;
  }

  /** What is remembered holds for one trust only. */
  trust(trust: ProxyTrust): void {
    if (isSameTrust(trust, this.#trust)) return;
    this.#known.clear();
    this.#trust = trust;
  }

  ask(peer: string | undefined, hop: string, real: string): string | undefined {
    const key = `${peer ?? ""}\n${hop}\n${real}`;
    if (this.#known.has(key)) return this.#known.get(key);
    const sender = { socket: { remoteAddress: peer }, headers: { "x-forwarded-for": hop, "x-real-ip": real } };
    const { trustedProxies, allowRealIpFallback } = this.#trust;
    // a copy, for what is remembered is compared with the list as it was
    const said = this.#resolve(sender, [...trustedProxies], allowRealIpFallback);
    const client = typeof said === "string" ? said : undefined;
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, client);
    return client;
  }
}

/**
 * Attribution by `resolve`: the right-most hop that it takes for a client, or the one of X-Real-IP where that counts. The
 * hops are asked for one by one from the right, where proxies write, so that what a client wrote before them costs nothing.
 */
export const attributionBy = (resolve: ResolveClientIp): AttributeClient => {
  const remembered = new Remembered(resolve);
  return (request, snapshot) => {
    const made = resolve(NOBODY, [], false);
    if (typeof made === "string") return made;
    remembered.trust(proxyTrust(snapshot));
    const peer = request.socket.remoteAddress;
    const hops = forwarded(request, "x-forwarded-for").split(",");
    for (let hop = hops.pop(); hop !== undefined; hop = hops.pop()) {
      const client = hop === "" ? undefined : remembered.ask(peer, hop, "");
      if (client !== undefined) return client;
    }
    return remembered.ask(peer, "", forwarded(request, "x-real-ip")) ?? peer;
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
