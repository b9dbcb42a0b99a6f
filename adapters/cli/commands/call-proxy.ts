// The proxy that the environment names for a URL, as in other programs: http_proxy, https_proxy, no_proxy, in capitals too.

import { BlockList, isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { err, ok, type Result } from "neverthrow";
import { addSubnet, familyOf } from "../../node/client.ts";
import { type CliFault, fault } from "../fault.ts";
import type { Env } from "../io.ts";

/** `variable`: the name of the variable that holds `url`, which may contain a password. */
export type Proxy = { readonly variable: string; readonly url: string };

const bare = (host: string): string => host.replace(/^\[(.*)\]$/u, "$1");

const isInSubnet = (host: string, entry: string): boolean => {
  const [address = "", bits] = entry.split("/");
  const subnet = new BlockList();
  return (
    bits !== undefined && isIP(address) === isIP(host) && addSubnet(subnet, entry) && subnet.check(host, familyOf(host))
  );
};

const ENTRY = /^(?<host>\[[^\]]*\]|[^:]*)(?::(?<port>\d+))?$/u;

const partsOf = (entry: string): { readonly host?: string; readonly port?: string } =>
  isIP(entry) === 6 ? { host: entry } : (ENTRY.exec(entry)?.groups ?? {});

/** `*`, a name with everything below it, an address or a subnet; a name or address may have a port. */
const isExempt = (target: URL, noProxy: string): boolean => {
  const host = bare(target.hostname);
  const ownPort = target.port || (target.protocol === "https:" ? "443" : "80");
  return noProxy
    .toLowerCase()
    .split(/[\s,]/u)
    .some((entry) => {
      const { host: written = "", port = ownPort } = partsOf(entry);
      const name = bare(written).replace(/^\*?\./u, "");
      if (entry === "*" || isInSubnet(host, entry)) return true;
      return name !== "" && (host === name || host.endsWith(`.${name}`)) && port === ownPort;
    });
};

/** The first of the variables that holds more than blanks, and its value without those around it. */
const settingOf = (names: readonly string[], env: Env): readonly [variable: string, value: string] | undefined =>
  names.map((name) => [name, (env[name] ?? "").trim()] as const).find(([, value]) => value !== "");

const LOCAL_NAME =
  /^(?:.+\.)?localhost$|^(?:localhost[46]?\.localdomain[46]?|localhost[46]|ip6-(?:localhost|loopback))$/u;

/** The names by which a machine is known to itself and its neighbours. */
const ownNames = (): readonly string[] => {
  const name = hostname().toLowerCase();
  const short = name.replace(/\..*/su, "");
  return [name, short, `${short}.local`, `${short}.localdomain`];
};

/** Every loopback address, those that mean any address of this machine, and its own. */
const ownAddresses = (): BlockList => {
  const own = new BlockList();
  own.addSubnet("127.0.0.0", 8, "ipv4");
  own.addSubnet("0.0.0.0", 8, "ipv4");
  // `::`, `::1` and IPv4 addresses in the old form `::127.0.0.1`, which lead nowhere else
  own.addSubnet("::", 96, "ipv6");
  for (const { address, family } of Object.values(networkInterfaces()).flatMap((all) => all ?? []))
    own.addAddress(address, family === "IPv6" ? "ipv6" : "ipv4");
  return own;
};

/** `host`: of a URL. */
const isThisMachine = (host: string): boolean => {
  const name = bare(host.toLowerCase()).replace(/\.$/u, "");
  const version = isIP(name);
  if (version === 0) return LOCAL_NAME.test(name) || ownNames().includes(name);
  return ownAddresses().check(name, version === 6 ? "ipv6" : "ipv4");
};

//= CALL-2
/**
 * Undefined: none, or the server is on this machine and the proxy is not, because the secret must not leave the machine on
 * its way there. Errs when the variable does not name an HTTP proxy.
 */
export const proxyFor = (target: URL, env: Env): Result<Proxy | undefined, CliFault> => {
  const scheme = target.protocol.slice(0, -1);
  const setting = settingOf([`${scheme}_proxy`, `${scheme}_proxy`.toUpperCase()], env);
  const [, exempt = ""] = settingOf(["no_proxy", "NO_PROXY"], env) ?? [];
  if (setting === undefined || isExempt(target, exempt)) return ok(undefined);
  const [variable, written] = setting;
  const url = written.includes("://") ? written : `http://${written}`;
  const proxy = URL.canParse(url) ? new URL(url) : undefined;
  const isElsewhere = proxy === undefined || !isThisMachine(proxy.hostname);
  if (isElsewhere && isThisMachine(target.hostname)) return ok(undefined);
  return proxy !== undefined && ["http:", "https:"].includes(proxy.protocol)
    ? ok({ variable, url })
    : err(
        fault(`${variable} does not name an http or https proxy. Correct it, or name ${target.hostname} in NO_PROXY`),
      );
};
