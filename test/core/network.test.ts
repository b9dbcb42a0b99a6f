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
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:0201", "192.0.2.1"],
  ["192.0.2.1", "192.0.2.1"],
  ["1::2::3", "1::2::3"],
  ["1:2:3", "1:2:3"],
  ["1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7::8"],
  ["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:9"],
  ["12345::", "12345::"],
  ["g::", "g::"],
  ["un known", "unknown"],
  ["", "unknown"],
  [undefined, "unknown"],
])("LIMIT-6: %s is counted as %s", (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test("LIMIT-6: every IPv4 address counts alone", () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(networkOf(address)).toBe(address);
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
    "1.2.3.4:1:2:3:4:5:6": "1.2.3.4:1:2:3:4:5:6",
    "1::ffff:1.2.3.4": "1:0:0:0::/64",
    "::ffff:1.2.3.4:5": "::ffff:1.2.3.4:5",
    "::ffff:1.22.33.44": "1.22.33.44",
    "1:2:3:4:5:6:12345.1.1.1": "1:2:3:4::/64",
    "1:0:0:0:0:ffff:102:304": "1:0:0:0::/64",
    "0:0:0:0:1:ffff:102:304": "0:0:0:0::/64",
    "0:0:0:0:0:FFFF:102:304": "1.2.3.4",
    "0:0:0:0:0:1:102:304": "0:0:0:0::/64",
    "1:2:3:4:5:6:7": "1:2:3:4:5:6:7",
    "fe80::1%eth0\n%x": "fe80:0:0:0::/64",
    " 10.0.0.1 \t": "10.0.0.1",
    "1 0 . 0 . 0 . 1": "10.0.0.1",
  };
  for (const [address, network] of Object.entries(cases))
    expect([address, networkOf(address)]).toEqual([address, network]);
  expect(networkOf("x".repeat(1000))).toBe("x".repeat(64));
});
