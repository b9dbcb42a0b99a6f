// The network that an address is counted under: an IPv4 address alone, however it is written, an IPv6 address with its
// whole /64, because one IPv6 client owns at least a /64.

const OCTET = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const DOTTED = String.raw`(${OCTET})\.(${OCTET})\.(${OCTET})\.(${OCTET})$`;

/** As in Node, an IPv4 address has four numbers up to 255, with no zero in front. */
const IPV4 = new RegExp(`^${DOTTED}`, "u");

/** The last two groups, which an IPv6 address may write as an IPv4 address. */
const TAIL = new RegExp(`(?<=:)${DOTTED}`, "u");

const GROUP = /^[0-9a-f]{1,4}$/iu;

/** UTF-16 units. Longer than every address with a zone. */
const MAX_LENGTH = 64;

const groupsOf = (part: string): readonly string[] => (part === "" ? [] : part.split(":"));

const shorten = (group: string): string => Number.parseInt(group, 16).toString(16);

const pair = (high: string, low: string): string => ((Number(high) << 8) | Number(low)).toString(16);

/** The eight groups of an IPv6 address, or undefined. */
const ipv6Groups = (text: string): readonly string[] | undefined => {
  const plain = text.replace(TAIL, (_, a: string, b: string, c: string, d: string) => `${pair(a, b)}:${pair(c, d)}`);
  const sides = plain.split("::").map(groupsOf);
  const missing = 8 - sides.flat().length;
  if (sides.length > 2 || (sides.length === 1 ? missing !== 0 : missing < 1)) return undefined;
  const zeros = Array.from({ length: missing }, () => "0");
  const groups = sides.flatMap((side, index) => (index === 0 ? side : [...zeros, ...side]));
  return groups.every((group) => GROUP.test(group)) ? groups.map(shorten) : undefined;
};

const dotted = (groups: readonly string[]): string =>
  groups
    .map((group) => Number.parseInt(group, 16))
    .flatMap((both) => [both >> 8, both & 255])
    .join(".");

/** What stands before the IPv4 address that an address means: mapped, NAT64, translated (RFC 4291, 6052, 2765). */
const EMBEDDING: readonly string[] = ["0:0:0:0:0:ffff", "64:ff9b:0:0:0:0", "0:0:0:0:ffff:0"];

/** The old form `::1.2.3.4` (RFC 4291 §2.5.5.1), of which `::` and `::1` have no part. */
const COMPATIBLE = "0:0:0:0:0:0";

/** NAT64 within one network (RFC 8215): one IPv4 address each, but its place depends on the network. */
const LOCAL_NAT64 = "64:ff9b:1";

const ipv6Network = (groups: readonly string[]): string => {
  const prefix = groups.slice(0, 6).join(":");
  const isEmbedding = EMBEDDING.includes(prefix) || (prefix === COMPATIBLE && groups[6] !== "0");
  if (isEmbedding) return dotted(groups.slice(6));
  const isLocal = groups.slice(0, 3).join(":") === LOCAL_NAT64;
  return isLocal ? groups.join(":") : `${groups.slice(0, 4).join(":")}::/64`;
};

/** An address without what platforms write around it: white space, brackets, a port, a zone. */
const bareAddress = (text: string): string =>
  text
    .trim()
    .replace(/^\[([^\]]*)\](?::\d*)?$/u, "$1")
    .replace(/%.*/su, "")
    .replace(/^([^:]+):\d*$/u, "$1");

const UNKNOWN = "unknown";

//= LIMIT-6
/** The counting key of an address, with or without a port: `unknown` for all that is not an address. */
export const networkOf = (address: string | undefined): string => {
  if (address === undefined || address.length > MAX_LENGTH) return UNKNOWN;
  // almost every address that is looked at is its own key
  if (IPV4.test(address)) return address;
  const bare = bareAddress(address);
  if (IPV4.test(bare)) return bare;
  const groups = ipv6Groups(bare);
  return groups === undefined ? UNKNOWN : ipv6Network(groups);
};
