// The Gateway's managed flows, behind the installed plugin, pass the suites that every store and surface passes.

import { after, before, describe, test } from "node:test";
import { webhookSuite } from "../../../adapters/conformance/index.ts";
import { Gateway, gatewayConfig, type HostName, PACKED } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const ROUTES = {
  left: { sessionKey: "agent:main:conformance:left", secret: "conformance-left-0123456789" },
  right: { sessionKey: "agent:main:conformance:right", secret: "conformance-right-0123456789" },
} as const;

let gateway: Gateway;
before(async () => {
  gateway = await Gateway.start(HOST, gatewayConfig(ROUTES), [PACKED]);
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
