// The standalone server, run in this process: health, stopping, sweeping, and listening.

import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { err, ok } from "neverthrow";
import { expect, test } from "vitest";
import { startSweeping } from "../../../adapters/flows/sweeper.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import { createNodeListener } from "../../../adapters/node/index.ts";
import { type RunningServer, startServer } from "../../../adapters/server/server.ts";
import { CONFIG, PATH_A, ROUTE_A } from "../../core/arbitraries.ts";
import * as certificates from "../../support/certificates.ts";

const HEADERS = { "content-type": "application/json", authorization: `Bearer ${ROUTE_A.secret}` };
const LIST = '{"action":"list_flows"}';
const logger = { info: () => undefined, warn: () => undefined, error: console.error };

const start = async (flows: FlowStore = memoryFlows(), isReady = () => true): Promise<RunningServer> => {
  const listener = createNodeListener({ config: CONFIG, flows, logger });
  return (await startServer({ listener, host: "127.0.0.1", port: 0, isReady }))._unsafeUnwrap();
};

const post = (server: RunningServer): Promise<Response> =>
  fetch(server.url + PATH_A, { method: "POST", headers: HEADERS, body: LIST });

/** A store whose lists wait until they are released. */
const slowStore = () => {
  const flows = memoryFlows();
  let letGo = (): void => undefined;
  const gate = new Promise<void>((resolve) => (letGo = resolve));
  let asked = (): void => undefined;
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const store: FlowStore = {
    execute: async (owner, action, report) => {
      if (action.action === "list_flows") {
        asked();
        await gate;
      }
      return flows.execute(owner, action, report);
    },
  };
  return { store, letGo, isAsked };
};

test("health shows that the process lives and whether it accepts requests, and nothing else", async () => {
  let isReady = true;
  const server = await start(memoryFlows(), () => isReady);
  const ask = async (path: string): Promise<unknown> => {
    const answered = await fetch(server.url + path);
    return [answered.status, answered.headers.get("cache-control"), await answered.json()];
  };
  expect(await ask("/healthz")).toEqual([200, "no-store", { ok: true }]);
  expect(await ask("/readyz")).toEqual([200, "no-store", { ok: true }]);
  isReady = false;
  expect(await ask("/healthz")).toEqual([200, "no-store", { ok: true }]);
  expect(await ask("/readyz")).toEqual([503, "no-store", { ok: false }]);
  for (const path of ["/healthz?x=1", "/healthz/", "/healthz/?", "//healthz", "/HealthZ"])
    expect([path, await ask(path)]).toEqual([path, [200, "no-store", { ok: true }]]);
  for (const path of ["/readyz?x=1", "/readyz/"])
    expect([path, await ask(path)]).toEqual([path, [503, "no-store", { ok: false }]]);
  for (const path of ["/healthz/x", "/healthzx", "/x/healthz", "/?/healthz"])
    expect([path, await ask(path)]).toMatchObject([path, [404, "no-store", { code: "route_not_found" }]]);
  expect(await ask("/")).toMatchObject([404, "no-store", { code: "route_not_found" }]);
  const { port } = new URL(server.url);
  /** The status for a target as it stands in the request line. */
  const askRaw = async (target: string): Promise<string> => {
    const socket = connect(Number(port), "127.0.0.1");
    socket.end(`GET ${target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n`);
    return (await text(socket)).slice(9, 12);
  };
  for (const [target, status] of [
    ["http://h/healthz", "200"],
    ["HTTPS://h:1//ReadyZ/?x", "503"],
    ["http:///healthz", "404"],
    ["http://h/x/healthz", "404"],
    ["http://h?/healthz", "404"],
    ["http://h", "404"],
  ] as const) {
    expect([target, await askRaw(target)]).toEqual([target, status]);
  }
  expect(await server.stop()).toBe("drained");
});

test("SERVE-2: a stop answers admitted requests, accepts no new ones, and closes idle connections", async () => {
  const { store, letGo, isAsked } = slowStore();
  const server = await start(store);
  await (await fetch(`${server.url}/healthz`)).text();
  const answered = post(server);
  await isAsked;
  const stopped = server.stop();
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  letGo();
  const { status, headers } = await answered;
  expect([status, headers.get("connection")]).toEqual([200, "close"]);
  expect(await stopped).toBe("drained");
});

test("SERVE-2: requests that do not end by the deadline are cut off", async () => {
  const { store, isAsked } = slowStore();
  const server = await start(store);
  const cut = expect(post(server)).rejects.toThrow();
  await isAsked;
  expect(await server.stop(20)).toBe("cut_off");
  await cut;
});

test("an address that cannot be listened on gives the system's error code", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port }: { readonly port: number } = Object(taken.address());
  const listener = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger });
  const options = { listener, host: "127.0.0.1", port, isReady: () => true };
  expect((await startServer(options))._unsafeUnwrapErr()).toEqual({ code: "EADDRINUSE" });
  taken.close();
});

test("SERVE-3: new connections get the renewed certificate, and one that does not fit its key changes nothing", async () => {
  const { KEY } = certificates;
  const listener = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger });
  const options = { listener, host: "127.0.0.1", port: 0, isReady: () => true };
  const server = (await startServer({ ...options, tls: { cert: certificates.GOOD, key: KEY } }))._unsafeUnwrap();
  const shown = async (): Promise<string> => {
    const socket = connectTls({ port: Number(new URL(server.url).port), host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return new X509Certificate(raw).serialNumber;
  };
  const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber;
  expect(await shown()).toBe(serialOf(certificates.GOOD));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const other = privateKey.export({ type: "pkcs8", format: "pem" });
  expect(server.renew({ cert: certificates.EARLY, key: other }).isErr()).toBe(true);
  expect(await shown()).toBe(serialOf(certificates.GOOD));
  expect(server.renew({ cert: certificates.OTHER_NAME, key: KEY }).isOk()).toBe(true);
  expect(await shown()).toBe(serialOf(certificates.OTHER_NAME));
  await server.stop(0);
  const plain = (await startServer(options))._unsafeUnwrap();
  expect(plain.renew({ cert: certificates.GOOD, key: KEY }).isOk()).toBe(true);
  await plain.stop(0);
});

test("an IPv6 address is in brackets in the URL", async () => {
  const listener = createNodeListener({ config: CONFIG, flows: memoryFlows(), logger });
  const server = (await startServer({ listener, host: "::1", port: 0, isReady: () => true }))._unsafeUnwrap();
  expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/u);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  await server.stop();
});

test("STORE-3: sweeps run one after another, a failed one is reported, and none begins after the stop", async () => {
  const told: unknown[] = [];
  let swept = 0;
  let isRunning = false;
  const sweep = async () => {
    expect(isRunning).toBe(false);
    isRunning = true;
    await new Promise(setImmediate);
    isRunning = false;
    swept += 1;
    return swept === 2 ? err({ error: "locked" }) : ok(1);
  };
  const stop = startSweeping({ sweep }, { onFault: (error) => told.push(error), firstMs: 1, everyMs: 1 });
  await expect.poll(() => swept).toBeGreaterThan(3);
  await stop();
  const before = swept;
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(swept).toBe(before);
  expect(told).toEqual(["locked"]);
});

test.each(["", "GET /healthz HTTP/1.1\r\nhost:"])(
  "SERVE-2: a connection that has sent %j, and no request, does not delay a stop",
  async (sent) => {
    const server = await start();
    const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(sent);
    await (await fetch(`${server.url}/healthz`)).text();
    const gone = once(socket, "close");
    expect(await server.stop(5000)).toBe("drained");
    await gone;
  },
);

test.each([
  ["rejects", () => Promise.reject(new Error("broken"))],
  ["answers nothing", () => Promise.resolve(undefined)],
  ["throws", () => expect.fail("broken")],
])("STORE-3: a sweep that %s is reported, and the next one still runs", async (_, sweep) => {
  let told = 0;
  const onFault = (): void => {
    told += 1;
    throw new Error("nobody listens");
  };
  const stop = startSweeping({ sweep: sweep as never }, { onFault, firstMs: 1, everyMs: 1 });
  await expect.poll(() => told).toBeGreaterThan(2);
  await stop();
});
