import { isIP } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { networkOf } from "../../core/index.ts";
import { wildText } from "./arbitraries.ts";
import { runs } from "../support/runs.ts";

const group = fc.integer({ min: 0, max: 0xffff });
const groups = (length: number) => fc.array(group, { minLength: length, maxLength: length });
const hex = (values: readonly number[]): string => values.map((value) => value.toString(16)).join(":");

test("LIMIT-6: addresses of one /64 count as one client, those of two as two", () => {
  fc.assert(
    fc.property(groups(4), groups(4), groups(4), groups(4), (network, other, host1, host2) => {
      fc.pre(network.slice(0, 4).some((value) => value !== 0) && other.some((value) => value !== 0));
      const one = networkOf(`${hex(network)}:${hex(host1)}`);
      expect(networkOf(`${hex(network).toUpperCase()}:${hex(host2)}%eth0`)).toBe(one);
      expect(networkOf(`${hex(other)}:${hex(host1)}`) === one).toBe(hex(other) === hex(network));
    }),
  );
});

test.each([
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:0DB8:0:0:1::", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["64:ff9b::192.0.2.1", "192.0.2.1"],
  ["64:FF9B:0:0:0:0:c000:0201", "192.0.2.1"],
  ["64:ff9b:1::192.0.2.1", "64:ff9b:1:0:0:0:c000:201"],
  ["64:ff9b:1:c000:2:100::", "64:ff9b:1:c000:2:100:0:0"],
  ["64:ff9b:2::192.0.2.1", "64:ff9b:2:0::/64"],
  ["64:ff9b::1:192.0.2.1", "64:ff9b:0:0::/64"],
  ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
  ["192.0.2.1:567", "192.0.2.1"],
  ["192.0.2.1:", "192.0.2.1"],
  ["[192.0.2.1]:567", "192.0.2.1"],
  ["[::1]:80", "0:0:0:0::/64"],
  ["[2001:db8::1]", "2001:db8:0:0::/64"],
  ["[2001:db8::1]:65535", "2001:db8:0:0::/64"],
  ["[fe80::1%eth0]:80", "fe80:0:0:0::/64"],
  ["[::ffff:192.0.2.1]:80", "192.0.2.1"],
  ["[::ffff:c000:201]:80", "192.0.2.1"],
  ["::ffff:192.0.2.1%1", "192.0.2.1"],
  ["unknown:80", "unknown"],
  ["_hidden:80", "unknown"],
  ["001.002.003.004", "unknown"],
  ["::ffff:001.002.003.004", "unknown"],
  ["256.1.1.1", "unknown"],
  ["1.2.3", "unknown"],
  ["1.2.3.4.", "unknown"],
  ["::ffff:1.2.3.4:80", "unknown"],
  ['"1.2.3.4"', "unknown"],
  ["1.2.3.4/32", "unknown"],
  ["[1.2.3.4", "unknown"],
  ["[1.2.3.4]x", "unknown"],
  ["::192.0.2.1", "192.0.2.1"],
  ["::ffff:0:192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:0201", "192.0.2.1"],
  ["192.0.2.1", "192.0.2.1"],
  ["1::2::3", "unknown"],
  ["1:2:3", "unknown"],
  ["1:2:3:4:5:6:7::8", "unknown"],
  ["1:2:3:4:5:6:7:8:9", "unknown"],
  ["12345::", "unknown"],
  ["g::", "unknown"],
  ["un known", "unknown"],
  ["", "unknown"],
  [undefined, "unknown"],
])("LIMIT-6: %s is counted as %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

/** What platforms make of an IPv4 address: with a port, and as the IPv6 addresses that stand for it. */
const writings = (address: string): readonly string[] => {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  const tail = hex([(a << 8) | b, (c << 8) | d]);
  const mapped = [`::ffff:${address}`, `::FFFF:${tail}`, `0:0:0:0:0:ffff:${address}`, `0::0:ffff:${tail}`];
  return [
    address,
    ...mapped,
    `::ffff:0:${address}`,
    `64:ff9b::${address}`,
    `64:ff9b::${tail}`,
    `0064:ff9b:0:0:0::${tail}`,
  ];
};

/** What stands around an address: nothing, a zone, brackets, a port. */
const dressed = (address: string, port: number): readonly string[] => [
  address,
  ` ${address} `,
  ...(address.includes(":") ? [`${address}%eth0`, `[${address}%25eth0]:1`] : [`${address}:${String(port)}`]),
  `[${address}]`,
  `[${address}]:${String(port)}`,
];

const port = fc.integer({ min: 0, max: 65_535 });

test("LIMIT-6: every IPv4 address counts alone, in every writing, with or without a port", () => {
  fc.assert(
    fc.property(fc.ipV4(), port, (address, number) => {
      const keys = writings(address).flatMap((one) => dressed(one, number).map(networkOf));
      expect(new Set(keys)).toEqual(new Set([address]));
    }),
  );
});

test("LIMIT-6: an IPv6 address is counted the same with brackets, zone and port, and as without", () => {
  fc.assert(
    fc.property(groups(8), port, (values, number) => {
      const address = hex(values);
      expect(new Set(dressed(address, number).map(networkOf))).toEqual(new Set([networkOf(address)]));
    }),
  );
});

test("LIMIT-6: behind a translator of one network, each address counts alone, wherever it has the IPv4 address", () => {
  fc.assert(
    fc.property(groups(5), groups(5), (one, other) => {
      const keys = [one, other].map((values) => networkOf(`64:ff9b:1:${hex(values)}`));
      expect(new Set(keys).size).toBe(hex(one) === hex(other) ? 1 : 2);
    }),
  );
});

test("LIMIT-6: every IPv6 address counts with its network", () => {
  fc.assert(
    fc.property(fc.ipV6(), (address) => {
      expect(networkOf(address)).toMatch(isIP(address) === 6 ? /^[0-9a-f:]+::\/64$|^\d+(\.\d+){3}$/u : /./u);
    }),
    { numRuns: runs(1000) },
  );
});

test("LIMIT-6: all that Node does not call an address is one client", () => {
  const near = fc
    .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(40), fc.constantFrom(".", "0", ":", "/", '"', "x", "::", ",", "-"))
    .map(([address, at, extra]) => address.slice(0, at) + extra + address.slice(at));
  fc.assert(
    fc.property(fc.oneof(near, wildText), (text) => {
      const bare = text.replace(/%.*/su, "").trim();
      fc.pre(!/\[|^[^:]+:\d*$/u.test(bare));
      expect(networkOf(text) === "unknown").toBe(isIP(bare) === 0);
    }),
    { numRuns: runs(1000) },
  );
});

test("LIMIT-5: the key of any address is short and has no spaces", () => {
  fc.assert(
    fc.property(fc.oneof(wildText, fc.string({ maxLength: 500 })), (address) => {
      expect(networkOf(address)).toMatch(/^\S{1,64}$/u);
    }),
    { numRuns: runs(1000) },
  );
});

test("LIMIT-6: only an IPv6 address is shortened to a network, and a key has at most 64 characters", () => {
  const cases = {
    "1.2.3.4:1:2:3:4:5:6": "unknown",
    "1::ffff:1.2.3.4": "1:0:0:0::/64",
    "::ffff:1.2.3.4:5": "unknown",
    "::ffff:1.22.33.44": "1.22.33.44",
    "1:2:3:4:5:6:12345.1.1.1": "unknown",
    "1:0:0:0:0:ffff:102:304": "1:0:0:0::/64",
    "0:0:0:0:1:ffff:102:304": "0:0:0:0::/64",
    "0:0:0:0:0:FFFF:102:304": "1.2.3.4",
    "0:0:0:0:0:1:102:304": "0:0:0:0::/64",
    "1:2:3:4:5:6:7": "unknown",
    "fe80::1%eth0\n%x": "fe80:0:0:0::/64",
    " 10.0.0.1 \t": "10.0.0.1",
    "1 0 . 0 . 0 . 1": "unknown",
  };
  for (const [address, network] of Object.entries(cases))
    expect([address, networkOf(address)]).toEqual([address, network]);
  expect(networkOf(`1.2.3.4${" ".repeat(100)}`)).toBe("unknown");
});

test("LIMIT-6: brackets and a port are taken off only where they are all there is; 64 units are looked at", () => {
  for (const odd of ["1[::1]", "[::1]:80:90", "[::1]x", "x[::1]", "1.2.3.4".padEnd(65)]) {
    expect([odd, networkOf(odd)]).toEqual([odd, "unknown"]);
  }
  expect(networkOf("1.2.3.4".padEnd(64))).toBe("1.2.3.4");
});
