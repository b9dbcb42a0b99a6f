// AUDIT-5, AUDIT-9, METRIC-4: in a real Gateway each request has a line in the audit file, also in one that an edit has named, and
// the Gateway's diagnostics are told.

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Answer, type Config, Gateway, gatewayConfig, type HostName, PACKED } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const SESSION = "agent:main:hook:audit";
const SECRET = "audit-secret-0123456789";
const HOOK = "/plugins/webhooks/audited";

const routes = { audited: { sessionKey: SESSION, secret: SECRET } };

/** The configuration with an audit file. */
const withAudit =
  (file: string) =>
  (config: Config): Config => {
    const plugins = config["plugins"] as { entries: Readonly<Record<string, Config>> };
    const webhooks = { ...plugins.entries["webhooks"], config: { routes, audit: { file } } };
    return { ...config, plugins: { ...plugins, entries: { ...plugins.entries, webhooks } } };
  };

let gateway: Gateway;
before(async () => {
  const config = gatewayConfig(routes, { logging: { level: "debug", consoleLevel: "debug" } });
  gateway = await Gateway.start(HOST, config, [PACKED]);
});
after(() => gateway.discard());

let clients = 0;
const ask = (secret = SECRET): Promise<Answer> => {
  clients += 1;
  return gateway.post(HOOK, secret, { action: "list_flows" }, `10.8.0.${String(clients)}`);
};

type Line = { readonly status: number; readonly client: string; readonly routeId: string; readonly secret?: string };
const linesIn = (file: string): readonly Line[] =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Line)
    : [];

test("AUDIT-5, AUDIT-9: each answer has its line, in the file that the configuration names at that time", async () => {
  const file = join(gateway.state, "openclaw-webhooks", "audit.jsonl");
  const other = join(gateway.state, "openclaw-webhooks", "other.jsonl");
  await ask();
  assert.deepEqual([existsSync(file), existsSync(other)], [false, false]);
  gateway.edit(withAudit("audit.jsonl"));
  await gateway.until("the file is written", async () => (await ask()).status === 200 && linesIn(file).length > 0);
  const before = linesIn(file).length;
  const first = clients;
  for (const secret of [SECRET, "wrong", SECRET]) await ask(secret);
  assert.deepEqual(
    linesIn(file)
      .slice(before)
      .map(({ status, client, routeId, secret }) => [status, client, routeId, secret]),
    [
      [200, `10.8.0.${String(first + 1)}`, "audited", "current"],
      [401, `10.8.0.${String(first + 2)}`, "audited", undefined],
      [200, `10.8.0.${String(first + 3)}`, "audited", "current"],
    ],
  );
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!readFileSync(file, "utf8").includes(SESSION));
  gateway.edit(withAudit("other.jsonl"));
  let answered = linesIn(file).length;
  await gateway.until("the other file is written", async () => {
    const { status } = await ask();
    if (status === 200) answered += 1;
    return linesIn(other).length > 0;
  });
  assert.equal(linesIn(file).length + linesIn(other).length, answered);
});

test("METRIC-4: the Gateway's diagnostics are told of requests by route", async () => {
  await ask();
  await gateway.until("it says so", () => /webhook processed: channel=webhooks type=audited/u.test(gateway.log));
  assert.match(gateway.log, /webhook received: channel=webhooks type=audited/u);
});
