// What a store that takes deliveries promises: a repeated request has one effect and one answer, and a key leads to its flow.

import type { Delivery, FlowAction } from "../../core/index.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { check, same } from "./check.ts";
import { create, idsOf, type Owners, type Property } from "./store-under-test.ts";
import { askAs, type AskDelivery, deliverAs } from "./transcript.ts";

/** Keys that a careless store takes for one. */
const KEYS: readonly string[] = ["k", "K", "k ", "%", "_", "k\u0000", "\u00e9", "e\u0301", "x".repeat(255)];

const CREATE: FlowAction = { action: "create_flow", goal: "Once", controllerId: "conformance" };

let routesMade = 0;

/** A route that no other test uses. */
const freshRoute = (): string => {
  routesMade += 1;
  return `conformance-${String(routesMade)}-${String(Math.trunc(performance.timeOrigin))}`;
};

const once = (routeId: string, key: string, fingerprint = "f"): Delivery => ({
  routeId,
  once: { key, fingerprint },
  bind: undefined,
  starts: false,
});

const countOf = async (store: FlowStore, owner: string): Promise<number> =>
  (await askAs(store, owner)({ action: "list_flows" })).flows?.length ?? -1;

/** Every mutating action, on a flow at revision 0. */
const ABOUT = (flowId: string): readonly FlowAction[] => [
  { action: "set_waiting", flowId, expectedRevision: 0 },
  { action: "resume_flow", flowId, expectedRevision: 0 },
  { action: "finish_flow", flowId, expectedRevision: 0 },
  { action: "fail_flow", flowId, expectedRevision: 0 },
  { action: "request_cancel", flowId, expectedRevision: 0 },
  { action: "cancel_flow", flowId },
  { action: "run_task", flowId, runtime: "acp", task: "Once" },
];

/** A store that cannot wait may say that the first request is not finished. */
const IN_PROGRESS = "idempotency_in_progress";

/** A repeat changes nothing and is answered as the first request was, many at once too. */
export const repeatsOnce =
  (writers: number): Property =>
  async (store, [a]) => {
    const ask = deliverAs(store, a);
    const routeId = freshRoute();
    const before = await countOf(store, a);
    for (const [place, key] of KEYS.entries()) {
      const atOnce = await Promise.all(Array.from({ length: writers }, () => ask(CREATE, once(routeId, key))));
      const answers = atOnce.filter((answer) => answer !== IN_PROGRESS);
      check(answers.length > 0, "one of many requests at once is carried out");
      for (const answer of [...answers, await ask(CREATE, once(routeId, key))])
        same(answer, answers[0], `a repeat under the key ${JSON.stringify(key.slice(0, 9))}`);
      same(await countOf(store, a), before + place + 1, "each key makes one flow");
    }
    for (const action of ABOUT((await create(askAs(store, a))).flowId)) {
      const first = await ask(action, once(routeId, action.action));
      const flow = await askAs(store, a)({ action: "list_flows" });
      same(await ask(action, once(routeId, action.action)), first, `a repeat of ${action.action}`);
      same(await askAs(store, a)({ action: "list_flows" }), flow, `what a repeat of ${action.action} leaves`);
    }
  };

/** The same key with another body is refused; on another route, or of another owner, it is another key. */
export const refusesReuse: Property = async (store, [a, b]) => {
  const ask = deliverAs(store, a);
  const routeId = freshRoute();
  const before = await countOf(store, a);
  const first = await ask(CREATE, once(routeId, "k"));
  same(await ask(CREATE, once(routeId, "k", "other")), "idempotency_key_reused", "the same key with another body");
  same(await countOf(store, a), before + 1, "a refused reuse makes nothing");
  await ask(CREATE, once(freshRoute(), "k"));
  same(await countOf(store, a), before + 2, "the same key on another route");
  const others = await countOf(store, b);
  await deliverAs(store, b)(CREATE, once(routeId, "k", "other"));
  same(await countOf(store, b), others + 1, "the same key of another owner");
  same(await ask(CREATE, once(routeId, "k")), first, "a repeat after the route was another owner's");
};

const flowIdIn = (answer: Awaited<ReturnType<AskDelivery>>): string =>
  typeof answer === "string"
    ? answer
    : (idsOf(answer.flow === null || answer.flow === undefined ? [] : [answer.flow])[0] ?? "");

/** A key leads to its open flow, for its own route and owner, until the flow ends. */
export const followsKeys: Property = async (store, [a, b]) => {
  const routeId = freshRoute();
  const bound = (bind: string, route = routeId): Delivery => ({ routeId: route, once: undefined, bind, starts: false });
  const finish: FlowAction = { action: "finish_flow", flowId: "by-key", expectedRevision: 77 };
  const ask = deliverAs(store, a);
  for (const key of KEYS) {
    same(await ask(finish, bound(key)), { kind: "ignored" }, "an action for a key that is not bound");
    const made = flowIdIn(await ask(CREATE, bound(key)));
    const again = await ask(CREATE, bound(key));
    same(
      [typeof again === "string" ? again : again.kind, flowIdIn(again)],
      ["existing", made],
      "a second create for a key",
    );
    await ask({ action: "set_waiting", flowId: "by-key", expectedRevision: 77 }, bound(key));
    same(await deliverAs(store, b)(finish, bound(key)), { kind: "ignored" }, "the key of another owner's flow");
    same(await ask(finish, bound(key, freshRoute())), { kind: "ignored" }, "the key of another route");
    await deliverAs(store, b)(CREATE, bound(key));
    same(
      flowIdIn(await ask(finish, bound(key))),
      made,
      "an action for a bound key, after the route was another owner's",
    );
    await deliverAs(store, b)(finish, bound(key));
    same(await ask(finish, bound(key)), { kind: "ignored" }, "the key of a flow that has ended");
    check(flowIdIn(await ask(CREATE, bound(key))) !== made, "a key whose flow has ended is free");
    await ask(finish, bound(key));
  }
};

/** Records and bindings are there after a crash. */
export const remembers =
  (reopen: (store: FlowStore) => FlowStore | Promise<FlowStore>) =>
  async (store: FlowStore, [a]: Owners): Promise<FlowStore> => {
    const both: Delivery = { routeId: freshRoute(), once: { key: "k", fingerprint: "f" }, bind: "flow", starts: false };
    const first = await deliverAs(store, a)(CREATE, both);
    const after = await reopen(store);
    same(await deliverAs(after, a)(CREATE, both), first, "a repeat after the crash");
    same(
      flowIdIn(await deliverAs(after, a)(CREATE, { ...both, once: undefined })),
      flowIdIn(first),
      "a key after the crash",
    );
    return after;
  };
