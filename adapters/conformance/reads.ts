// What a store's reads must say, of each other and of what was written.

import { check, same } from "./check.ts";
import type { Command } from "./commands.ts";
import { create, idsOf, type Property } from "./store-under-test.ts";
import { Actor, askAs, seenIn } from "./transcript.ts";

const isEnded = ({ status, endedAt }: { readonly status?: unknown; readonly endedAt?: unknown }): boolean =>
  ["succeeded", "failed", "cancelled", "lost"].includes(String(status)) ||
  (status === "blocked" && endedAt !== undefined);

/** list, latest, resolve and get say the same about the same flows. */
export const readsAgree =
  (mine: readonly Command[], ties: "by_id" | "any"): Property =>
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
      index === 0 || times[index] !== times[index - 1] || (ids[index] ?? "") > (ids[index - 1] ?? "");
    check(ties === "any" || ids.every((_, index) => isInOrder(index)), "list has flows of one createdAt by flowId");
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

const MANY = 120;

/** A list has all flows, however many. */
export const listsAll: Property = async (store, [a]) => {
  const ask = askAs(store, a);
  const made: string[] = [];
  for (let count = 0; count < MANY; count += 1) made.push((await create(ask)).flowId);
  const ids = new Set(idsOf((await ask({ action: "list_flows" })).flows ?? []));
  check(
    made.every((flowId) => ids.has(flowId)),
    `list has all of ${String(MANY)} flows`,
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
