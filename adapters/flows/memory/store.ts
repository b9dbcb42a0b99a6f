// Flows in memory: for tests, demonstrations and hosts whose flows may end with the process.

import { ok, type Result } from "neverthrow";
import {
  type FlowRecord,
  isEnded,
  type Load,
  type Needs,
  type Stored,
  type TaskRecord,
  type Write,
} from "../../../core/index.ts";
import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import { type Decided, type FlowEngine, loadBy } from "../engine.ts";

type Row = { readonly owner: string; flow: FlowRecord; readonly tasks: Map<string, TaskRecord> };

class MemoryRows {
  /** In the order in which the flows were made. */
  readonly #rows = new Map<string, Row>();

  load(needs: Needs): Stored {
    return loadBy(
      needs,
      (load) => this.#find(load),
      (flowId) => [...(this.#rows.get(flowId)?.tasks.values() ?? [])],
    );
  }

  save(write: Write): void {
    if (write.kind === "insert_flow") {
      const { owner, flow } = write;
      this.#rows.set(flow.flowId, { owner, flow, tasks: new Map() });
    } else if (write.kind === "update_flow") {
      const row = this.#rows.get(write.flow.flowId);
      if (row !== undefined) row.flow = write.flow;
    } else if (write.kind === "remove_flow") this.#rows.delete(write.flowId);
    else this.#rows.get(write.task.parentFlowId)?.tasks.set(write.task.taskId, write.task);
  }

  #find(load: Load): readonly FlowRecord[] {
    switch (load.kind) {
      case "flow": {
        const row = this.#rows.get(load.flowId);
        return row?.owner === load.owner ? [row.flow] : [];
      }
      case "all":
        return this.#all(load.owner);
      case "newest":
        return this.#all(load.owner)
          .filter((flow) => load.which === "any" || !isEnded(flow))
          .slice(0, 1);
      case "due":
        return this.#due(load.endedBy).slice(0, load.limit);
    }
  }

  //= STORE-5
  #all(owner: string): readonly FlowRecord[] {
    const own = [...this.#rows.values()].filter((row) => row.owner === owner);
    return own.map(({ flow }) => flow).toReversed();
  }

  #due(endedBy: number): readonly FlowRecord[] {
    const isDue = (flow: FlowRecord): boolean =>
      isEnded(flow) ? (flow.endedAt ?? flow.updatedAt) <= endedBy : flow.cancelRequestedAt !== undefined;
    const idle = [...this.#rows.values()].filter(({ tasks }) => tasks.size === 0);
    return idle.map(({ flow }) => flow).filter(isDue);
  }
}

/** Each transaction runs to its end before the next begins, so it needs no lock. */
export class MemoryEngine implements FlowEngine {
  readonly #rows = new MemoryRows();

  transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Result<T, never> {
    const decision = decide(this.#rows.load(needs));
    for (const write of decision.writes) this.#rows.save(write);
    return ok(decision);
  }
}

/** An empty store. It grows with its flows: let `sweep` run, for example with `startSweeping`. */
export const memoryFlows = (options: Partial<EmbeddedOptions> = {}): EmbeddedFlows =>
  createEmbeddedStore(new MemoryEngine(), { now: Date.now, newId: () => crypto.randomUUID(), ...options });
