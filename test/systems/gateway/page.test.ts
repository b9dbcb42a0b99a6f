// The operator's page in a running Gateway: behind the Gateway's own authentication, and as a tab of its Control UI in a real browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { StatusDocument } from "../../../adapters/status/document.ts";
import { openBrowser } from "../../support/browser.ts";
import { Gateway, gatewayConfig, type HostName, PACKED, TOKEN } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const SECRET = "page-of-the-operator-0123456789";
const PAGE = "/plugins/webhooks-status";

const ROUTES = {
  live: { sessionKey: "agent:main:hook:live", secret: SECRET },
  cold: { sessionKey: "agent:main:hook:cold", secret: "${WEBHOOK_SECRET_THAT_IS_NOT_SET}" },
};

let gateway: Gateway;
let browser: Browser;
before(async () => {
  gateway = await Gateway.start(HOST, gatewayConfig(ROUTES), [PACKED]);
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await gateway?.discard();
});

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${gateway.base}${path}`, { ...init, headers: { authorization: `Bearer ${TOKEN}` } });

test(
  "STATUS-1, STATUS-3: only the Gateway's operators see the page, and nobody changes anything by it",
  { timeout: 120_000 },
  async () => {
    for (const path of [PAGE, `${PAGE}/status.json`]) {
      assert.equal((await fetch(`${gateway.base}${path}`)).status, 401, path);
      assert.equal(
        (await fetch(`${gateway.base}${path}`, { headers: { authorization: `Bearer ${SECRET}` } })).status,
        401,
        path,
      );
      assert.equal((await ask(path)).status, 200, path);
      assert.equal((await ask(path, { method: "POST" })).status, 405, path);
    }
    await gateway.post("/plugins/webhooks/live", SECRET, { action: "create_flow", goal: "Seen" });
    await gateway.post("/plugins/webhooks/live", "wrong", { action: "list_flows" });
    await gateway.until("both requests are counted", async () => {
      const found = (await (await ask(`${PAGE}/status.json`)).json()) as StatusDocument;
      return found.latest.length === 2 && (found.flows.open ?? []).length === 1;
    });
    const text = await (await ask(`${PAGE}/status.json`)).text();
    const found = JSON.parse(text) as StatusDocument;
    assert.deepEqual(
      found.routes.map(({ id, state }) => [id, state]),
      [
        ["live", "live"],
        ["cold", "cold"],
      ],
    );
    assert.deepEqual(found.codes, [{ code: "unauthorized", count: 1 }]);
    for (const hidden of [SECRET, "agent:main:hook", TOKEN]) assert.ok(!text.includes(hidden), hidden);
  },
);

test(
  "GATEWAY-1: an operator without the scope is not shown the page, whatever the path; one who may read or write is",
  { timeout: 240_000 },
  async () => {
    const config = {
      ...gatewayConfig(ROUTES),
      gateway: {
        mode: "local",
        bind: "loopback",
        trustedProxies: ["127.0.0.1"],
        auth: { mode: "trusted-proxy", trustedProxy: { userHeader: "x-forwarded-user", allowLoopback: true } },
      },
    };
    const proxied = await Gateway.start(HOST, config, [PACKED], { OPENCLAW_GATEWAY_TOKEN: undefined });
    try {
      const seen = async (scopes: string, path: string): Promise<number> => {
        const headers = { "x-forwarded-user": "guest@example.com", "x-forwarded-for": "203.0.113.9" };
        return (await fetch(`${proxied.base}${path}`, { headers: { ...headers, "x-openclaw-scopes": scopes } })).status;
      };
      for (const path of [PAGE, `${PAGE}/status.json`]) {
        for (const scopes of ["", "operator.approvals", "operator.pairing,operator.questions"])
          assert.deepEqual([scopes, await seen(scopes, path)], [scopes, 403]);
        for (const scopes of ["operator.read", "operator.write", "operator.approvals, operator.admin"])
          assert.deepEqual([scopes, await seen(scopes, path)], [scopes, 200]);
      }
    } finally {
      await proxied.discard();
    }
  },
);

test("the Control UI shows the page in a tab of its own", { timeout: 180_000 }, async () => {
  const page = await browser.newPage();
  await page.goto(`${gateway.base}/webhooks#token=${TOKEN}`);
  const frame = page.frameLocator(`iframe[src^="${PAGE}"]`);
  await frame.getByText("cold", { exact: true }).first().waitFor({ timeout: 60_000 });
  const routes = await frame.locator("#routes tbody tr").allInnerTexts();
  assert.deepEqual(
    routes.map((row) => row.split(/\s/u)[0]),
    ["cold", "live"],
  );
  assert.match(await frame.locator("#codes").innerText(), /unauthorized/u);
  const before = await frame.locator("#when").innerText();
  // one document serves all who ask within two seconds
  await gateway.until("the page is loaded again", async () => {
    await frame.getByRole("button", { name: "Refresh" }).click();
    return (await frame.locator("#when").innerText()) !== before;
  });
  await page.close();
});
