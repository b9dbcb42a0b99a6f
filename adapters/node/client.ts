// Which client a request comes from, behind proxies that the operator trusts: the right-most address of
// X-Forwarded-For that is neither one of theirs nor loopback, as the Gateway attributes it.

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

const WITH_PORT = /^(?:\[([^\]]+)\].*|(\d+(?:\.\d+){3}):[^:]*)$/u;

/** The address of an entry, without port and brackets; undefined for `unknown` and whatever else is not one. */
const addressIn = (entry: string): string | undefined => {
  const text = entry.trim();
  const found = WITH_PORT.exec(text);
  const address = found?.[1] ?? found?.[2] ?? text;
  return isIP(address) === 0 ? undefined : address;
};

export const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** Adds the address or subnet in CIDR notation to the list, if it is one. */
export const addSubnet = (list: BlockList, entry: string): boolean => {
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
  /** Entries that cover more addresses of the internet than one network has. */
  readonly wide: readonly string[];
};

const isIn = (list: BlockList, address: string): boolean => list.check(address, familyOf(address));

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** What the operator is told of such an entry. */
export const refusedProxy = (entry: string): string =>
  `trustedProxies ${printable(entry)} is not an address or a subnet. Write it like 10.0.0.1 or 10.0.0.0/8.`;

/** What the operator is told of such an entry. */
export const wideProxy = (entry: string): string =>
  `trustedProxies ${printable(entry)} advice: it covers so many addresses that clients could forge theirs. List no more than your proxies.`;

/** Addresses of the internet in different networks: one for each IPv4 /8, and eight of IPv6. */
const AFAR: readonly string[] = [
  ...Array.from({ length: 256 }, (_, first) => `${String(first)}.1.1.1`),
  ...["2001", "2400", "2800", "2c00", "3001", "3400", "3800", "3c00"].map((first) => `${first}::1`),
];

const isWide = (entry: string): boolean => {
  const list = new BlockList();
  return addSubnet(list, entry) && AFAR.filter((address) => isIn(list, address)).length > 1;
};

//= LIMIT-8
/** `trustedProxies`: addresses and subnets whose forwarding header is believed. */
export const forwardedClient = (trustedProxies: readonly string[]): ForwardedClient => {
  const trusted = new BlockList();
  const refused = trustedProxies.filter((entry) => !addSubnet(trusted, entry));
  const clientOf: ClientOf = (request) => {
    const peer = request.socket.remoteAddress;
    const forwarded = request.headers["x-forwarded-for"];
    if (peer === undefined || forwarded === undefined || isIP(peer) === 0 || !isIn(trusted, peer)) return peer;
    return (
      tailOf(String(forwarded))
        .split(",")
        .map(addressIn)
        .findLast((address) => address !== undefined && !isIn(loopback, address) && !isIn(trusted, address)) ?? peer
    );
  };
  return { clientOf, refused, wide: trustedProxies.filter(isWide) };
};
