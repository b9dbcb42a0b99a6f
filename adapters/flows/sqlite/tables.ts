// The rows of an SQLite file as one transaction sees them: prepared statements, values always bound.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { FlowRecord, TaskRecord } from "../../../core/index.ts";
import type { FlowTables } from "../engine.ts";
import { changing, flowOf, lasting, taskOf } from "./rows.ts";

const NEWEST_FIRST = "ORDER BY created_at DESC, flow_id";
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

/** What a command runs, each prepared once. */
export const STATEMENTS = {
  find: "SELECT * FROM flows WHERE flow_id = ? AND owner = ?",
  list: `SELECT * FROM flows WHERE owner = ? ${NEWEST_FIRST}`,
  newest: `SELECT * FROM flows WHERE owner = ? ${NEWEST_FIRST} LIMIT 1`,
  newestOpen: `SELECT * FROM flows WHERE owner = ? AND ended_at IS NULL ${NEWEST_FIRST} LIMIT 1`,
  insert: `INSERT INTO flows (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map(() => "?").join(", ")})`,
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

export class SqliteTables implements FlowTables {
  readonly #run: Prepared;

  constructor(database: DatabaseSync) {
    this.#run = prepareAll(database);
  }

  find(owner: string, flowId: string): FlowRecord | undefined {
    const row = this.#run.find.get(flowId, owner);
    return row === undefined ? undefined : flowOf(row);
  }

  list(owner: string): readonly FlowRecord[] {
    return this.#run.list.all(owner).map(flowOf);
  }

  newest(owner: string, which: "any" | "open"): FlowRecord | undefined {
    const row = (which === "open" ? this.#run.newestOpen : this.#run.newest).get(owner);
    return row === undefined ? undefined : flowOf(row);
  }

  insert(owner: string, flow: FlowRecord): void {
    this.#run.insert.run(...lasting(owner, flow), ...changing(flow));
  }

  update(flow: FlowRecord): void {
    this.#run.update.run(...changing(flow), flow.flowId);
  }

  remove(flowId: string): void {
    this.#run.remove.run(flowId);
  }

  due(endedBy: number, limit: number): readonly FlowRecord[] {
    const open = this.#run.toCancel.all(limit);
    const ended = this.#run.toRemove.all(endedBy, limit - open.length);
    return [...open, ...ended].map(flowOf);
  }

  tasks(flowId: string): readonly TaskRecord[] {
    return this.#run.tasks.all(flowId).map(taskOf);
  }

  putTask(task: TaskRecord): void {
    this.#run.putTask.run(task.taskId, task.parentFlowId, JSON.stringify(task));
  }
}
