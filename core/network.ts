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
  const [head = "", tail, ...more] = plain.split("::");
  const left = groupsOf(head);
  const right = groupsOf(tail ?? "");
  const missing = 8 - left.length - right.length;
  if (more.length > 0 || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  return groups.every((group) => GROUP.test(group)) ? groups.map(shorten) : undefined;
};

const dotted = (high: string, low: string): string => {
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return bits.flatMap((both) => [both >> 8, both & 255]).join(".");
};

/** What stands before the IPv4 address that an address means: mapped, NAT64, translated (RFC 4291, 6052, 2765). */
const EMBEDDING: readonly string[] = ["0:0:0:0:0:ffff", "64:ff9b:0:0:0:0", "0:0:0:0:ffff:0"];

/** The old form `::1.2.3.4` (RFC 4291 §2.5.5.1), of which `::` and `::1` have no part. */
const COMPATIBLE = "0:0:0:0:0:0";

/** NAT64 within one network (RFC 8215): one IPv4 address each, but its place depends on the network. */
const LOCAL_NAT64 = "64:ff9b:1";

const ipv6Network = (groups: readonly string[]): string => {
  const [a = "", b = "", c = "", d = "", e = "", f = "", high = "", low = ""] = groups;
  const prefix = `${a}:${b}:${c}:${d}:${e}:${f}`;
  if (EMBEDDING.includes(prefix) || (prefix === COMPATIBLE && high !== "0")) return dotted(high, low);
  return `${a}:${b}:${c}` === LOCAL_NAT64 ? groups.join(":") : `${groups.slice(0, 4).join(":")}::/64`;
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
export const networkOf = (given: string | undefined): string => {
  const address = given ?? "";
  if (address.length > MAX_LENGTH) return UNKNOWN;
  // almost every address that is looked at is its own key
  if (IPV4.test(address)) return address;
  const bare = bareAddress(address);
  if (IPV4.test(bare)) return bare;
  const groups = ipv6Groups(bare);
  return groups === undefined ? UNKNOWN : ipv6Network(groups);
};
