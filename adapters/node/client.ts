// Which client a request comes from, behind proxies that the operator trusts: the right-most address of
// X-Forwarded-For that is not one of theirs, as the Gateway attributes it.

import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { printable } from "../../core/index.ts";

/** Longest forwarding header that is looked at whole; of a longer one the end counts, where the proxies write. */
const MAX_FORWARDED = 512;

//= LIMIT-7
/** The last whole entries of a list of addresses that fit: work that a client's header length cannot raise. */
export const tailOf = (value: string): string => {
  const tail = value.slice(-MAX_FORWARDED);
  return value.length > MAX_FORWARDED ? tail.slice(tail.indexOf(",") + 1) : tail;
};

const WITH_PORT = /^(?:\[(.+)\]|(\d+(?:\.\d+){3}))(?::\d+)?$/u;

/** The address of an entry, without port and brackets. */
const bare = (entry: string): string => {
  const found = WITH_PORT.exec(entry.trim());
  return found?.[1] ?? found?.[2] ?? entry.trim();
};

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

const add = (list: BlockList, entry: string): boolean => {
  const [address = "", prefix, ...more] = entry.trim().split("/");
  const most = isIP(address) === 6 ? 128 : 32;
  if (isIP(address) === 0 || more.length > 0 || !/^\d{1,3}$/u.test(prefix ?? String(most))) return false;
  const bits = Number(prefix ?? most);
  if (bits > most) return false;
  list.addSubnet(address, bits, familyOf(address));
  return true;
};

/** The address of a request's client; undefined when its socket has none. */
export type ClientOf = (request: IncomingMessage) => string | undefined;

export type ForwardedClient = {
  readonly clientOf: ClientOf;
  /** Entries that are neither an address nor a subnet in CIDR notation; no proxy is trusted for them. */
  readonly refused: readonly string[];
};

/** What the operator is told of such an entry. */
export const refusedProxy = (entry: string): string =>
  `trustedProxies ${printable(entry)} is not an address or a subnet. Write it like 10.0.0.1 or 10.0.0.0/8.`;

//= LIMIT-8
/** `trustedProxies`: addresses and subnets whose forwarding header is believed. */
export const forwardedClient = (trustedProxies: readonly string[]): ForwardedClient => {
  const trusted = new BlockList();
  const refused = trustedProxies.filter((entry) => !add(trusted, entry));
  const isTrusted = (address: string): boolean => isIP(address) !== 0 && trusted.check(address, familyOf(address));
  const clientOf: ClientOf = (request) => {
    const peer = request.socket.remoteAddress;
    const forwarded = request.headers["x-forwarded-for"];
    if (peer === undefined || forwarded === undefined || !isTrusted(peer)) return peer;
    return (
      tailOf(String(forwarded))
        .split(",")
        .map(bare)
        .findLast((address) => address !== "" && !isTrusted(address)) ?? peer
    );
  };
  return { clientOf, refused };
};
