// Which spellings of an address are this machine's alone, and what is listened on for them.

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkHost, isLoopback } from "../../../adapters/cli/commands/listen-address.ts";
import { cli } from "../../support/cli.ts";

const hasIPv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === "::1"));

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["127.0.0.2", "127.0.0.2"],
  ["127.255.255.254", "127.255.255.254"],
  ["127.1", "127.0.0.1"],
  ["0x7f.1", "127.0.0.1"],
  ["2130706433", "127.0.0.1"],
  ["localhost", "localhost"],
  ["LOCALHOST", "localhost"],
  ["LocalHost.", "localhost"],
  ["::1", "::1"],
  ["[::1]", "::1"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["[0000:0000:0000:0000:0000:0000:0000:0001]", "::1"],
  ["::0:1", "::1"],
  ["::ffff:127.0.0.1", "::ffff:7f00:1"],
  ["[::FFFF:7f00:1]", "::ffff:7f00:1"],
])("SERVE-1: %s is a loopback address, and is listened on as %s", async (written, host) => {
  expect(isLoopback(written)).toBe(true);
  expect(checkHost({ host: written, public: false })._unsafeUnwrap()).toBe(host);
  if (host.includes(":") && !hasIPv6) return;
  const server = createServer().listen(0, host);
  await once(server, "listening");
  expect(isLoopback((server.address() as AddressInfo).address)).toBe(true);
  server.close();
});

test("SERVE-1: every spelling of an IPv4 address is judged as the address", () => {
  fc.assert(
    fc.property(fc.nat({ max: 0xffffffff }), (bits) => {
      const parts = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255);
      const dotted = parts.join(".");
      const spellings = [dotted, String(bits), `0x${bits.toString(16)}`, `::ffff:${dotted}`, `[::ffff:${dotted}]`];
      expect(spellings.map(isLoopback)).toEqual(spellings.map(() => parts[0] === 127));
    }),
  );
});

test.each([
  "0.0.0.0",
  "0",
  "::",
  "[::]",
  "::ffff:0.0.0.0",
  "::2",
  "fe80::1%lo",
  "192.0.2.1",
  "127.evil.example",
  "notlocalhost",
])("SERVE-1: %s can be reached from other machines", async (host) => {
  expect(isLoopback(host)).toBe(false);
  expect(checkHost({ host, public: true }).isOk()).toBe(true);
  const { status, error } = await cli(["serve", "--host", host, "--db", "/none/never.db"]);
  expect([status, error]).toEqual([
    1,
    `--host ${host} can be reached from other machines. Add --public if that is intended.\n`,
  ]);
});

test.each([
  "",
  "127.0.0.1:80",
  "localhost:80",
  "[::1]:80",
  "http://127.0.0.1",
  "a b",
  "127.0.0.1/8",
  "1.2.3.4.5",
  "\u001b[31m",
])("SERVE-1: --host %j is not an address, even with --public", async (host) => {
  for (const more of [[], ["--public"]]) {
    const { status, error } = await cli(["serve", "--host", host, "--db", "/none/never.db", ...more]);
    expect(status).toBe(1);
    expect(error).toMatch(
      /^--host [\x20-\x7e]*is not an address or a name\. Write it like 127\.0\.0\.1 or ::1, with the port in --port\.\n$/u,
    );
  }
});

test("serve: an address that is not of this machine is named without the port, which is not at fault", async () => {
  const folder = mkdtempSync(join(tmpdir(), "listen-"));
  for (const [host, reason] of [
    ["192.0.2.1", "is not an address of this machine"],
    ["no-such-name.invalid", "is not a name of this machine"],
  ] as const) {
    const ran = await cli(["serve", "--host", host, "--public", "--db", join(folder, "flows.db")]);
    expect([ran.status, ran.error]).toEqual([1, `${host} ${reason}. Choose another one with --host.\n`]);
  }
  rmSync(folder, { recursive: true });
});
