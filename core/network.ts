// The network that an address is counted under: an IPv4 address alone, however it is written, an IPv6 address with its
// whole /64, because one IPv6 client owns at least a /64.

const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/iu;
const GROUP = /^[0-9a-f]{1,4}$/iu;

/** UTF-16 units. Longer than every address with a zone; longer text is cut. */
const MAX_LENGTH = 64;

const groupsOf = (part: string): readonly string[] => (part === "" ? [] : part.split(":"));

const shorten = (group: string): string => Number.parseInt(group, 16).toString(16);

/** The last two groups, which an IPv6 address may write as an IPv4 address. */
const TAIL = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/u;

const pair = (high: string, low: string): string => ((Number(high) << 8) | (Number(low) & 255)).toString(16).slice(-4);

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

/** Prefixes whose addresses stand for the IPv4 address in their last 32 bits: mapped (RFC 4291), NAT64 (RFC 6052). */
const EMBEDDING: readonly string[] = ["0:0:0:0:0:ffff", "64:ff9b:0:0:0:0"];

/** NAT64 within one network (RFC 8215): one IPv4 address each, but its place depends on the network. */
const LOCAL_NAT64 = "64:ff9b:1";

const ipv6Network = (groups: readonly string[]): string => {
  const [a = "", b = "", c = "", d = "", e = "", f = "", high = "", low = ""] = groups;
  if (EMBEDDING.includes(`${a}:${b}:${c}:${d}:${e}:${f}`)) return dotted(high, low);
  return `${a}:${b}:${c}` === LOCAL_NAT64 ? groups.join(":") : `${groups.slice(0, 4).join(":")}::/64`;
};

/** Digits and dots alone, as almost every address that is looked at: it is its own key. */
const DOTTED = /^[\d.]{1,64}$/u;

/** An address without what platforms write around it: white space, brackets, a port, a zone. */
const bareAddress = (text: string): string =>
  text
    .slice(0, MAX_LENGTH)
    .replace(/\s/gu, "")
    .replace(/^\[([^\]]*).*/su, "$1")
    .replace(/%.*/su, "")
    .replace(/^([^:]+):\d*$/u, "$1");

//= LIMIT-6
/**
 * The counting key of an address, with or without a port: at most 64 units without spaces, or `unknown` if there is no
 * address.
 */
export const networkOf = (given: string | undefined): string => {
  const address = given ?? "";
  if (DOTTED.test(address)) return address;
  const bare = bareAddress(address);
  if (!bare.includes(":")) return bare || "unknown";
  const mapped = MAPPED.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  const groups = ipv6Groups(bare);
  return groups === undefined ? bare : ipv6Network(groups);
};
