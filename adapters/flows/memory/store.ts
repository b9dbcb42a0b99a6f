// Flows in memory: for tests, demonstrations and hosts whose flows may end with the process.

import { ok, type Result } from "neverthrow";
import { type FlowRecord, isEnded, type TaskRecord } from "../../../core/index.ts";
import { createEmbeddedFlows, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import type { FlowEngine, FlowTables } from "../engine.ts";

type Row = { readonly owner: string; flow: FlowRecord; readonly tasks: Map<string, TaskRecord> };

const newestFirst = (a: FlowRecord, b: FlowRecord): number =>
  b.createdAt - a.createdAt || (a.flowId < b.flowId ? -1 : 1);

class MemoryTables implements FlowTables {
  readonly #rows = new Map<string, Row>();

  find(owner: string, flowId: string): FlowRecord | undefined {
    const row = this.#rows.get(flowId);
    return row?.owner === owner ? row.flow : undefined;
  }

  list(owner: string): readonly FlowRecord[] {
    const own = [...this.#rows.values()].filter((row) => row.owner === owner);
    return own.map(({ flow }) => flow).toSorted(newestFirst);
  }

  newest(owner: string, which: "any" | "open"): FlowRecord | undefined {
    return this.list(owner).find((flow) => which === "any" || !isEnded(flow));
  }

  insert(owner: string, flow: FlowRecord): void {
    this.#rows.set(flow.flowId, { owner, flow, tasks: new Map() });
  }

  update(flow: FlowRecord): void {
    const row = this.#rows.get(flow.flowId);
    if (row !== undefined) row.flow = flow;
  }

  remove(flowId: string): void {
    this.#rows.delete(flowId);
  }

  due(endedBy: number, limit: number): readonly FlowRecord[] {
    const isDue = (flow: FlowRecord): boolean =>
      isEnded(flow) ? (flow.endedAt ?? flow.updatedAt) <= endedBy : flow.cancelRequestedAt !== undefined;
    const idle = [...this.#rows.values()].filter(({ tasks }) => tasks.size === 0);
    return idle
      .map(({ flow }) => flow)
      .filter(isDue)
      .slice(0, limit);
  }

  tasks(flowId: string): readonly TaskRecord[] {
    return [...(this.#rows.get(flowId)?.tasks.values() ?? [])];
  }

  putTask(task: TaskRecord): void {
    this.#rows.get(task.parentFlowId)?.tasks.set(task.taskId, task);
  }
}

/** Each piece of work runs to its end before the next: a transaction without a lock. */
const memoryEngine = (): FlowEngine => {
  const tables = new MemoryTables();
  const run = <T>(work: (tables: FlowTables) => T): Result<T, never> => ok(work(tables));
  return { read: run, write: run };
};

/** An empty store. It grows with its flows: let `sweep` run, for example with `startSweeping`. */
export const memoryFlows = (options: Partial<EmbeddedOptions> = {}): EmbeddedFlows =>
  createEmbeddedFlows(memoryEngine(), { now: Date.now, newId: () => crypto.randomUUID(), ...options });
