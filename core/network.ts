// The network that an address is counted under: an IPv4 address alone, an IPv6 address with its whole /64, because one
// IPv6 client owns at least a /64.

const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/iu;
const GROUP = /^[0-9a-f]{1,4}$/iu;

/** UTF-16 units. Longer than every address with a zone; longer text is cut. */
const MAX_LENGTH = 64;

const groupsOf = (part: string): readonly string[] => (part === "" ? [] : part.split(":"));

/** The eight groups of an IPv6 address, or undefined. A dotted tail counts as two groups. */
const ipv6Groups = (text: string): readonly string[] | undefined => {
  const [head = "", tail, ...more] = text.replace(/\d+(?:\.\d+){3}$/u, "0:0").split("::");
  const left = groupsOf(head);
  const right = groupsOf(tail ?? "");
  const missing = 8 - left.length - right.length;
  if (more.length > 0 || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...left, ...Array.from({ length: missing }, () => "0"), ...right];
  return groups.every((group) => GROUP.test(group)) ? groups : undefined;
};

const dotted = (high: string, low: string): string => {
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return bits.flatMap((pair) => [pair >> 8, pair & 255]).join(".");
};

const isMapped = (groups: readonly string[]): boolean =>
  groups.slice(0, 5).every((group) => Number.parseInt(group, 16) === 0) && groups[5]?.toLowerCase() === "ffff";

const shorten = (group: string): string => Number.parseInt(group, 16).toString(16);

const ipv6Network = (groups: readonly string[]): string =>
  isMapped(groups) ? dotted(groups[6] ?? "", groups[7] ?? "") : `${groups.slice(0, 4).map(shorten).join(":")}::/64`;

/** Digits and dots alone, as almost every address that is looked at: it is its own key. */
const DOTTED = /^[\d.]{1,64}$/u;

//= LIMIT-6
/** The counting key of an address: at most 64 units without spaces, or `unknown` if there is no address. */
export const networkOf = (given: string | undefined): string => {
  const address = given ?? "";
  if (DOTTED.test(address)) return address;
  const bare = address.slice(0, MAX_LENGTH).replace(/%.*/su, "").replace(/\s/gu, "");
  if (!bare.includes(":")) return bare || "unknown";
  const mapped = MAPPED.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  const groups = ipv6Groups(bare);
  return groups === undefined ? bare : ipv6Network(groups);
};
