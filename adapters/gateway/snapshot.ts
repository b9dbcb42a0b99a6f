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

/** This plugin's own configuration block, or UNREADABLE. */
export const pluginBlock = (snapshot: unknown): unknown =>
  snapshot === UNREADABLE
    ? UNREADABLE
    : readSnapshot(() => member(member(member(member(snapshot, "plugins"), "entries"), "webhooks"), "config"));

/** What decides whether a forwarded client address is believed. */
export type ProxyTrust = { readonly trustedProxies: string[]; readonly allowRealIpFallback: boolean };

export const proxyTrust = (snapshot: unknown): ProxyTrust => {
  const gateway = member(snapshot, "gateway");
  const listed = member(gateway, "trustedProxies");
  const trustedProxies = Array.isArray(listed) ? listed.filter((item) => typeof item === "string") : [];
  return { trustedProxies, allowRealIpFallback: member(gateway, "allowRealIpFallback") === true };
};
