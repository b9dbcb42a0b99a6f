// What a store's own clean-up may do.

import type { FlowStore } from "../flows/flow-store.ts";
import { same } from "./check.ts";
import { create, type Property } from "./store-under-test.ts";
import { askAs, type Plain } from "./transcript.ts";

/** A sweep ends the flows with a cancel intent and without tasks, and leaves all others, of every owner, as they are. */
export const sweeps =
  (sweep: (store: FlowStore) => unknown): Property =>
  async (store, owners) => {
    for (const owner of owners) {
      const ask = askAs(store, owner);
      const make = async (): Promise<string> => (await create(ask)).flowId;
      const [open, ended, intended, busy] = [await make(), await make(), await make(), await make()];
      await ask({ action: "finish_flow", flowId: ended, expectedRevision: 0 });
      await ask({ action: "run_task", flowId: busy, runtime: "acp", task: "Look" });
      for (const flowId of [intended, busy]) await ask({ action: "request_cancel", flowId, expectedRevision: 0 });
      const look = (): Promise<readonly Plain[]> =>
        Promise.all([open, ended, busy].map((flowId) => ask({ action: "get_flow", flowId })));
      const before = await look();
      await sweep(store);
      same(await look(), before, "flows that are not due, after a sweep");
      const { flow } = await ask({ action: "get_flow", flowId: intended });
      same([flow?.["status"], flow?.["revision"]], ["cancelled", 2], "a flow with an intent, after a sweep");
    }
  };
