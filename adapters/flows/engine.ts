// What an embedded store is made of: rows of flows and tasks, and a way to read and change them all at once.
// Memory and SQLite are two; what the rows mean is core/lifecycle's and core/task's business.

import type { Result } from "neverthrow";
import type { Soon } from "./awaitable.ts";
import type { FlowRecord, TaskRecord } from "../../core/index.ts";

/** The rows as one transaction sees them. Whatever throws here undoes the transaction. */
export interface FlowTables {
  find(owner: string, flowId: string): FlowRecord | undefined;
  /** Newest `createdAt` first; of equal ones the smaller flowId. */
  list(owner: string): readonly FlowRecord[];
  /** The first of `list`, or the first of it that has not ended. */
  newest(owner: string, which: "any" | "open"): FlowRecord | undefined;
  insert(owner: string, flow: FlowRecord): void;
  update(flow: FlowRecord): void;
  /** With its tasks. */
  remove(flowId: string): void;
  /** Flows without tasks that are open with a cancel intent, or ended at or before `endedBy`; at most `limit`. */
  due(endedBy: number, limit: number): readonly FlowRecord[];
  /** In the order in which they were made. */
  tasks(flowId: string): readonly TaskRecord[];
  putTask(task: TaskRecord): void;
}

/** Nothing was written. `error` is for the operator. */
export type StoreFault = { readonly error: unknown };

export interface FlowEngine {
  read<T>(work: (tables: FlowTables) => T): Soon<Result<T, StoreFault>>;
  /** All that `work` writes, or nothing of it; no other writer, of this process or another, comes between. */
  write<T>(work: (tables: FlowTables) => T): Soon<Result<T, StoreFault>>;
}
