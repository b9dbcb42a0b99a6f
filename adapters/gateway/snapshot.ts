// Reads the Gateway's live configuration, which may have any shape. Never writes it.

import { own } from "../../core/index.ts";

/** Stands for a configuration that cannot be read at the moment. */
export const UNREADABLE = Symbol("unreadable");

/** The result of `current`, or UNREADABLE if it throws. */
export const readSnapshot = (current: () => unknown): unknown => {
  try {
    return current();
  } catch {
    return UNREADABLE;
  }
};

/** This plugin's own configuration block, or UNREADABLE. A Gateway that has no configuration at the moment has not removed the routes. */
export const pluginBlock = (snapshot: unknown): unknown =>
  typeof snapshot !== "object" || snapshot === null
    ? UNREADABLE
    : readSnapshot(() => own(own(own(own(snapshot, "plugins"), "entries"), "webhooks"), "config"));

/** The settings that decide whether a forwarded client address is trusted. */
export type ProxyTrust = { readonly trustedProxies: readonly string[]; readonly allowRealIpFallback: boolean };

const NO_PROXIES: readonly string[] = [];

const isText = (item: unknown): item is string => typeof item === "string";

const textsOf = (list: unknown): readonly string[] => {
  if (!Array.isArray(list)) return NO_PROXIES;
  return list.every(isText) ? list : list.filter(isText);
};

export const proxyTrust = (snapshot: unknown): ProxyTrust => {
  const gateway = own(snapshot, "gateway");
  return {
    trustedProxies: textsOf(own(gateway, "trustedProxies")),
    allowRealIpFallback: own(gateway, "allowRealIpFallback") === true,
  };
};
