// Which client a request comes from, as the Gateway attributes it: X-Forwarded-For counts only behind a trusted proxy.

import type { IncomingMessage } from "node:http";
import { type ClientOf, tailOf } from "../node/client.ts";
import { importIngress, type ResolveClientIp, type Sender } from "./ingress.ts";
import { type ProxyTrust, proxyTrust } from "./snapshot.ts";

//= LIMIT-7
const forwarded = ({ headers }: IncomingMessage, name: string): string => tailOf(String(headers[name] ?? ""));

/** An empty sender. If the Gateway still names a client, it has already attributed this request. */
const NOBODY: Sender = { socket: { remoteAddress: undefined }, headers: {} };
const NO_PROXIES: string[] = [];

/** Answers that are remembered in each of two generations. */
const GENERATION = 8192;

const isSameTrust = (a: ProxyTrust, b: ProxyTrust): boolean =>
  a.allowRealIpFallback === b.allowRealIpFallback &&
  a.trustedProxies.length === b.trustedProxies.length &&
  a.trustedProxies.every((entry, index) => entry === b.trustedProxies[index]);

/** The Gateway's resolver, asked once for the same addresses: parsing them costs more than every other check before the secret. */
class Remembered {
  readonly #resolve: ResolveClientIp;
  /**
   * What was asked lately. When it is full it becomes the older generation, and that one is forgotten. An address stays in
   * its generation when it is seen again, so that up to twice as many addresses in turn are each asked for once.
   */
  #young = new Map<string, string | undefined>();
  #old = new Map<string, string | undefined>();
  #trust: ProxyTrust = { trustedProxies: [], allowRealIpFallback: false };

  constructor(resolve: ResolveClientIp) {
    this.#resolve = resolve;
  }

  /** What is remembered holds for one trust only. */
  trust(trust: ProxyTrust): void {
    if (isSameTrust(trust, this.#trust)) return;
    this.#young = new Map();
    this.#old = new Map();
    // a copy, because the Gateway may change its list in place
    this.#trust = { ...trust, trustedProxies: [...trust.trustedProxies] };
  }

  ask(peer: string | undefined, hop: string, real: string): string | undefined {
    const key = `${peer ?? ""}\n${hop}\n${real}`;
    if (this.#young.has(key)) return this.#young.get(key);
    if (this.#old.has(key)) return this.#old.get(key);
    const client = this.#asked(peer, hop, real);
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, client);
    return client;
  }

  #asked(peer: string | undefined, hop: string, real: string): string | undefined {
    const sender = { socket: { remoteAddress: peer }, headers: { "x-forwarded-for": hop, "x-real-ip": real } };
    const { trustedProxies, allowRealIpFallback } = this.#trust;
    const client = this.#resolve(sender, [...trustedProxies], allowRealIpFallback);
    return typeof client === "string" ? client : undefined;
  }
}

/** The address of a request's client, by the trust that the live `snapshot` states; undefined when its socket has none. */
export type SnapshotClientOf = (request: IncomingMessage, snapshot: unknown) => ReturnType<ClientOf>;

/**
 * The right-most hop that `resolve` takes for a client, or the one of X-Real-IP where that counts. The hops are asked for
 * one by one from the right, where proxies write, so that what a client wrote before them costs nothing.
 */
export const clientBy = (resolve: ResolveClientIp): SnapshotClientOf => {
  const remembered = new Remembered(resolve);
  return (request, snapshot) => {
    const attributed = resolve(NOBODY, NO_PROXIES, false);
    if (typeof attributed === "string") return attributed;
    remembered.trust(proxyTrust(snapshot));
    const peer = request.socket.remoteAddress;
    const hops = forwarded(request, "x-forwarded-for");
    for (let end = hops.length; end > 0;) {
      const comma = hops.lastIndexOf(",", end - 1);
      const hop = hops.slice(comma + 1, end);
      const client = hop === "" ? undefined : remembered.ask(peer, hop, "");
      if (client !== undefined) return client;
      end = comma;
    }
    return remembered.ask(peer, "", forwarded(request, "x-real-ip")) ?? peer;
  };
};

//= LIMIT-8
/** Resolves to the Gateway's attribution, or to the socket's address after calling `onMissing` because there is none. */
export const gatewayClient = async (onMissing: () => void): Promise<SnapshotClientOf> => {
  const { resolveRequestClientIp: resolve } = await importIngress();
  if (resolve === undefined) onMissing();
  const clientOf = resolve === undefined ? undefined : clientBy(resolve);
  return (request, snapshot) => {
    try {
      return clientOf === undefined ? request.socket.remoteAddress : clientOf(request, snapshot);
    } catch {
      return request.socket.remoteAddress;
    }
  };
};
