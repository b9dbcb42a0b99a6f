// The plugin against a stand-in for the Gateway's API. test/systems/gateway runs it in a real Gateway.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { clientBy } from "../../../adapters/gateway/client.ts";
import { forwardedClient } from "../../../adapters/node/client.ts";
import { resolveAsGateway } from "../../support/gateway-client.ts";
import type { HttpRoute, PluginApi, Service } from "../../../adapters/gateway/api.ts";
import { LiveRoutes } from "../../../adapters/gateway/live-routes.ts";
import { Log } from "../../../adapters/bridge/log.ts";
import plugin from "../../../adapters/gateway/plugin.ts";
import { pluginBlock, proxyTrust, readSnapshot, UNREADABLE } from "../../../adapters/gateway/snapshot.ts";
import { sha256 } from "../../../core/index.ts";
import { CONFIG, PATH_A, PATH_B, ROUTE_A, ROUTE_B } from "../../core/arbitraries.ts";
import { ModelHost } from "../../support/model-host.ts";
import { runs } from "../../support/runs.ts";

const snapshotOf = (config: unknown): unknown => ({ plugins: { entries: { webhooks: { config } } } });

class Recorder {
  readonly routes: HttpRoute[] = [];
  /** Those behind the authentication of the Gateway. */
  readonly pages: HttpRoute[] = [];
  readonly services: Service[] = [];
  readonly lines: string[] = [];
  readonly disposers: (() => void)[] = [];
  /** The sessions of the bindings that were made. */
  readonly bound: string[] = [];
  snapshot: unknown = snapshotOf(CONFIG);
  readonly #host = new ModelHost();

  api(changes: Partial<PluginApi> = {}): PluginApi {
    const line = (level: string) => (message: string) => void this.lines.push(`${level} ${message}`);
    const bindSession = ({ sessionKey }: { sessionKey: string }) => {
      const { flows, canceller } = this.#host.bind(sessionKey);
      this.bound.push(sessionKey);
      return { ...flows, ...canceller() };
    };
    return {
      registrationMode: "full",
      pluginConfig: pluginBlock(this.snapshot),
      logger: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") },
      runtime: { config: { current: () => this.snapshot }, tasks: { managedFlows: { bindSession } } },
      lifecycle: { onDispose: (dispose) => this.disposers.push(dispose) },
      registerHttpRoute: (route) => void (route.auth === "plugin" ? this.routes : this.pages).push(route),
      registerService: (service) => void this.services.push(service),
      ...changes,
    };
  }
}

let stop: () => void = () => undefined;
afterEach(() => stop());

/** Serves the recorded routes as the Gateway does. A request that is not handled gets the Gateway's own 404. */
const serve = async (recorder: Recorder): Promise<(path: string, secret?: string) => Promise<number>> => {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const route = recorder.routes.find(({ path, match }) => match === "exact" && path === request.url);
    const isOurs = await (route ?? recorder.routes[0])?.handler(request, response);
    if (isOurs === false) response.writeHead(404).end("Not Found");
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stop = () => void server.close();
  const { port } = server.address() as AddressInfo;
  return async (path, secret = ROUTE_A.secret) => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${secret}` };
    const sent = await fetch(`http://127.0.0.1:${String(port)}${path}`, {
      method: "POST",
      headers,
      body: '{"action":"list_flows"}',
    });
    await sent.text();
    return sent.status;
  };
};

test("CONFIG-1: one prefix route for all default paths and an exact one for each path elsewhere", () => {
  const recorder = new Recorder();
  plugin.register(recorder.api());
  expect(recorder.routes.map(({ path, match, auth }) => [path, match, auth])).toEqual([
    ["/plugins/webhooks", "prefix", "plugin"],
    ["/hooks/ci", "exact", "plugin"],
  ]);
});

test("CONFIG-1: ten thousand routes are one registration", () => {
  const recorder = new Recorder();
  const routes = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, n) => [
      `r${String(n)}`,
      { sessionKey: "s", secret: `secret-number-${String(n)}-long` },
    ]),
  );
  recorder.snapshot = snapshotOf({ routes });
  plugin.register(recorder.api());
  expect([recorder.routes.length, recorder.lines]).toEqual([1, []]);
});

test("RELOAD-1, CONFIG-1: in a mode other than full nothing is registered; without routes the prefix, for those of a later edit", () => {
  for (const mode of ["discovery", "tool-discovery", "cli-metadata", "setup-only", ""]) {
    const recorder = new Recorder();
    plugin.register(recorder.api({ registrationMode: mode }));
    expect([recorder.routes, recorder.services, recorder.lines, recorder.disposers]).toEqual([[], [], [], []]);
  }
  const recorder = new Recorder();
  recorder.snapshot = snapshotOf(undefined);
  plugin.register(recorder.api());
  expect(recorder.routes.map(({ path }) => path)).toEqual(["/plugins/webhooks"]);
});

test("TOTAL-1: registration never throws, even if parts of the Gateway's API are missing", () => {
  const boom = (): never => {
    throw new Error("secret-of-route-a-0123456789");
  };
  const recorder = new Recorder();
  const broken: readonly unknown[] = [
    recorder.api({ registerHttpRoute: boom }),
    recorder.api({ registerService: boom }),
    { ...recorder.api(), runtime: undefined },
    { ...recorder.api(), logger: { info: boom, warn: boom, error: boom, debug: boom } },
    { ...recorder.api(), lifecycle: undefined },
    { ...recorder.api(), lifecycle: {} },
    recorder.api({ runtime: { ...recorder.api().runtime, config: { current: boom } } }),
  ];
  for (const api of [undefined, null, ...broken]) plugin.register(api as PluginApi);
  expect(recorder.lines.join("\n")).not.toContain(ROUTE_A.secret);
  expect(recorder.lines.some((line) => line.startsWith("error [webhooks] could not start"))).toBe(true);
});

test("ROUTE-2, ROUTE-3: requests without a live route are handed on, also those to an unresolved route", async () => {
  const recorder = new Recorder();
  plugin.register(recorder.api());
  const ask = await serve(recorder);
  expect(await ask(PATH_A)).toBe(200);
  expect([
    await ask("/plugins/webhooks/nope"),
    await ask("/plugins/webhooks/cold"),
    await ask("/plugins/webhooks"),
  ]).toEqual([404, 404, 404]);
});

test("CONFIG-5: a reloaded secret opens its route, the old one no longer does, and counters continue", async () => {
  const recorder = new Recorder();
  plugin.register(recorder.api());
  const ask = await serve(recorder);
  const health: string[] = [];
  const serviceHealth = {
    reportFailure: (error: unknown) => void health.push(String(error)),
    clearFailure: () => void health.push("clear"),
  };
  for (const service of recorder.services) service.start({ serviceHealth });
  expect(health).toEqual([expect.stringContaining("route cold cold: secret is empty or could not be resolved")]);
  const warm = { ...CONFIG.routes.cold, secret: "the-repaired-secret-0123456789" };
  recorder.snapshot = snapshotOf({
    routes: {
      ...CONFIG.routes,
      cold: warm,
      [ROUTE_A.id]: { sessionKey: ROUTE_A.sessionKey, secret: "rotated-secret-0123456789" },
    },
  });
  expect([
    await ask("/plugins/webhooks/cold", warm.secret),
    await ask(PATH_A),
    await ask(PATH_A, "rotated-secret-0123456789"),
  ]).toEqual([200, 401, 200]);
  expect(health.slice(1)).toEqual(["clear"]);
  expect(recorder.lines.filter((line) => line.startsWith("info"))).toEqual([
    expect.stringContaining("solved: route cold cold"),
  ]);
  for (const service of recorder.services) service.stop();
});

test("SCOPE-1: a session is bound once, however many requests ask for it", async () => {
  const recorder = new Recorder();
  plugin.register(recorder.api());
  const ask = await serve(recorder);
  for (let asked = 0; asked < 3; asked += 1) {
    expect([await ask(PATH_A), await ask(PATH_B, ROUTE_B.secret)]).toEqual([200, 200]);
  }
  expect(recorder.bound.toSorted()).toEqual([ROUTE_A.sessionKey, ROUTE_B.sessionKey]);
});

test("ROUTE-2: a disposed plugin serves nothing", async () => {
  const recorder = new Recorder();
  plugin.register(recorder.api());
  const ask = await serve(recorder);
  for (const dispose of recorder.disposers) dispose();
  expect(await ask(PATH_A)).toBe(404);
});

test("M-2, CONFIG-5: routes are the newest configuration's, while the live snapshot is still the old one, and follow its next", async () => {
  const recorder = new Recorder();
  const routes = { added: { sessionKey: "s", secret: ROUTE_B.secret, path: "/hooks/added" } };
  plugin.register(recorder.api({ pluginConfig: { routes } }));
  expect(recorder.routes.map(({ path }) => path)).toEqual(["/plugins/webhooks", "/hooks/added"]);
  const ask = await serve(recorder);
  expect([await ask("/hooks/added", ROUTE_B.secret), await ask(PATH_A)]).toEqual([200, 404]);
  recorder.snapshot = snapshotOf({ routes: { added: { ...routes.added, secret: ROUTE_A.secret } } });
  expect([await ask("/hooks/added", ROUTE_B.secret), await ask("/hooks/added")]).toEqual([401, 200]);
});

test("CONFIG-5: the table is rebuilt only if the block is another object, and survives an unreadable snapshot", () => {
  let snapshot: () => unknown = () => snapshotOf(CONFIG);
  const told: (readonly string[])[] = [];
  const onProblems = (...lines: (readonly string[])[]): void => void told.push(...lines);
  const live = new LiveRoutes({ sha256, onProblems, onRules: () => undefined }, CONFIG, snapshotOf(CONFIG));
  const current = () => {
    live.follow(readSnapshot(snapshot));
    return live.config;
  };
  const first = current();
  expect(current()).toBe(first);
  snapshot = () => {
    throw new Error("gone");
  };
  expect(current()).toBe(first);
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  snapshot = () => ({ plugins: revoked.proxy });
  expect(current()).toBe(first);
  snapshot = () => snapshotOf({ ...CONFIG });
  expect(current()).not.toBe(first);
  expect(told.map((lines) => lines.length)).toEqual([1, 1, 0, 1, 0, 0]);
  const last = current();
  for (const odd of [undefined, null, 1, "x"]) {
    snapshot = () => odd;
    expect(current()).toBe(last);
  }
  for (const odd of [{}, { plugins: 1 }, Object.create({ plugins: 1 })]) {
    snapshot = () => odd;
    expect(current().routes.size).toBe(0);
  }
});

test("CONFIG-5: while the Gateway has no configuration to read, requests are answered as before, and a line a minute says so", async () => {
  const recorder = new Recorder();
  recorder.snapshot = snapshotOf(CONFIG);
  plugin.register(recorder.api({ pluginConfig: CONFIG }));
  const ask = await serve(recorder);
  for (const odd of [null, undefined]) {
    recorder.snapshot = odd;
    expect(await ask(PATH_A)).toBe(200);
  }
  const said = recorder.lines.filter((line) => line.includes("cannot be read at the moment"));
  expect(said).toEqual([expect.stringContaining("the routes stay as they are")]);
});

test("AUDIT-1: rules are explained in the log, once for each change and without the session key", () => {
  const told: (readonly string[])[] = [];
  const onRules = (added: readonly string[]): void => void told.push(added);
  const rule = (key: string) => ({ key, do: { action: "finish_flow" } });
  const ruled = { sessionKey: ROUTE_A.sessionKey, secret: ROUTE_A.secret };
  const routes = { zapier: { ...ruled, deliveries: [rule("x agent:main:owner-a")] } };
  const live = new LiveRoutes({ sha256, onProblems: () => undefined, onRules }, { routes }, undefined);
  live.follow(snapshotOf({ routes: { ...routes } }));
  live.follow(snapshotOf({ routes: { zapier: { ...ruled, deliveries: [rule("x")] } } }));
  const line = (key: string): string =>
    `route zapier: deliveries[0]: always: finish_flow of the flow that is bound to key "${key}"`;
  expect(told).toEqual([["route zapier: takes deliveries with its secret", line("x [hidden]")], [], [line("x")]]);
  const recorder = new Recorder();
  recorder.snapshot = snapshotOf({ routes });
  plugin.register(recorder.api());
  expect(recorder.lines).toContain(`info [webhooks] ${line("x [hidden]")}`);
});

test("AUDIT-3: warnings that callers can cause are shown once a minute for each topic, everything at debug level", () => {
  const lines: string[] = [];
  let now = 0;
  const keep = (message: string): void => void lines.push(message);
  const log = new Log({ info: keep, warn: keep, error: keep }, () => now);
  const refused = { status: 401, code: "unauthorized", routeId: "a", client: "10.0.0.1" };
  for (const at of [0, 1, 59_999, 60_000]) {
    now = at;
    log.audit(refused);
    log.audit({ status: 200, routeId: "a" });
  }
  log.audit({ ...refused, routeId: "b" });
  log.audit({ ...refused, code: "rate_limited" });
  for (const line of ["x", "y"]) log.warnSometimes(`route a get_flow: the host failed: ${line}`, "route a get_flow");
  expect(lines.length).toBe(5);
  expect(lines[0]).toBe(
    "[webhooks] a request with a missing or wrong secret or signature was refused (route=a client=10.0.0.1 status=401 code=unauthorized); more of these are not shown for a minute",
  );
});

const from = (peer: string | undefined, headers: Readonly<Record<string, string>> = {}): IncomingMessage =>
  ({ headers, socket: { remoteAddress: peer } }) as never;

const trusting = (trustedProxies: unknown, allowRealIpFallback: unknown = false): unknown => ({
  gateway: { trustedProxies, allowRealIpFallback },
});

test("LIMIT-8: attribution hop by hop, with its memory, gives the same as the Gateway's function on the whole chain", () => {
  const hop = fc.constantFrom("10.0.0.1", " 10.0.0.2", "127.0.0.1", "192.0.2.1", "unknown", "", "2001:db8::1");
  const chain = fc.array(hop, { maxLength: 6 }).map((hops) => hops.join(","));
  const trust = fc.constantFrom(
    trusting([]),
    trusting(["192.0.2.1"]),
    trusting(["192.0.2.2"]),
    trusting(["192.0.2.1", "10.0.0.2"]),
    trusting(["192.0.2.1", "10.0.0.1"]),
    trusting(["192.0.2.1"], true),
  );
  const peer = fc.constantFrom("192.0.2.1", "192.0.2.2");
  const sent = fc.record({ chain, real: hop, peer, trust });
  fc.assert(
    fc.property(fc.array(sent, { maxLength: 30 }), (requests) => {
      const clientOf = clientBy(resolveAsGateway);
      for (const one of requests) {
        const headers = { "x-forwarded-for": one.chain, "x-real-ip": one.real };
        const { trustedProxies, allowRealIpFallback } = proxyTrust(one.trust);
        const whole = resolveAsGateway(
          { socket: { remoteAddress: one.peer }, headers },
          [...trustedProxies],
          allowRealIpFallback,
        );
        expect(clientOf(from(one.peer, headers), one.trust)).toBe(whole ?? one.peer);
      }
    }),
    { numRuns: runs(300) },
  );
});

const ADDRESSES = ["10.0.0.1", "192.0.2.1", "198.51.100.77", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"];
const MORE = ["0:0:0:0:0:0:0:1", "::ffff:198.51.100.3", "2001:db8::1", "2001:db8:1::9", "2001:DB8::F", "fe80::1%eth0"];
const NO_ADDRESS = [
  "unknown",
  "_hidden",
  "",
  "10.0.0",
  "10.0.0.256",
  "010.0.0.1",
  "1",
  "10.0.0.1:1:2",
  "1::2::3",
  "[10.0.0.3",
];

test("LIMIT-8: the standalone server attributes a request as the plugin in a Gateway does", () => {
  const written = fc.tuple(fc.constantFrom(...ADDRESSES, ...MORE), fc.nat({ max: 4 })).map(([address, style]) => {
    const port = address.includes(":") ? `[${address}]:4711` : `${address}:4711`;
    return [address, ` ${address} `, `[${address}]`, port, `[${address}]:1`][style] ?? address;
  });
  const hop = fc.oneof(written, fc.constantFrom(...NO_ADDRESS));
  const chain = fc.array(hop, { maxLength: 6 }).map((hops) => hops.join(","));
  const peer = fc.constantFrom(
    "192.0.2.1",
    "::ffff:192.0.2.1",
    "198.51.100.1",
    "2001:db8:1::2",
    "203.0.113.9",
    "127.0.0.1",
  );
  const proxies = ["192.0.2.1", "198.51.100.0/24", "2001:db8:1::/48"];
  const { clientOf } = forwardedClient(proxies);
  const seen = new Set<string | undefined>();
  fc.assert(
    fc.property(peer, chain, (address, forwarded) => {
      const request = from(address, { "x-forwarded-for": forwarded });
      const client = clientOf(request);
      expect(client).toBe(clientBy(resolveAsGateway)(request, trusting(proxies)));
      seen.add(client);
    }),
    { numRuns: runs(2000) },
  );
  expect(seen.size).toBeGreaterThan(8);
});

test.each([
  ", 127.0.0.1",
  ", ::1",
  ", [::1]:80",
  ", unknown",
  ", _hidden",
  ",",
  ", 192.0.2.1",
  ", 127.0.0.1:80, unknown",
])("LIMIT-8: behind a trusted proxy, 10.0.0.1%s is 10.0.0.1", (rest) => {
  const request = from("192.0.2.1", { "x-forwarded-for": `203.0.113.9, 10.0.0.1${rest}` });
  expect(forwardedClient(["192.0.2.1"]).clientOf(request)).toBe("10.0.0.1");
});

test("LIMIT-8: a resolver that changes the list that it is given changes nothing else", () => {
  const hosts = (trustedProxies: string[]): string[] => trustedProxies.splice(0);
  const clientOf = clientBy((sender, proxies, real) => resolveAsGateway(sender, hosts(proxies), real));
  const sent = from("192.0.2.1", { "x-forwarded-for": "10.0.0.9,10.0.0.2,192.0.2.1" });
  expect(clientOf(sent, trusting(["192.0.2.1", "10.0.0.2"]))).toBe("10.0.0.9");
  expect(clientOf(sent, trusting([]))).toBe("192.0.2.1");
});

test("LIMIT-7: only the end of a long forwarding header is read, and no hop to the left of the client", () => {
  const asked: string[] = [];
  const clientOf = clientBy((sender, proxies, real) => {
    if (sender.socket.remoteAddress !== undefined) asked.push(Object.values(sender.headers).join("|"));
    return resolveAsGateway(sender, proxies, real);
  });
  const trust = trusting(["192.0.2.1"]);
  const sent = (headers: Readonly<Record<string, string>>) => clientOf(from("192.0.2.1", headers), trust);
  expect(sent({ "x-forwarded-for": `${"10.0.0.1, ".repeat(1400)}10.0.0.2` })).toBe("10.0.0.2");
  expect(asked).toEqual([" 10.0.0.2|"]);
  asked.length = 0;
  expect(sent({ "x-forwarded-for": "10.0.0.1,".concat("x,".repeat(8000)), "x-real-ip": "y".repeat(9000) })).toBe(
    "192.0.2.1",
  );
  expect(asked).toEqual(["x|", `|${"y".repeat(512)}`]);
});

test("LIMIT-8: odd shapes of the live configuration trust no proxy", () => {
  const odd = [undefined, UNREADABLE, {}, { gateway: { trustedProxies: "192.0.2.1", allowRealIpFallback: "yes" } }];
  for (const snapshot of odd) {
    const clientOf = clientBy(resolveAsGateway);
    expect(clientOf(from("192.0.2.1", { "x-forwarded-for": "10.0.0.1" }), snapshot)).toBe("192.0.2.1");
    expect(proxyTrust(snapshot)).toEqual({ trustedProxies: [], allowRealIpFallback: false });
  }
  expect(proxyTrust(trusting(["192.0.2.1", 7], true))).toEqual({
    trustedProxies: ["192.0.2.1"],
    allowRealIpFallback: true,
  });
});

test("LIMIT-8: the Gateway's own attribution counts", () => {
  let made: string | undefined = "10.9.9.9";
  const clientOf = clientBy(({ socket }) => socket.remoteAddress ?? made);
  expect(clientOf(from("10.0.0.1"), undefined)).toBe("10.9.9.9");
  made = undefined;
  expect(clientOf(from(undefined), undefined)).toBe(undefined);
});

/** Visits of the Nth address behind a trusted proxy, and how often the Gateway's function was asked for a client. */
const visits = () => {
  let asked = 0;
  const clientOf = clientBy((sender, proxies, real) => {
    if (sender.socket.remoteAddress !== undefined) asked += 1;
    return resolveAsGateway(sender, proxies, real);
  });
  const visit = (n: number): void => {
    const address = `10.${String(n >> 16)}.${String((n >> 8) & 255)}.${String(n & 255)}`;
    // the snapshot may be another object each time: what it says counts
    expect(clientOf(from("192.0.2.1", { "x-forwarded-for": address }), trusting(["192.0.2.1"]))).toBe(address);
  };
  return { visit, asked: () => asked };
};

test("LIMIT-7: of 9,000 addresses that come in turn, again and again, each is asked for once", () => {
  const { visit, asked } = visits();
  for (let round = 0; round < 3; round += 1) for (let n = 0; n < 9000; n += 1) visit(n);
  expect(asked()).toBe(9000);
});

test("LIMIT-7: the last 8,192 new addresses are remembered, whatever came before, and never more than 16,384", () => {
  const { visit, asked } = visits();
  for (let n = 0; n < 20_000; n += 1) visit(n);
  for (let n = 20_000 - 8192; n < 20_000; n += 1) visit(n);
  expect(asked()).toBe(20_000);
  for (let n = 20_000 - 16_385; n >= 0; n -= 1) visit(n);
  expect(asked()).toBe(20_000 + 20_000 - 16_384);
});

test("REPLY-1: the plugin has the id of its manifest", () => {
  const file = join(import.meta.dirname, "..", "..", "..", "openclaw.plugin.json");
  const manifest = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  expect([plugin.id, plugin.name]).toEqual([manifest["id"], manifest["name"]]);
  expect(plugin.description).toMatch(/^Authenticated webhook routes .*\.$/u);
});

test("REPLY-4: with a logger that cannot be asked for its level, callers still get answers", () => {
  const closed = (): never => {
    throw new Error("closed");
  };
  const logger = Object.defineProperty({ info: closed, warn: closed, error: closed }, "debug", { get: closed });
  const log = new Log(logger, () => 0);
  log.audit({ status: 401, code: "unauthorized" });
  log.write("debug", "x");
  let made = 0;
  const quiet = new Log({ info: () => 0, warn: () => 0, error: () => 0 }, () => 0);
  const event = {
    status: 200,
    get client() {
      made += 1;
      return "x";
    },
  };
  quiet.audit(event);
  expect(made).toBe(0);
});

test("AUDIT-3: each answer is a debug line, and a limited client a warning with its route and network", () => {
  const lines: string[] = [];
  const log = new Log(
    {
      debug: (line) => lines.push(`debug ${line}`),
      info: () => 0,
      warn: (line) => lines.push(`warn ${line}`),
      error: () => 0,
    },
    () => 0,
  );
  log.audit({ status: 200, routeId: "a", client: "10.0.0.1" });
  log.audit({ status: 429, code: "rate_limited", routeId: "a", client: "10.0.0.1" });
  expect(lines).toEqual([
    "debug [webhooks] route=a client=10.0.0.1 status=200",
    "debug [webhooks] route=a client=10.0.0.1 status=429 code=rate_limited",
    "warn [webhooks] a client reached the rate limit (route=a client=10.0.0.1 status=429 code=rate_limited); more of these are not shown for a minute",
  ]);
});

test("WAIT-6: a stop and the end of the registration answer the requests that wait, and after a new start requests wait again", async () => {
  const recorder = new Recorder();
  plugin.register(recorder.api());
  let port = 0;
  const server = createServer((request, response) => void recorder.routes[0]?.handler(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stop = () => void server.close();
  ({ port } = server.address() as AddressInfo);
  const post = async (body: object): Promise<{ readonly flowId: string; readonly revision: number }> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };
    const sent = await fetch(`http://127.0.0.1:${String(port)}${PATH_A}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return ((await sent.json()) as { result: { flow: { flowId: string; revision: number } } }).result.flow;
  };
  const { flowId } = await post({ action: "create_flow", goal: "g" });
  const [service] = recorder.services;
  for (const end of [() => service?.stop(), () => recorder.disposers[0]?.()]) {
    let isAnswered = false;
    const waiting = post({ action: "get_flow", flowId, afterRevision: 0, waitSeconds: 20 });
    void waiting.then(() => (isAnswered = true));
    // behind the one that waits on its way to the host
    await post({ action: "get_flow", flowId, afterRevision: 0, waitSeconds: 1 });
    expect(isAnswered).toBe(false);
    end();
    expect((await waiting).revision).toBe(0);
    service?.start({});
  }
});
