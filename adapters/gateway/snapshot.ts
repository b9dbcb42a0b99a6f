// Reads the Gateway's live configuration: of any shape, never trusted, never written.

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;

/** Stands for a configuration that cannot be read just now. */
export const UNREADABLE = Symbol("unreadable");

/** The live configuration as `current` says it, or UNREADABLE. */
export const readSnapshot = (current: () => unknown): unknown => {
  try {
    return current();
  } catch {
    return UNREADABLE;
  }
};

/** This plugin's own configuration block. */
export const pluginBlock = (snapshot: unknown): unknown =>
  member(member(member(member(snapshot, "plugins"), "entries"), "webhooks"), "config");

/** What decides whether a forwarded client address is believed. */
export type ProxyTrust = { readonly trustedProxies: string[]; readonly allowRealIpFallback: boolean };

/** The trust that a snapshot states; the same value as before when the snapshot states it by the same values. */
export const proxyTrustReader = (): ((snapshot: unknown) => ProxyTrust) => {
  let listed: unknown;
  let trust: ProxyTrust = { trustedProxies: [], allowRealIpFallback: false };
  return (snapshot) => {
    const gateway = member(snapshot, "gateway");
    const allowRealIpFallback = member(gateway, "allowRealIpFallback") === true;
    const proxies = member(gateway, "trustedProxies");
    if (proxies === listed && allowRealIpFallback === trust.allowRealIpFallback) return trust;
    listed = proxies;
    const trustedProxies = Array.isArray(proxies) ? proxies.filter((item) => typeof item === "string") : [];
    trust = { trustedProxies, allowRealIpFallback };
    return trust;
  };
};
