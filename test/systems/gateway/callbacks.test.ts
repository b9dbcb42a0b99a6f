// NOTIFY-10, NOTIFY-3: callbacks of a real Gateway, whoever changes the flows, while it is killed again and again.

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { after, before, test } from "node:test";
import { SECRET } from "../../support/callbacks.ts";
import { Receiver, status, verify } from "../../support/receiver.ts";
import { type Answer, Gateway, gatewayConfig, type HostName, PACKED, withRoutes } from "./harness.ts";

const HOST = (process.env["GATEWAY_HOST"] ?? "host") as HostName;
const KILLS = Number(process.env["GATEWAY_KILLS"] ?? 3);
const SESSION = "agent:main:hook:callbacks";
const OPENING = "callbacks-secret-0123456789";
const HOOK = "/plugins/webhooks/told";

type Told = { readonly type: string; readonly data: { readonly flow: { readonly flowId: string } } };

const receiver = new Receiver();
let gateway: Gateway;
before(async () => {
  await receiver.start();
  gateway = await Gateway.start(HOST, gatewayConfig({ told: { sessionKey: SESSION, secret: OPENING } }), [PACKED]);
});
after(async () => {
  await gateway.discard();
  await receiver.close();
});

let clients = 0;
const ask = (body: unknown): Promise<Answer> => {
  clients += 1;
  return gateway.post(HOOK, OPENING, body, `10.7.${String(clients >> 8)}.${String(clients & 255)}`);
};
const flowIn = ({ json }: Answer): { readonly flowId: string; readonly revision: number } =>
  (json as { result: { flow: { flowId: string; revision: number } } }).result.flow;
const told = (): readonly Told[] => receiver.got.map(({ body }) => JSON.parse(body) as Told);
const isTold = (flowId: string, type: string): boolean =>
  told().some((one) => one.type === type && one.data.flow.flowId === flowId);

test("NOTIFY-10: without notify nothing is made; with it, changes since then are told, and not what was there", async () => {
  const old = flowIn(await ask({ action: "create_flow", goal: "Old", status: "waiting" })).flowId;
  assert.deepEqual(globSync("openclaw-webhooks/*", { cwd: gateway.state }), []);
  const notify = { url: receiver.origin, secret: SECRET };
  gateway.edit(withRoutes((routes) => ({ told: { ...(routes["told"] as object), notify } })));
  await gateway.until(
    "the file of the plugin is there",
    () => globSync("openclaw-webhooks/*", { cwd: gateway.state }).length > 0,
  );
  let made: Answer | undefined;
  await gateway.until("the route serves again", async () => {
    made = await ask({ action: "create_flow", goal: "New", status: "waiting" });
    return made.status === 200;
  });
  const { flowId } = flowIn(made ?? assert.fail());
  await gateway.until("the new flow is told", () => isTold(flowId, "flow.waiting"));
  await ask({ action: "finish_flow", flowId, expectedRevision: 0 });
  await gateway.until("its end is told", () => isTold(flowId, "flow.ended"));
  assert.ok(!isTold(old, "flow.waiting"));
  for (const got of receiver.got) verify(SECRET, got);
  assert.ok(!receiver.got.some(({ body }) => body.includes(SESSION)));
});

test(`NOTIFY-3, NOTIFY-10: each end is told under one id, over ${String(KILLS)} kills of the Gateway`, async () => {
  const ended: string[] = [];
  receiver.answering = (response, got, number) => status(number % 2 === 0 ? 200 : 503)(response, got, number);
  for (let kill = 0; kill < KILLS; kill += 1) {
    for (let number = 0; number < 5; number += 1) {
      const { flowId } = flowIn(await ask({ action: "create_flow", goal: "Killed" }));
      assert.equal((await ask({ action: "finish_flow", flowId, expectedRevision: 0 })).status, 200);
      ended.push(flowId);
    }
    await new Promise((resolve) => setTimeout(resolve, 700 * kill));
    await gateway.kill();
    await gateway.boot();
  }
  receiver.answering = status(200);
  await gateway.until("all are told", () => ended.every((flowId) => isTold(flowId, "flow.ended")), 90_000);
  const ids = new Map<string, Set<string>>();
  for (const { id, body } of receiver.got) {
    const { type, data } = JSON.parse(body) as Told;
    const name = `${type} ${data.flow.flowId}`;
    ids.set(name, (ids.get(name) ?? new Set()).add(id));
  }
  for (const [name, one] of ids) assert.equal(one.size, 1, name);
});
