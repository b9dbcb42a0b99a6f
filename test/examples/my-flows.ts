import { createEmbeddedStore, type EmbeddedFlows, type FlowEngine } from "../../adapters/bridge/index.ts";
import {
  type FlowRecord,
  isEnded,
  type KeyName,
  type Load,
  ok,
  type SavedRecord,
  type TaskRecord,
  type Write,
} from "../../core/index.ts";

const textOf = ({ routeId, owner, key }: KeyName): string => JSON.stringify([routeId, owner, key]);

type Row = { readonly owner: string; flow: FlowRecord; readonly tasks: Map<string, TaskRecord> };

const isDue = ({ flow, tasks }: Row, endedBy: number): boolean =>
  tasks.size === 0 &&
  (isEnded(flow) ? (flow.endedAt ?? flow.updatedAt) <= endedBy : flow.cancelRequestedAt !== undefined);

const isWanted = (row: Row, load: Load): boolean => {
  if (load.kind === "due") return isDue(row, load.endedBy);
  if (row.owner !== load.owner || load.kind === "bound") return false;
  if (load.kind === "flow") return row.flow.flowId === load.flowId;
  return load.kind === "all" || load.which === "any" || !isEnded(row.flow);
};

class MyEngine implements FlowEngine {
  // In the order in which the flows were made.
  readonly #rows = new Map<string, Row>();
  readonly #records = new Map<string, SavedRecord>();
  readonly #bindings = new Map<string, string>();

  // One transaction. With a database: begin, load, decide, save, commit.
  transact: FlowEngine["transact"] = (needs, decide) => {
    const flows = needs.load.map((load) => this.#find(load)).find(({ length }) => length > 0) ?? [];
    const tasks = this.#rows.get(flows[0]?.flowId ?? "")?.tasks.values() ?? [];
    const saved = needs.saved === undefined ? undefined : this.#records.get(textOf(needs.saved));
    const open = needs.open === undefined ? undefined : this.#countOpen(needs.open.owner);
    const decision = decide({ flows, tasks: needs.tasks ? [...tasks] : [], saved, open });
    for (const write of decision.writes) this.#save(write);
    return ok(decision);
  };

  #find(load: Load): readonly FlowRecord[] {
    if (load.kind === "bound") {
      const flowId = this.#bindings.get(textOf(load)) ?? "";
      return this.#find({ kind: "flow", owner: load.owner, flowId });
    }
    const flows = [...this.#rows.values()].filter((row) => isWanted(row, load)).map(({ flow }) => flow);
    const limit = load.kind === "newest" ? 1 : load.kind === "due" ? load.limit : Infinity;
    return flows.toReversed().slice(0, limit);
  }

  #countOpen(owner: string): number {
    return [...this.#rows.values()].filter((row) => row.owner === owner && !isEnded(row.flow)).length;
  }

  #save(write: Write): void {
    switch (write.kind) {
      case "insert_flow":
        this.#rows.set(write.flow.flowId, { owner: write.owner, flow: write.flow, tasks: new Map() });
        break;
      case "update_flow":
        Object.assign(this.#rows.get(write.flow.flowId) ?? {}, { flow: write.flow });
        break;
      case "remove_flow":
        this.#rows.delete(write.flowId);
        break;
      case "put_task":
        this.#rows.get(write.task.parentFlowId)?.tasks.set(write.task.taskId, write.task);
        break;
      case "put_record":
        this.#records.set(textOf(write), write.saved);
        break;
      case "bind_key":
        this.#bindings.set(textOf(write), write.flowId);
    }
  }
}

export const openMyFlows = (): EmbeddedFlows =>
  createEmbeddedStore(new MyEngine(), { now: Date.now, newId: () => crypto.randomUUID() });
