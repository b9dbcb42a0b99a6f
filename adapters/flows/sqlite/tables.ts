// The rows of an SQLite file as one transaction loads and saves them: prepared statements, values always bound.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Load, Needs, Stored, Write } from "../../../core/index.ts";
import { loadBy } from "../engine.ts";
import { changing, flowOf, lasting, type Row, taskOf } from "./rows.ts";

//= STORE-5
const NEWEST_FIRST = "ORDER BY made DESC";
const LASTING = ["flow_id", "owner", "sync_mode", "controller_id", "notify_policy", "goal", "created_at"];
const CHANGING = [
  "revision",
  "status",
  "current_step",
  "blocked_task_id",
  "blocked_summary",
  "state_json",
  "wait_json",
  "cancel_requested_at",
  "updated_at",
  "ended_at",
];
const COLUMNS = [...LASTING, ...CHANGING];
const IDLE = "NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.flow_id = flows.flow_id)";

/** Each is prepared once. */
export const STATEMENTS = {
  find: "SELECT * FROM flows WHERE flow_id = ? AND owner = ?",
  list: `SELECT * FROM flows WHERE owner = ? ${NEWEST_FIRST}`,
  newest: `SELECT * FROM flows WHERE owner = ? ${NEWEST_FIRST} LIMIT 1`,
  newestOpen: `SELECT * FROM flows WHERE owner = ? AND ended_at IS NULL ${NEWEST_FIRST} LIMIT 1`,
  insert: `INSERT INTO flows (${COLUMNS.join(", ")}, made) VALUES (${COLUMNS.map(() => "?").join(", ")},
    (SELECT coalesce(max(made), 0) + 1 FROM flows WHERE owner = ?))`,
  update: `UPDATE flows SET ${CHANGING.map((name) => `${name} = ?`).join(", ")} WHERE flow_id = ?`,
  remove: "DELETE FROM flows WHERE flow_id = ?",
  toCancel: `SELECT * FROM flows WHERE cancel_requested_at IS NOT NULL AND ended_at IS NULL AND ${IDLE} LIMIT ?`,
  toRemove: `SELECT * FROM flows WHERE ended_at <= ? AND ${IDLE} LIMIT ?`,
  tasks: "SELECT record FROM tasks WHERE flow_id = ? ORDER BY made",
  putTask:
    "INSERT INTO tasks (task_id, flow_id, record) VALUES (?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET record = excluded.record",
} as const;

type Prepared = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

const prepareAll = (database: DatabaseSync): Prepared => {
  const prepare = (name: keyof typeof STATEMENTS): StatementSync => database.prepare(STATEMENTS[name]);
  return {
    find: prepare("find"),
    list: prepare("list"),
    newest: prepare("newest"),
    newestOpen: prepare("newestOpen"),
    insert: prepare("insert"),
    update: prepare("update"),
    remove: prepare("remove"),
    toCancel: prepare("toCancel"),
    toRemove: prepare("toRemove"),
    tasks: prepare("tasks"),
    putTask: prepare("putTask"),
  };
};

export class SqliteTables {
  readonly #run: Prepared;

  constructor(database: DatabaseSync) {
    this.#run = prepareAll(database);
  }

  load(needs: Needs): Stored {
    return loadBy(
      needs,
      (load) => this.#find(load).map(flowOf),
      (flowId) => this.#run.tasks.all(flowId).map(taskOf),
    );
  }

  save(write: Write): void {
    if (write.kind === "insert_flow")
      this.#run.insert.run(...lasting(write.owner, write.flow), ...changing(write.flow), write.owner);
    else if (write.kind === "update_flow") this.#run.update.run(...changing(write.flow), write.flow.flowId);
    else if (write.kind === "remove_flow") this.#run.remove.run(write.flowId);
    else this.#run.putTask.run(write.task.taskId, write.task.parentFlowId, JSON.stringify(write.task));
  }

  #find(load: Load): readonly Row[] {
    switch (load.kind) {
      case "flow":
        return this.#run.find.all(load.flowId, load.owner);
      case "all":
        return this.#run.list.all(load.owner);
      case "newest":
        return (load.which === "open" ? this.#run.newestOpen : this.#run.newest).all(load.owner);
      case "due": {
        const open = this.#run.toCancel.all(load.limit);
        return [...open, ...this.#run.toRemove.all(load.endedBy, load.limit - open.length)];
      }
    }
  }
}
