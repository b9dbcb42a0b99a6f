// Reads the Gateway's live configuration: of any shape, never trusted, never written.

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined;

const at = (value: unknown, ...path: readonly string[]): unknown => path.reduce(member, value);

/** This plugin's own configuration block. */
export const pluginBlock = (snapshot: unknown): unknown => at(snapshot, "plugins", "entries", "webhooks", "config");

/** What decides whether a forwarded client address is believed. */
export type ProxyTrust = { readonly trustedProxies: string[]; readonly allowRealIpFallback: boolean };

export const proxyTrust = (snapshot: unknown): ProxyTrust => {
  const listed = at(snapshot, "gateway", "trustedProxies");
  const trustedProxies = Array.isArray(listed) ? listed.filter((item) => typeof item === "string") : [];
  return { trustedProxies, allowRealIpFallback: at(snapshot, "gateway", "allowRealIpFallback") === true };
};
