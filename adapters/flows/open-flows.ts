// How many flows have not ended, by status, and how old the oldest of each is: what an operator's page shows of a store.

import { FLOW_STATUSES, type FlowRecord, type FlowStatus } from "../../core/index.ts";
import type { Awaitable } from "./awaitable.ts";

/** `oldestAt`: when the oldest of them was made, milliseconds since the epoch. */
export type OpenFlows = { readonly status: FlowStatus; readonly count: number; readonly oldestAt: number };

/** Counts the open flows of the sessions, each session once. May throw or reject. */
export type CountOpen = (owners: readonly string[]) => Awaitable<readonly OpenFlows[]>;

/** One line for each status, in the order of FLOW_STATUSES. */
export const joinOpen = (counted: readonly OpenFlows[]): readonly OpenFlows[] =>
  FLOW_STATUSES.flatMap((status) => {
    const same = counted.filter((one) => one.status === status);
    const count = same.reduce((sum, one) => sum + one.count, 0);
    return count === 0 ? [] : [{ status, count, oldestAt: Math.min(...same.map(({ oldestAt }) => oldestAt)) }];
  });

/** What a row of a database says: status, count and oldest. */
export const openFlowsOf = (row: Readonly<Record<string, unknown>>): readonly OpenFlows[] => {
  const status = FLOW_STATUSES.find((one) => one === row["status"]);
  return status === undefined ? [] : [{ status, count: Number(row["count"]), oldestAt: Number(row["oldest"]) }];
};

/** Counts flows that are all open. */
export const tallyOpen = (flows: Iterable<Pick<FlowRecord, "status" | "createdAt">>): readonly OpenFlows[] => {
  const found = new Map<FlowStatus, { count: number; oldestAt: number }>();
  for (const { status, createdAt } of flows) {
    const one = found.get(status);
    if (one === undefined) found.set(status, { count: 1, oldestAt: createdAt });
    else {
      one.count += 1;
      one.oldestAt = Math.min(one.oldestAt, createdAt);
    }
  }
  return joinOpen([...found].map(([status, one]) => ({ status, ...one })));
};
