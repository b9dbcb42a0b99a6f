// Counts the open flows for the operator's page, through a store that may fail, or never answer.

import { withDeadline } from "../bridge/deadline.ts";
import type { CountOpen, OpenFlows } from "../flows/open-flows.ts";

/** The open flows by status, or why they are not counted. */
export type CountedFlows = { readonly open?: readonly OpenFlows[]; readonly why?: string };

export type OpenCount = (owners: readonly string[]) => Promise<CountedFlows>;

/** Sessions whose flows are counted. */
const MAX_SESSIONS = 256;

/** Milliseconds for which a document waits for the count. */
const COUNT_MS = 1500;

//= STATUS-5
/** Counts the flows of the sessions. Answers in time; never rejects; asks the store for no sessions that it is still asked for. */
export const createOpenCount = (countOpen: CountOpen | undefined): OpenCount => {
  const underWay = new Map<string, Promise<readonly OpenFlows[]>>();
  const begin = (name: string, count: () => ReturnType<CountOpen>): Promise<readonly OpenFlows[]> => {
    const counting = (async () => await count())().finally(() => underWay.delete(name));
    underWay.set(name, counting);
    return counting;
  };
  return async (owners) => {
    if (countOpen === undefined) return { why: "this store does not count its flows" };
    if (owners.length > MAX_SESSIONS) return { why: `the routes have more than ${String(MAX_SESSIONS)} sessions` };
    const name = JSON.stringify(owners);
    const counted = await withDeadline(() => underWay.get(name) ?? begin(name, () => countOpen(owners)), COUNT_MS);
    return counted.match(
      (open): CountedFlows => ({ open }),
      ({ kind }) => ({ why: kind === "late" ? "the store does not answer" : "the store failed. The log says more" }),
    );
  };
};
