// The Gateway's managed flows, behind the installed plugin, pass the suites that every store and surface passes.

import { after, before, describe, test } from "node:test";
import { flowStoreSuite, webhookSuite } from "../../../adapters/conformance/index.ts";
import { remembers } from "../../../adapters/conformance/deliveries.ts";
import type { FlowStore } from "../../../adapters/flows/flow-store.ts";
import { bareStore, packBareStore } from "./bare-store.ts";
import { Gateway, gatewayConfig, type HostName, PACKED } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const ROUTES = {
  left: { sessionKey: "agent:main:conformance:left", secret: "conformance-left-0123456789" },
  right: { sessionKey: "agent:main:conformance:right", secret: "conformance-right-0123456789" },
} as const;

let gateway: Gateway;
before(async () => {
  gateway = await Gateway.start(HOST, gatewayConfig(ROUTES), [PACKED, await packBareStore()]);
});
after(() => gateway.discard());

const endpoint = (id: keyof typeof ROUTES) => ({ url: `${gateway.base}/plugins/webhooks/${id}`, ...ROUTES[id] });

describe(`the plugin in ${HOST}`, () => {
  webhookSuite(test, {
    open: () => ({ routes: [endpoint("left"), endpoint("right")] }),
    asClient: (client) => ({
      "x-forwarded-for": `10.${String(client >> 16)}.${String((client >> 8) & 255)}.${String(client & 255)}`,
    }),
    runs: 25,
    // 2026.8.2 lists flows of the same millisecond in the order of creation
    ties: HOST === "host" ? "by_id" : "any",
  });
});

// the Gateway takes a token with spaces around it for the one without
const OWNERS = ["agent:main:conformance:one", "agent:main:conformance:other"] as const;

/**
 * The store alone takes deliveries that no route can send: any key, any body's fingerprint, a text that no rule makes. What is
 * there after a crash is asked of the deliveries only, because the Gateway's own sweep ends flows soon after a start.
 */
describe(`ONCE-6, BIND-1: the store in ${HOST}`, () => {
  flowStoreSuite(test, {
    open: () => bareStore(gateway),
    owners: OWNERS,
    runs: 10,
    many: 200,
    ties: HOST === "host" ? "by_id" : "any",
  });
  test("repeats and keys are known after kill -9", { timeout: 300_000 }, async () => {
    const restart = async (store: FlowStore): Promise<FlowStore> => {
      await gateway.kill();
      await gateway.boot();
      return store;
    };
    await remembers(restart)(bareStore(gateway), OWNERS);
  });
});
