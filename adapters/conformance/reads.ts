// What a store's reads must say, of each other and of what was written.

import { check, same } from "./check.ts";
import type { Command } from "./commands.ts";
import { create, idsOf, type Property, type Ties } from "./store-under-test.ts";
import { Actor, askAs, seenIn } from "./transcript.ts";

const isEnded = ({ status, endedAt }: { readonly status?: unknown; readonly endedAt?: unknown }): boolean =>
  ["succeeded", "failed", "cancelled", "lost"].includes(String(status)) ||
  (status === "blocked" && endedAt !== undefined);

/** Whether `first` may be listed before `then`, a flow of the same millisecond. `made`: ids, oldest first. */
const mayPrecede = (ties: Ties, made: readonly string[], first: string, then: string): boolean => {
  if (ties === "by_id") return first < then;
  const [at, after] = [made.indexOf(first), made.indexOf(then)];
  return ties === "any" || at === -1 || after === -1 || at > after;
};

/** list, latest, resolve and get say the same about the same flows. */
export const readsAgree =
  (mine: readonly Command[], ties: Ties): Property =>
  async (store, [a]) => {
    const actor = new Actor(store, a);
    for (const command of mine) await actor.run(command);
    const ask = askAs(store, a);
    const { flows: listed = [] } = await ask({ action: "list_flows" });
    const times = listed.map((flow) => Number(flow["createdAt"]));
    check(
      times.every((time, index) => index === 0 || time <= (times[index - 1] ?? 0)),
      "list is newest createdAt first",
    );
    const ids = idsOf(listed);
    const isInOrder = (index: number): boolean =>
      times[index] !== times[index - 1] || mayPrecede(ties, actor.made, ids[index - 1] ?? "", ids[index] ?? "");
    check(
      ids.every((_, index) => isInOrder(index)),
      `list has flows of one createdAt ${ties}`,
    );
    check(
      actor.made.every((flowId) => ids.includes(flowId)),
      "list has every flow that was made",
    );
    check(new Set(ids).size === ids.length, "list has every flow once");
    same((await ask({ action: "find_latest_flow" })).flow, listed[0] ?? null, "latest is the first of list");
    const open = listed.find((flow) => !isEnded(flow)) ?? listed[0] ?? null;
    same(
      (await ask({ action: "resolve_flow", token: a })).flow,
      open,
      "resolve by the owner's key is the newest open flow",
    );
    for (const flowId of actor.made) {
      const found = (await ask({ action: "get_flow", flowId })).flow;
      same(
        found,
        listed.find((flow) => flow["flowId"] === flowId),
        "get is what list shows",
      );
      same((await ask({ action: "resolve_flow", token: flowId })).flow, found, "resolve by id is get");
    }
  };

/** Milliseconds by which a store's clock may differ from that of the test. */
const CLOCK_MS = 60_000;

/** Times are milliseconds since the epoch, by a clock that is right. */
export const tellsTheTime: Property = async (store, [a]) => {
  const { view } = await create(askAs(store, a));
  const distance = Math.abs(Number(view["createdAt"]) - Date.now());
  check(distance < CLOCK_MS, `createdAt is the time in milliseconds: got ${String(view["createdAt"])}`);
  same(view["updatedAt"], view["createdAt"], "a new flow's updatedAt is its createdAt");
};

const BURST = 20;

/** Flows that are made in quick succession, many of them in one millisecond, are listed newest first. */
export const keepsTheOrder: Property = async (store, [a]) => {
  const ask = askAs(store, a);
  const made: string[] = [];
  for (let count = 0; count < BURST; count += 1) {
    const { flowId } = await create(ask);
    made.unshift(flowId);
    const [{ flow: latest }, { flow: open }] = [
      await ask({ action: "find_latest_flow" }),
      await ask({ action: "resolve_flow", token: a }),
    ];
    same(latest?.["flowId"], flowId, "latest is the flow that was just made");
    same(open?.["flowId"], flowId, "resolve by the owner's key is the flow that was just made");
  }
  const { flows = [] } = await ask({ action: "list_flows" });
  same(idsOf(flows).slice(0, BURST), made, "list has the flows as they were made, newest first");
};

/** A list has all of `many` flows. */
export const listsAll =
  (many: number, writers: number): Property =>
  async (store, [a]) => {
    const ask = askAs(store, a);
    const made: string[] = [];
    while (made.length < many) {
      const batch = Array.from({ length: Math.min(writers, many - made.length) }, () => create(ask));
      for (const { flowId } of await Promise.all(batch)) made.push(flowId);
    }
    const ids = new Set(idsOf((await ask({ action: "list_flows" })).flows ?? []));
    check(
      made.every((flowId) => ids.has(flowId)),
      `list has all of ${String(many)} flows`,
    );
  };

const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));

/** Values as large and as deep as the bridge lets through come back as they were. */
export const keepsLargeValues: Property = async (store, [a]) => {
  const ask = askAs(store, a);
  const large = {
    text: '\u00e9\u{1f600}\u0000"\\'.repeat(5000),
    list: Array.from({ length: 5000 }, (_, at) => at / 3),
  };
  const value = JSON.parse(JSON.stringify({ large, deep: nested(990) }));
  const { flow } = await ask({ action: "create_flow", goal: "Large", controllerId: "conformance", stateJson: value });
  same(flow?.["stateJson"], value, "the new flow's stateJson");
  same((await ask({ action: "get_flow", flowId: seenIn(flow).flowId })).flow, flow, "the stored flow");
};
