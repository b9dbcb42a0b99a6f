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
import { MemoryEvents } from "./events.ts";
import { MemoryRecords } from "./records.ts";
import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import { type Decided, type FlowEngine, loadBy, type Reading } from "../engine.ts";
import { type CountOpen, tallyOpen } from "../open-flows.ts";

type Row = { readonly owner: string; flow: FlowRecord; readonly tasks: Map<string, TaskRecord> };

class MemoryRows {
  /** In the order in which the flows were made. */
  readonly #rows = new Map<string, Row>();

  readonly #records = new MemoryRecords();

  readonly events = new MemoryEvents();

  readonly #reading: Reading<Row> = {
    find: (load) => this.#find(load),
    flowOf: ({ flow }) => flow,
    ownerOf: ({ owner }) => owner,
    tasksOf: (flowId) => [...(this.#rows.get(flowId)?.tasks.values() ?? [])],
  };

  load(needs: Needs): Stored {
    const stored = loadBy(needs, this.#reading);
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
        break;
      case "put_event":
        this.events.put(write.event);
    }
  }

  #owned(flowId: string | undefined, owner: string): readonly Row[] {
    const row = this.#rows.get(flowId ?? "");
    return row?.owner === owner ? [row] : [];
  }

  #find(load: Load): readonly Row[] {
    switch (load.kind) {
      case "flow":
        return this.#owned(load.flowId, load.owner);
      case "bound":
        return this.#owned(this.#records.boundTo(load), load.owner);
      case "all":
        return this.#all(load.owner);
      case "newest":
        return this.#all(load.owner)
          .filter(({ flow }) => load.which === "any" || !isEnded(flow))
          .slice(0, 1);
      case "due":
        return this.#due(load.endedBy).slice(0, load.limit);
    }
  }

  open(owners: readonly string[]): readonly FlowRecord[] {
    const wanted = new Set(owners);
    return [...this.#rows.values()]
      .filter(({ owner, flow }) => wanted.has(owner) && !isEnded(flow))
      .map(({ flow }) => flow);
  }

  //= STORE-5
  #all(owner: string): readonly Row[] {
    return [...this.#rows.values()].filter((row) => row.owner === owner).toReversed();
  }

  #due(endedBy: number): readonly Row[] {
    const isDue = ({ flow, tasks }: Row): boolean =>
      tasks.size === 0 &&
      (isEnded(flow) ? (flow.endedAt ?? flow.updatedAt) <= endedBy : flow.cancelRequestedAt !== undefined);
    return [...this.#rows.values()].filter(isDue);
  }
}

/** Each transaction runs to its end before the next begins, so it needs no lock. */
export class MemoryEngine implements FlowEngine {
  readonly #rows = new MemoryRows();

  readonly outbox = this.#rows.events;

  readonly countOpen: CountOpen = (owners) => tallyOpen(this.#rows.open(owners));

  transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Result<T, never> {
    const decision = decide(this.#rows.load(needs));
    for (const write of decision.writes) this.#rows.save(write);
    return ok(decision);
  }
}

/** An empty store. It grows with its flows: let `sweep` run, for example with `startSweeping`. */
export const memoryFlows = (options: Partial<EmbeddedOptions> = {}): EmbeddedFlows =>
  createEmbeddedStore(new MemoryEngine(), { now: Date.now, newId: () => crypto.randomUUID(), ...options });
