// What a store that promises durability still knows after a crash.

import type { FlowStore } from "../flows/flow-store.ts";
import { same } from "./check.ts";
import type { Command } from "./commands.ts";
import { create, type Owners, type StoreUnderTest } from "./store-under-test.ts";
import { Actor, type Ask, askAs } from "./transcript.ts";

/** What was answered is there after a crash, and the store goes on from it. */
export const survives =
  (
    mine: readonly Command[],
    reopen: NonNullable<StoreUnderTest["reopen"]>,
  ): ((store: FlowStore, owners: Owners) => Promise<FlowStore>) =>
  async (store, [a]) => {
    const actor = new Actor(store, a);
    for (const command of mine) await actor.run(command);
    const look = async (ask: Ask): Promise<object> => {
      const summaries = await Promise.all(actor.made.map((flowId) => ask({ action: "get_task_summary", flowId })));
      return { listed: await ask({ action: "list_flows" }), summaries };
    };
    const before = await look(askAs(store, a));
    const after = await reopen(store);
    same(await look(askAs(after, a)), before, "flows and tasks after the crash");
    await create(askAs(after, a));
    return after;
  };
