// What an embedded store stands on: rows of flows and tasks, and transactions over them. Memory and SQLite are two engines,
// and a network database can be another one, because an engine may answer later. What the rows mean is the core's business.

import type { Result } from "neverthrow";
import type { FlowRecord, Load, Needs, Stored, TaskRecord, Write } from "../../core/index.ts";
import type { Awaitable } from "./awaitable.ts";

/** Nothing was written. `error` is for the operator. */
export type StoreFault = { readonly error: unknown };

/** What an engine loads: the flows that the first successful lookup finds, and the first one's tasks where they are wanted. */
export const loadBy = (
  { load, tasks }: Needs,
  find: (load: Load) => readonly FlowRecord[],
  tasksOf: (flowId: string) => readonly TaskRecord[],
): Stored => {
  for (const one of load) {
    const flows = find(one);
    const [flow] = flows;
    if (flow !== undefined) return { flows, tasks: tasks ? tasksOf(flow.flowId) : [] };
  }
  return { flows: [], tasks: [] };
};

/** What a transaction decides: the rows to write, and whatever else its caller wants back. */
export type Decided = { readonly writes: readonly Write[] };

export interface FlowEngine {
  /**
   * One transaction: loads what `needs` says, asks `decide`, which answers at once, and saves the writes that it names. All of
   * them are there before the answer is given, or none is. When `needs` says that it writes, no other writer, of this process
   * or another, comes between load and save. What `decide` throws undoes the transaction.
   */
  transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Awaitable<Result<T, StoreFault>>;
}
