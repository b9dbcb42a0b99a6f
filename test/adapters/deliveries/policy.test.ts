// Confined routes through a whole bridge: what the store is asked for, whatever is sent, mapped or repeated.

import fc from "fast-check";
import { expect, test } from "vitest";
import { memoryFlows } from "../../../adapters/flows/memory/store.ts";
import type { EmbeddedFlows } from "../../../adapters/flows/embedded-store.ts";
import { ACTIONS, type ActionName, type Delivery, type FlowAction } from "../../../core/index.ts";
import { goodBody } from "../../core/arbitraries.ts";
import { rig, type Sent, SECRETS, signed } from "../../support/deliveries.ts";
import { runs } from "../../support/runs.ts";

const SECRET = "secret-of-a-route-0123456789";
const BEARER = { authorization: `Bearer ${SECRET}` };
const PLAIN = { sessionKey: "agent:main:main", secret: SECRET };
const NAMES = Object.keys(ACTIONS) as ActionName[];

type Asked = { readonly action: FlowAction; readonly delivery: Delivery | undefined };

/** A memory store that keeps what it was asked. */
const recorded = (): { readonly flows: EmbeddedFlows; readonly asked: Asked[] } => {
  const flows = memoryFlows();
  const asked: Asked[] = [];
  const execute: EmbeddedFlows["execute"] = (owner, action, report, delivery) => {
    asked.push({ action, delivery });
    return flows.execute(owner, action, report, delivery);
  };
  return { flows: { ...flows, takesDeliveries: true, execute }, asked };
};

const create = JSON.stringify({ action: "create_flow", goal: "g" });

test("POLICY-1, POLICY-5: whatever is sent, with and without a key, the store is asked for what the policy allows, and no trace is left of the rest", async () => {
  const counted = { allowed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 }),
      fc.array(fc.tuple(goodBody, fc.option(fc.constantFrom("a", "b"))), { minLength: 1, maxLength: 8 }),
      async (actions, sent) => {
        const { flows, asked } = recorded();
        const to = rig({ r: { ...PLAIN, actions } }, { flows });
        const free = rig({ r: PLAIN });
        for (const [body, key] of sent) {
          const headers: Readonly<Record<string, string>> =
            key === null ? BEARER : { ...BEARER, "idempotency-key": key };
          const before = asked.length;
          const { status, body: said } = await to.send("r", JSON.stringify(body), headers);
          const isAllowed = actions.includes(body["action"] as ActionName);
          counted[isAllowed ? "allowed" : "refused"] += 1;
          expect([said.code === "action_not_allowed", status === 403]).toEqual([!isAllowed, !isAllowed]);
          if (!isAllowed) {
            expect([asked.length, said.result]).toEqual([before, { field: "action" }]);
            continue;
          }
          // a route without a policy that was never sent the refused requests says the same
          const same = await free.send("r", JSON.stringify(body), headers);
          expect([status, said.code, said.error]).toEqual([same.status, same.body.code, same.body.error]);
        }
        expect(asked.every(({ action }) => actions.includes(action.action))).toBe(true);
      },
    ),
    { numRuns: runs(100) },
  );
  expect(Math.min(counted.allowed, counted.refused)).toBeGreaterThan(0);
});

test("POLICY-1, ONCE-2: a kept answer of an action that is allowed no more is refused, and there again when it is allowed again", async () => {
  const { flows, asked } = recorded();
  const headers = { ...BEARER, "idempotency-key": "k" };
  const open = rig({ r: PLAIN }, { flows });
  const confined = rig({ r: { ...PLAIN, actions: ["read"] } }, { flows });
  const first = await open.send("r", create, headers);
  const before = asked.length;
  const refused = await confined.send("r", create, headers);
  expect([refused.status, refused.body.code, refused.headers.get("idempotent-replayed")]).toEqual([
    403,
    "action_not_allowed",
    null,
  ]);
  expect(refused.text).not.toContain(String(first.body.result?.flow?.flowId));
  expect(asked.length).toBe(before);
  const again = await open.send("r", create, headers);
  expect([again.body, again.headers.get("idempotent-replayed")]).toEqual([first.body, "true"]);
});

test("POLICY-2, ONCE-2: neither is a kept answer to a delivery whose controller is allowed no more, nor does its key stay taken", async () => {
  const { flows, asked } = recorded();
  const deliveries = [{ do: { action: "create_flow", goal: "g", controllerId: "{{payload.by}}" } }];
  const route = { sessionKey: PLAIN.sessionKey, secret: SECRETS.github, signature: "github", deliveries };
  const body = JSON.stringify({ by: "ci" });
  const deliver = (fields: object): Promise<Sent> =>
    rig({ r: { ...route, ...fields } }, { flows }).send("r", body, signed("github", body));
  const refused = await deliver({ controllerIds: ["deploy"] });
  expect([refused.status, refused.body.result]).toEqual([403, { field: "controllerId" }]);
  expect(asked).toEqual([]);
  expect((await deliver({})).body.result).toMatchObject({ created: true, flow: { controllerId: "ci" } });
  expect((await deliver({ controllerIds: ["deploy"] })).status).toBe(403);
  expect((await deliver({ controllerIds: ["ci"] })).headers.get("idempotent-replayed")).toBe("true");
});

test("POLICY-1: a get_flow that would wait is a get_flow", async () => {
  const { flows, asked } = recorded();
  const to = rig({ r: { ...PLAIN, actions: ["create_flow", "list_flows"] } }, { flows });
  const made = await to.send("r", create, BEARER);
  const { flowId } = made.body.result?.flow ?? {};
  const before = asked.length;
  const wait = { action: "get_flow", flowId, afterRevision: 0, waitSeconds: 20 };
  expect((await to.send("r", JSON.stringify(wait), BEARER)).status).toBe(403);
  expect(asked.length).toBe(before);
});

test("POLICY-5: a flow that a confined route makes starts its run as on any other, and a refused one starts none", async () => {
  const { flows, asked } = recorded();
  const run = { message: "Review {{flow.goal}}" };
  const confined = { ...PLAIN, run, actions: ["create_flow"], controllerIds: ["ci"], childSessions: "none" };
  const { send } = rig({ r: confined }, { flows });
  const refused = JSON.stringify({ action: "create_flow", goal: "g", controllerId: "other" });
  expect((await send("r", refused, BEARER)).status).toBe(403);
  expect((await send("r", create, BEARER)).status).toBe(200);
  expect(asked.map(({ delivery }) => delivery?.starts)).toEqual([true]);
});

test("POLICY-4, AUDIT-3, AUDIT-5: each kind of refusal is one warning a minute, which says what was refused and nothing that was sent", async () => {
  const { send, lines, events } = rig({ r: { ...PLAIN, actions: ["read", "run_task"], childSessions: "none" } });
  const task = { action: "run_task", flowId: "f", runtime: "acp", task: "t", childSessionKey: "agent:main:stolen" };
  for (let n = 0; n < 3; n += 1) {
    await send("r", create, BEARER);
    await send("r", JSON.stringify(task), BEARER);
  }
  const warned = lines.filter((line) => line.includes("403"));
  expect(warned).toEqual([
    expect.stringMatching(
      /a request was refused, because its route does not allow what it asks for \(route=r action=create_flow client=203\.0\.113\.7 status=403 code=action_not_allowed create_flow is not allowed by actions\)/u,
    ),
    expect.stringContaining("the childSessionKey of run_task is not allowed by childSessions"),
  ]);
  expect(events.map(({ action }) => action)).toEqual(
    Array.from({ length: 3 }, () => ["create_flow", "run_task"]).flat(),
  );
  expect(JSON.stringify([lines, events])).not.toContain("stolen");
});

test("POLICY-3, REPLY-2: of a session that exists and one that does not, a caller who may name neither learns the same", async () => {
  const { send } = rig({ r: { ...PLAIN, childSessions: "agent:main:hook:*" } });
  const answer = async (childSessionKey: string): Promise<readonly [number, string]> => {
    const task = { action: "run_task", flowId: "f", runtime: "acp", task: "t", childSessionKey };
    const { status, text } = await send("r", JSON.stringify(task), BEARER);
    return [status, text];
  };
  const first = await answer(PLAIN.sessionKey);
  expect(first[0]).toBe(403);
  expect(await answer("agent:main:none")).toEqual(first);
  expect(await answer("agent:main:hook")).toEqual(first);
  expect((await answer(" agent:main:hook:1 "))[0]).toBe(404);
  expect((await send("r", JSON.stringify({ action: "list_flows" }), {})).body).not.toHaveProperty("routeId");
});
