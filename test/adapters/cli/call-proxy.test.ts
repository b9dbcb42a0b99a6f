// Which proxy the environment names for a URL, and which URLs it exempts: a table, because nothing has to be sent for it.

import { hostname } from "node:os";
import { expect, test } from "vitest";
import { proxyFor } from "../../../adapters/cli/commands/call-proxy.ts";
import type { Env } from "../../../adapters/cli/io.ts";

const PROXIES = { HTTP_PROXY: "http://proxy.example:1", HTTPS_PROXY: "http://proxy.example:2" };

const urlFor = (target: string, env: Env): string | undefined => proxyFor(new URL(target), env)._unsafeUnwrap()?.url;

/** A URL, entries of NO_PROXY that exempt it, and entries that are near but do not. */
const EXEMPT: readonly (readonly [target: string, exempting: readonly string[], others: readonly string[]])[] = [
  [
    "http://hooks.example",
    ["*", "hooks.example", "hooks.example:80", ".example", "*.example", "*.example:80", "a b,,\t hooks.example\n"],
    [
      "hooks.example:443",
      "hooks.example:80x",
      "hooks.example:",
      "hooks.example:x",
      "x:y:80",
      "*:81",
      "**",
      ":80",
      "*.",
      ".",
      "oks.example",
      "*.hooks.example.org",
      "a,b",
      "192.0.2.0/24",
    ],
  ],
  ["https://hooks.example", ["hooks.example:443"], ["hooks.example:80"]],
  ["http://hooks.example.", ["hooks.example."], ["", ":80", ".", "*.", "hooks.example"]],
  ["http://hooks.example:8080", ["hooks.example:8080", "hooks.example"], ["hooks.example:80"]],
  [
    "http://198.51.100.7",
    ["198.51.100.7", "198.51.100.7:80", "198.51.100.0/24", "198.51.100.7/32", "0.0.0.0/0", "x 198.51.100.0/24"],
    ["198.51.100.8", "198.51.100.8/32", "198.51.100.0/33", "198.51.100.0/x24", "198.51.100.0/24x", "198.51.100.0/24/1"],
  ],
  ["http://198.51.100.7", [], ["::/0", "198.51.100/24", "/24", "198.51.100.7:81"]],
  [
    "http://[2001:db8::7]",
    ["2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:80", "2001:db8::/32", "2001:DB8::/32", "2001:db8::7/128"],
    ["2001:db8::8", "[2001:db8::7]:81", "2001:db8::7/129", "0.0.0.0/0", "2001:db9::/32", "x[2001:db8::7]"],
  ],
];

test.each(EXEMPT)("CALL-2: %s is exempt from the proxy by %j, and not by %j", (target, exempting, others) => {
  const proxy = target.startsWith("https:") ? PROXIES.HTTPS_PROXY : PROXIES.HTTP_PROXY;
  for (const entry of exempting)
    expect([entry, urlFor(target, { ...PROXIES, NO_PROXY: entry })]).toEqual([entry, undefined]);
  for (const entry of others) expect([entry, urlFor(target, { ...PROXIES, NO_PROXY: entry })]).toEqual([entry, proxy]);
});

test("CALL-2: a variable of blanks is as none, the small letters come first, and blanks around a proxy are none of it", () => {
  const target = "http://hooks.example";
  expect(urlFor(target, {})).toBeUndefined();
  expect(urlFor(target, { http_proxy: " ", HTTP_PROXY: "\t" })).toBeUndefined();
  expect(urlFor(target, { http_proxy: " ", HTTP_PROXY: " http://a.example:1\n" })).toBe("http://a.example:1");
  expect(urlFor(target, { http_proxy: "b.example", HTTP_PROXY: "a.example" })).toBe("http://b.example");
  expect(urlFor(target, { HTTPS_PROXY: "a.example" })).toBeUndefined();
  expect(urlFor(target, { HTTP_PROXY: "https://a.example" })).toBe("https://a.example");
  expect(urlFor(target, { HTTP_PROXY: "a.example", no_proxy: " ", NO_PROXY: "hooks.example" })).toBeUndefined();
  expect(urlFor(target, { HTTP_PROXY: "a.example", no_proxy: "x", NO_PROXY: "hooks.example" })).toBe(
    "http://a.example",
  );
});

test.each(["xhttp://a.example", "httpx://a.example", "ftp://a.example", "http://", "http://a b"])(
  "CALL-2: %s is not a proxy, and its variable is named without its value",
  (value) => {
    for (const [scheme, variable] of [
      ["http", "http_proxy"],
      ["https", "HTTPS_PROXY"],
    ] as const) {
      const { sentence } = proxyFor(new URL(`${scheme}://hooks.example`), { [variable]: value })._unsafeUnwrapErr();
      expect(sentence).toBe(
        `${variable} does not name an http or https proxy. Correct it, or name hooks.example in NO_PROXY.`,
      );
    }
  },
);

test("CALL-2: names that only contain one of this machine are not this machine", () => {
  const others = ["localhost.example", "xlocalhost", "localhost7", "localhost.localdomain.example", "xip6-loopback"];
  for (const name of [...others, "ip6-localhost.example", "128.0.0.1", "[1::]", "[::1:0:0]"]) {
    expect([name, urlFor(`http://${name}`, PROXIES)]).toEqual([name, PROXIES.HTTP_PROXY]);
  }
  const [short = ""] = hostname().split(".");
  const here = ["x.y.localhost", "localhost4", "localhost6", "localhost4.localdomain4", "ip6-localhost.", hostname()];
  for (const name of [...here, short, `${short}.local`, `${short}.localdomain`]) {
    expect([name, urlFor(`http://${name}`, PROXIES)]).toEqual([name, undefined]);
  }
});
