// The addresses that `serve` may listen on: loopback only, unless --public is given.

import { BlockList, isIP, isIPv6 } from "node:net";
import { err, ok, type Result } from "neverthrow";
import { printable } from "../../../core/index.ts";
import { type CliFault, fault } from "../fault.ts";

export type Reach = { readonly host: string; readonly public: boolean };

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** A name or an IPv4 address. */
const NAME = /^[^\s:/?#@\\[\]]+$/u;

const bare = (host: string): string => host.replace(/^\[(.*)\]$/u, "$1");

/** One spelling for each address and name, such as `::1` for `[::1]` and `0:0:0:0:0:0:0:1`; undefined for other texts. */
const canonicalHost = (written: string): string | undefined => {
  const host = bare(written);
  if (isIPv6(host) && host.includes("%")) return host;
  const url = `http://${isIPv6(host) ? `[${host}]` : host}/`;
  return (isIPv6(host) || NAME.test(host)) && URL.canParse(url)
    ? bare(new URL(url).hostname).replace(/\.$/u, "")
    : undefined;
};

/** Whether the address or name, in any spelling, is of this machine alone. */
export const isLoopback = (written: string): boolean => {
  const host = canonicalHost(written) ?? "";
  if (isIP(host) === 0) return host === "localhost";
  return LOOPBACK.check(host, isIPv6(host) ? "ipv6" : "ipv4");
};

/** Where the operator's pages are. */
export type AdminAddress = { readonly host: string; readonly port: number };

const ADMIN = /^(?:(?<host>.+):)?(?<port>\d{1,5})$/u;

//= ADMIN-2
/** `9090`, which is of this machine alone, or `HOST:PORT`, with brackets around an IPv6 address. Undefined for other texts. */
export const adminAddress = (written: string): AdminAddress | undefined => {
  const { host: given = "127.0.0.1", port = "" } = ADMIN.exec(written)?.groups ?? {};
  const host = isIPv6(given) ? undefined : canonicalHost(given);
  return host === undefined || port === "" || Number(port) > 65_535 ? undefined : { host, port: Number(port) };
};

//= SERVE-1
/** The address to listen on, in one spelling, so that what is checked is what is listened on. */
export const checkHost = ({ host: written, public: isPublic }: Reach): Result<string, CliFault> => {
  const host = canonicalHost(written);
  if (host === undefined)
    return err(
      fault(
        `--host ${printable(written)} is not an address or a name. Write it like 127.0.0.1 or ::1, with the port in --port`,
      ),
    );
  return isLoopback(host) || isPublic
    ? ok(host)
    : err(fault(`--host ${printable(written)} can be reached from other machines. Add --public if that is intended`));
};
