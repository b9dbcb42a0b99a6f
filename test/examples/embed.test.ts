import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";

const SECRET = "embedded-secret-0123456789";

test("the README's embedding example runs, and is the one in the README", async () => {
  process.env["CI_SECRET"] = SECRET;
  process.env["PORT"] = "0";
  const { server } = await import("./embed.ts");
  if (!server.listening) await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const headers = { "content-type": "application/json", authorization: `Bearer ${SECRET}` };
  const body = '{"action":"create_flow","goal":"Review inbound queue"}';
  const answer = await fetch(`http://127.0.0.1:${String(port)}/plugins/webhooks/ci`, { method: "POST", headers, body });
  expect(await answer.json()).toMatchObject({
    ok: true,
    routeId: "ci",
    result: { created: true, flow: { controllerId: "webhooks/ci" } },
  });
  server.close();

  const asPackage = readFileSync(join(import.meta.dirname, "embed.ts"), "utf8")
    .replace("../../adapters/bridge/exchange.ts", "openclaw-webhooks/bridge")
    .replace("../../adapters/memory/limits.ts", "openclaw-webhooks/memory")
    .replace("../../adapters/node/index.ts", "openclaw-webhooks/node")
    .replace("../../core/index.ts", "openclaw-webhooks");
  expect(readFileSync(join(import.meta.dirname, "..", "..", "README.md"), "utf8")).toContain(asPackage.trim());
});
