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
import { MemoryRecords } from "./records.ts";
import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import { type Decided, type FlowEngine, loadBy } from "../engine.ts";

type Row = { readonly owner: string; flow: FlowRecord; readonly tasks: Map<string, TaskRecord> };

class MemoryRows {
  /** In the order in which the flows were made. */
  readonly #rows = new Map<string, Row>();

  readonly #records = new MemoryRecords();

  load(needs: Needs): Stored {
    const stored = loadBy(
      needs,
      (load) => this.#find(load),
      (flowId) => [...(this.#rows.get(flowId)?.tasks.values() ?? [])],
    );
    return needs.saved === undefined ? stored : { ...stored, saved: this.#records.find(needs.saved) };
  }

  save(write: Write): void {
    switch (write.kind) {
      case "insert_flow":
        this.#rows.set(write.flow.flowId, { owner: write.owner, flow: write.flow, tasks: new Map() });
        break;
      case "update_flow": {
        const row = this.#rows.get(write.flow.flowId);
        if (row !== undefined) row.flow = write.flow;
        break;
      }
      case "remove_flow":
        this.#rows.delete(write.flowId);
        this.#records.unbind(write.flowId);
        break;
      case "put_task":
        this.#rows.get(write.task.parentFlowId)?.tasks.set(write.task.taskId, write.task);
        break;
      case "put_record":
        this.#records.put(write);
        break;
      case "bind_key":
        this.#records.bind(write);
    }
  }

  #owned(flowId: string | undefined, owner: string): readonly FlowRecord[] {
    const row = this.#rows.get(flowId ?? "");
    return row?.owner === owner ? [row.flow] : [];
  }

  #find(load: Load): readonly FlowRecord[] {
    switch (load.kind) {
      case "flow":
        return this.#owned(load.flowId, load.owner);
      case "bound":
        return this.#owned(this.#records.boundTo(load), load.owner);
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
