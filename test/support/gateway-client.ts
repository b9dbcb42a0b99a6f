// The Gateway's attribution of a request, as read in its code (2026.9.6, `resolveRequestClientIp`).

import { BlockList, isIP } from "node:net";
import type { clientBy } from "../../adapters/gateway/client.ts";

const listOf = (entries: readonly string[]): BlockList => {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", bits] = entry.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    list.addSubnet(address, Number(bits ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return list;
};

const holds = (list: BlockList, address: string): boolean => list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");

const unbracketed = (text: string): string => {
  const end = text.indexOf("]");
  return text.startsWith("[") && end > 0 ? text.slice(1, end) : text;
};

/** The address of an entry: brackets and what follows them dropped, the port of an IPv4 address dropped. */
const literal = (entry: string): string | undefined => {
  const text = unbracketed(entry.trim());
  const [first = "", ...more] = text.split(":");
  const address = more.length === 1 && isIP(first) === 4 ? first : text;
  return isIP(address) === 0 ? undefined : address;
};

const LOOPBACK = listOf(["127.0.0.0/8", "::1"]);

export const resolveAsGateway: Parameters<typeof clientBy>[0] = ({ socket, headers }, proxies, real) => {
  const peer = socket.remoteAddress;
  const trusted = listOf(proxies);
  if (peer === undefined || isIP(peer) === 0 || !holds(trusted, peer)) return peer;
  const hops = (headers["x-forwarded-for"] ?? "").split(",").flatMap((hop) => literal(hop) ?? []);
  const client = hops.findLast((hop) => !holds(LOOPBACK, hop) && !holds(trusted, hop));
  return client ?? (real ? literal(headers["x-real-ip"] ?? "") : undefined);
};
