// What an embedded store stands on: rows of flows and tasks, and transactions over them. Memory and SQLite are two engines,
// and a network database can be another one, because an engine may answer later. What the rows mean is the core's business.

import type { Result } from "neverthrow";
import type { FlowRecord, Load, Needs, Stored, TaskRecord, Write } from "../../core/index.ts";
import type { Awaitable } from "./awaitable.ts";
import type { CountOpen } from "./open-flows.ts";
import type { Outbox } from "./outbox.ts";

/** Nothing was written. `error` is for the operator. */
export type StoreFault = { readonly error: unknown };

/** How an engine reads its rows. */
export type Reading<Row> = {
  readonly find: (load: Load) => readonly Row[];
  readonly flowOf: (row: Row) => FlowRecord;
  readonly ownerOf: (row: Row) => string;
  readonly tasksOf: (flowId: string) => readonly TaskRecord[];
};

/** What an engine loads: the flows that the first successful lookup finds, and the first one's tasks where they are wanted. */
export const loadBy = <Row>({ load, tasks }: Needs, { find, flowOf, ownerOf, tasksOf }: Reading<Row>): Stored => {
  for (const one of load) {
    const rows = find(one);
    if (rows.length === 0) continue;
    const flows = rows.map(flowOf);
    const [flow] = flows;
    const stored = { flows, tasks: tasks && flow !== undefined ? tasksOf(flow.flowId) : [] };
    return one.kind === "due" ? { ...stored, owners: rows.map(ownerOf) } : stored;
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

  /** For an operator's page; without it flows are not counted. */
  readonly countOpen?: CountOpen;

  /** The events that its transactions write (`put_event`), to be sent. Without it no such write comes, and no callback is sent. */
  readonly outbox?: Outbox;
}
