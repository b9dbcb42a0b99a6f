import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PluginApi } from "../../../adapters/gateway/api.ts";
import { DESCRIPTOR, type HostCommand, METHOD, offerCommand, offerStatus } from "../../../adapters/gateway/command.ts";
import { Health } from "../../../adapters/gateway/health.ts";
import { offerStatusPage } from "../../../adapters/gateway/status-page.ts";
import { told } from "../../../adapters/bridge/told.ts";
import { memoryFlows } from "../../../adapters/flows/memory/index.ts";
import { Activity } from "../../../adapters/status/activity.ts";
import { createStatus, type StatusDocument } from "../../../adapters/status/document.ts";
import { loadConfig, sha256, STATUS_PATH } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

const tell = (written: unknown, health: Health = new Health()): Promise<StatusDocument> => {
  const config = loadConfig(written, sha256);
  return createStatus({
    config: () => config,
    activity: new Activity(),
    store: memoryFlows(),
    told: () => [...config.problems.map((problem) => told(problem)), ...health.of("paths").map((line) => ({ line }))],
    callbacks: () => health.of("callbacks"),
  })();
};

const SECRET = "k9Xw2Qz7Lp4Vb8Nt-secret";

const ids = fc.uniqueArray(fc.constantFrom("a", "b", "agent:main:hook:deep", "my-agent:main:hook:deep"), {
  maxLength: 4,
});
const kinds = fc.constantFrom("live", "cold", "skipped");

test("GATEWAY-1: each configured route is told once as it stands, with a line for why it does not live, and nothing hidden", async () => {
  const all = fc.tuple(ids, fc.array(kinds, { minLength: 4, maxLength: 4 }), fc.boolean());
  await fc.assert(
    fc.asyncProperty(all, async ([names, states, hasKeyInPath]) => {
      const session = "agent:main:hook:deep";
      const routes = Object.fromEntries(
        names.map((id, n) => {
          const secret = states[n] === "cold" ? "" : `${SECRET}${String(n)}`;
          const path = states[n] === "skipped" ? "no-slash" : `/hooks/${String(n)}${hasKeyInPath ? `/${session}` : ""}`;
          return [id, { sessionKey: session, secret, path }];
        }),
      );
      const told = await tell({ routes });
      expect(told.routes.map(({ state }) => state).toSorted()).toEqual(states.slice(0, names.length).toSorted());
      for (const { state, problems } of told.routes) {
        if (state !== "live") expect(problems.length).toBeGreaterThan(0);
      }
      const text = JSON.stringify(told);
      for (const hidden of [SECRET, session]) expect(text).not.toContain(hidden);
    }),
    { numRuns: runs(300) },
  );
});

test("GATEWAY-1: paths that the Gateway does not grant, callbacks that are not delivered and an unusable block are told", async () => {
  const health = new Health();
  health.set("paths", ["route late skipped: path is not granted of agent:main:main."]);
  health.set("callbacks", ["route a: callbacks wait."]);
  const document = await tell({ routes: 7 }, health);
  expect(document).toMatchObject({ routes: [], callbacks: ["route a: callbacks wait."] });
  expect(document.problems).toEqual([
    expect.stringContaining("routes must be an object"),
    "route late skipped: path is not granted of [hidden]",
  ]);
});

type Call = Parameters<NonNullable<PluginApi["registerGatewayMethod"]>>;

test("GATEWAY-1: the method answers operators who may read, and a status that fails is an error without its words", async () => {
  const registered: Call[] = [];
  const api = { registerGatewayMethod: (...call: Call) => void registered.push(call) } as unknown as PluginApi;
  offerStatus(api, () => ({ routes: [] }));
  offerStatus(api, () => Promise.reject(new Error(SECRET)));
  offerStatus({} as PluginApi, () => undefined);
  expect(registered.map(([name, , options]) => [name, options])).toEqual([
    [METHOD, { scope: "operator.read" }],
    [METHOD, { scope: "operator.read" }],
  ]);
  const answers: unknown[][] = [];
  const respond = (...answer: unknown[]): void => void answers.push(answer);
  for (const [, handler] of registered) await handler({ respond });
  expect(answers[0]).toEqual([true, { routes: [] }]);
  expect(answers[1]?.[0]).toBe(false);
  expect(JSON.stringify(answers)).not.toContain(SECRET);
});

test("GATEWAY-2: the command is offered under the name of the manifest, and all of its words go on", () => {
  const made: unknown[] = [];
  const command: HostCommand = {
    command: (name) => (made.push(name), command),
    description: (text) => (made.push(text), command),
    helpOption: (flags) => (made.push(flags), command),
    allowUnknownOption: () => (made.push("unknown options"), command),
    argument: (name) => (made.push(name), command),
    action: (run) => (made.push(typeof run), command),
  };
  const offered: unknown[] = [];
  const registerCli: PluginApi["registerCli"] = (add, options) => {
    offered.push(options);
    add({ program: command });
  };
  offerCommand({ registerCli } as unknown as PluginApi);
  offerCommand({} as PluginApi);
  expect(offered).toEqual([{ descriptors: [DESCRIPTOR] }]);
  expect(made).toEqual(["webhook", DESCRIPTOR.description, false, "unknown options", "[words...]", "function"]);
});

test("STATUS-3: the page and its document are at their own two paths, and nothing else below them", async () => {
  const registered: Parameters<PluginApi["registerHttpRoute"]>[0][] = [];
  const api = { registerHttpRoute: (one: (typeof registered)[number]) => registered.push(one) } as unknown as PluginApi;
  offerStatusPage(
    api,
    () => tell({ routes: {} }),
    Promise.resolve(() => ["operator.read"]),
  );
  const [route] = registered;
  const server = createServer((request, response) => void route?.handler(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}${STATUS_PATH}`;
  const got = async (path: string, method = "GET"): Promise<readonly unknown[]> => {
    const { status, headers } = await fetch(`${base}${path}`, { method });
    return [status, headers.get("content-type")?.split(";")[0]];
  };
  for (const path of ["", "/", "?x=1", "//"]) expect([path, ...(await got(path))]).toEqual([path, 200, "text/html"]);
  for (const path of ["/status.json", "/status.json?x", "/STATUS%2Ejson"])
    expect([path, ...(await got(path))]).toEqual([path, 200, "application/json"]);
  for (const path of ["/nope", "/status.json/x", "/x/status.json", "-more", "/%"])
    expect([path, (await got(path))[0]]).toEqual([path, 404]);
  expect(await got("/status.json", "POST")).toEqual([405, undefined]);
  server.close();
});
