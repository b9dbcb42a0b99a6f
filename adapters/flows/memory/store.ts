// Flows in memory: for tests, demonstrations and hosts whose flows may end with the process.

import { ok, type Result } from "neverthrow";
import {
  type FlowRecord,
  isEnded,
  isListed,
  type ListLoad,
  type Needs,
  type Stored,
  type Write,
} from "../../../core/index.ts";
import { MemoryEvents } from "./events.ts";
import { OwnedFlows, type Row, weightOf } from "./owned.ts";
import { MemoryRecords } from "./records.ts";
import { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../embedded-store.ts";
import {
  cutList,
  type Decided,
  type FlowEngine,
  type FlowLoad,
  type Listed,
  loadBy,
  type Measure,
  type Reading,
} from "../engine.ts";
import { type CountOpen, tallyOpen } from "../open-flows.ts";

const MEASURE: Measure<Row> = { placeOf: ({ made }) => made, weightOf };

function* listedOf(rows: Iterable<Row>, { filter }: ListLoad): Generator<Row, void> {
  for (const row of rows) if (isListed(filter, row.flow)) yield row;
}

class MemoryRows {
  /** In the order in which the flows were made. */
  readonly #rows = new Map<string, Row>();

  readonly #owned = new Map<string, OwnedFlows>();

  readonly #records = new MemoryRecords();

  readonly events = new MemoryEvents();

  readonly #reading: Reading<Row> = {
    find: (load) => this.#find(load),
    list: (load) => this.#list(load),
    flowOf: ({ flow }) => flow,
    ownerOf: ({ owner }) => owner,
    tasksOf: (flowId) => [...(this.#rows.get(flowId)?.tasks.values() ?? [])],
    recordOf: (name) => this.#records.find(name),
    openOf: ({ owner }) => this.#owned.get(owner)?.open ?? 0,
  };

  load(needs: Needs): Stored {
    return loadBy(needs, this.#reading);
  }

  save(write: Write): void {
    switch (write.kind) {
      case "insert_flow":
        this.#insert(write);
        break;
      case "update_flow": {
        const row = this.#rows.get(write.flow.flowId);
        if (row !== undefined) this.#owned.get(row.owner)?.update(row, write.flow);
        break;
      }
      case "remove_flow":
        this.#remove(write.flowId);
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

  #insert({ owner, flow }: Extract<Write, { readonly kind: "insert_flow" }>): void {
    const owned = this.#owned.get(owner) ?? new OwnedFlows();
    this.#owned.set(owner, owned);
    this.#rows.set(flow.flowId, owned.insert(owner, flow));
  }

  #remove(flowId: string): void {
    const row = this.#rows.get(flowId);
    const owned = row === undefined ? undefined : this.#owned.get(row.owner);
    if (row === undefined || owned === undefined) return;
    this.#rows.delete(flowId);
    owned.remove(row);
    if (owned.size === 0) this.#owned.delete(row.owner);
  }

  #ofOwner(flowId: string | undefined, owner: string): readonly Row[] {
    const row = this.#rows.get(flowId ?? "");
    return row?.owner === owner ? [row] : [];
  }

  #find(load: FlowLoad): readonly Row[] {
    switch (load.kind) {
      case "flow":
        return this.#ofOwner(load.flowId, load.owner);
      case "bound":
        return this.#ofOwner(this.#records.boundTo(load), load.owner);
      case "newest":
        return this.#newest(load.owner, load.which);
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
  #newestFirst(owner: string, before?: number): Iterable<Row> {
    return this.#owned.get(owner)?.newestFirst(before) ?? [];
  }

  #newest(owner: string, which: "any" | "open"): readonly Row[] {
    for (const row of this.#newestFirst(owner)) if (which === "any" || !isEnded(row.flow)) return [row];
    return [];
  }

  //= LIST-1, LIST-4
  #list(load: ListLoad): Listed<Row> {
    const { owner, before, limit } = load;
    return cutList(listedOf(this.#newestFirst(owner, before), load), limit, MEASURE);
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
