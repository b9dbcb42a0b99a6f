// Who is shown the operator's page in a Gateway, over a real socket.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HttpRoute, PluginApi } from "../../../adapters/gateway/api.ts";
import { importScopes } from "../../../adapters/gateway/scopes.ts";
import { offerStatusPage } from "../../../adapters/gateway/status-page.ts";
import { memoryFlows } from "../../../adapters/flows/memory/index.ts";
import { Activity } from "../../../adapters/status/activity.ts";
import { createStatus } from "../../../adapters/status/document.ts";
import { loadConfig, sha256 } from "../../../core/index.ts";
import { runs } from "../../support/runs.ts";

let scopes: readonly string[] | undefined;
const registered: HttpRoute[] = [];
const api = { registerHttpRoute: (route: HttpRoute) => void registered.push(route) } as unknown as PluginApi;
let asked = 0;
const status = createStatus({
  config: () => ((asked += 1), loadConfig({}, sha256)),
  activity: new Activity(),
  store: memoryFlows(),
  clock: () => asked * 10_000,
});
offerStatusPage(
  api,
  status,
  Promise.resolve(() => scopes),
);
const server = createServer((request, response) => void registered[0]?.handler(request, response));
beforeAll(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)));
afterAll(() => void server.close());

const ask = (path: string, method: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/plugins/webhooks-status${path}`, {
    method,
  });

const READERS = ["operator.read", "operator.write", "operator.admin"];

test("GATEWAY-1: the page is shown to operators who may read alone, and made for no other; a Gateway that does not say is taken for no", async () => {
  const some = fc.subarray([
    ...READERS,
    "operator.approvals",
    "operator.sessions.read",
    "operator.rea",
    "node.read",
    "",
  ]);
  const path = fc.constantFrom("", "/", "/status.json", "/?a=/status.json");
  const method = fc.constantFrom("GET", "POST");
  await fc.assert(
    fc.asyncProperty(fc.option(some, { nil: undefined }), path, method, async (held, where, how) => {
      scopes = held;
      const before = asked;
      const { status: code, headers } = await ask(where, how);
      const isReader = held?.some((scope) => READERS.includes(scope)) === true;
      if (!isReader) expect([code, asked]).toEqual([403, before]);
      else expect(code).toBe(how === "GET" ? 200 : 405);
      if (code !== 405) expect(headers.get("cache-control")).toBe("no-store");
    }),
    { numRuns: runs(150) },
  );
});

test("GATEWAY-1: the scopes are asked for as those of the operator, and outside of a Gateway there are none", async () => {
  expect(registered[0]).toMatchObject({ auth: "gateway", gatewayRuntimeScopeSurface: "trusted-operator" });
  expect((await importScopes())()).toBeUndefined();
});
