// The rows of an SQLite file as one transaction loads and saves them: prepared statements, values always bound.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import {
  AHEAD_MS,
  type KeyName,
  MAX_RECORDS,
  type Needs,
  RECORD_MS,
  type SavedRecord,
  type Stored,
  type Write,
} from "../../../core/index.ts";
import { type FlowLoad, loadBy, type Reading } from "../engine.ts";
import { openFlowsOf, type OpenFlows } from "../open-flows.ts";
import { EventRows } from "./event-rows.ts";
import { IS_OPEN, ListRows } from "./list-rows.ts";
import { changing, flowOf, lasting, recordOf, type Row, taskOf, textIn } from "./rows.ts";
import { Turns } from "./turns.ts";

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
  newest: `SELECT * FROM flows WHERE owner = ? ${NEWEST_FIRST} LIMIT 1`,
  newestOpen: `SELECT * FROM flows WHERE owner = ? AND ended_at IS NULL ${NEWEST_FIRST} LIMIT 1`,
  insert: `INSERT INTO flows (${COLUMNS.join(", ")}, made) VALUES (${COLUMNS.map(() => "?").join(", ")},
    (SELECT coalesce(max(made), 0) + 1 FROM flows WHERE owner = ?))`,
  // no row is read but one of each status, because its times stand behind its state
  countOpen: `SELECT status, count, (SELECT created_at FROM flows INDEXED BY flows_of_status
      WHERE owner = ?1 AND status = found.status AND made = first) AS oldest
    FROM (SELECT status, count(*) AS count, min(made) AS first FROM flows INDEXED BY flows_of_status
      WHERE owner = ?1 AND ${IS_OPEN} GROUP BY status) AS found`,
  update: `UPDATE flows SET ${CHANGING.map((name) => `${name} = ?`).join(", ")} WHERE flow_id = ?`,
  remove: "DELETE FROM flows WHERE flow_id = ?",
  toCancel: `SELECT * FROM flows WHERE cancel_requested_at IS NOT NULL AND ended_at IS NULL AND ${IDLE} LIMIT ?`,
  toRemove: `SELECT * FROM flows WHERE ended_at <= ? AND ${IDLE} LIMIT ?`,
  tasks: "SELECT record FROM tasks WHERE flow_id = ? ORDER BY made",
  bound: `SELECT flows.* FROM bindings JOIN flows USING (flow_id)
    WHERE bindings.route_id = ?1 AND bindings.owner = ?2 AND bindings.key = ?3 AND flows.owner = ?2`,
  bind: `INSERT INTO bindings (route_id, owner, key, flow_id) VALUES (?, ?, ?, ?)
    ON CONFLICT (route_id, owner, key) DO UPDATE SET flow_id = excluded.flow_id`,
  record: "SELECT fingerprint, outcome, at FROM records WHERE route_id = ? AND owner = ? AND key = ?",
  putRecord: `INSERT INTO records (route_id, owner, key, fingerprint, outcome, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (route_id, owner, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, outcome = excluded.outcome, at = excluded.at`,
  dropExpired: `DELETE FROM records WHERE route_id = ?1 AND (owner, key) IN
    (SELECT owner, key FROM records WHERE route_id = ?1 AND at <= ?2 ORDER BY at LIMIT 2)`,
  dropAhead: `DELETE FROM records WHERE route_id = ?1 AND (owner, key) IN
    (SELECT owner, key FROM records WHERE route_id = ?1 AND at > ?2 ORDER BY at DESC
    LIMIT max(0, (SELECT count(*) FROM records WHERE route_id = ?1) - ${String(MAX_RECORDS)}))`,
  dropOldest: `DELETE FROM records WHERE route_id = ?1 AND at <
    (SELECT at FROM records WHERE route_id = ?1 ORDER BY at DESC LIMIT 1 OFFSET ${String(MAX_RECORDS - 1)})`,
  putTask:
    "INSERT INTO tasks (task_id, flow_id, record) VALUES (?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET record = excluded.record",
} as const;

type Prepared = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

const prepareAll = (database: DatabaseSync): Prepared => {
  const prepare = (name: keyof typeof STATEMENTS): StatementSync => database.prepare(STATEMENTS[name]);
  return {
    find: prepare("find"),
    newest: prepare("newest"),
    newestOpen: prepare("newestOpen"),
    insert: prepare("insert"),
    countOpen: prepare("countOpen"),
    update: prepare("update"),
    remove: prepare("remove"),
    toCancel: prepare("toCancel"),
    toRemove: prepare("toRemove"),
    tasks: prepare("tasks"),
    bound: prepare("bound"),
    bind: prepare("bind"),
    record: prepare("record"),
    putRecord: prepare("putRecord"),
    dropExpired: prepare("dropExpired"),
    dropAhead: prepare("dropAhead"),
    dropOldest: prepare("dropOldest"),
    putTask: prepare("putTask"),
  };
};

/** Prepares a statement when it is first needed, because most stores have no events, and most lists no filter. */
const preparer = (database: DatabaseSync): ((sql: string) => StatementSync) => {
  const prepared = new Map<string, StatementSync>();
  return (sql) => {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
};

export class SqliteTables {
  readonly #run: Prepared;
  readonly #turns = new Turns();
  readonly events: EventRows;
  readonly #lists: ListRows;
  readonly #reading: Reading<Row> = {
    find: (load) => this.#find(load),
    list: (load) => this.#lists.list(load),
    flowOf,
    ownerOf: (row) => textIn(row, "owner"),
    tasksOf: (flowId) => this.#run.tasks.all(flowId).map(taskOf),
    recordOf: (name) => this.#record(name),
    openOf: ({ owner, most }) => this.#lists.countOpen(owner, most),
  };

  constructor(database: DatabaseSync) {
    this.#run = prepareAll(database);
    const prepare = preparer(database);
    this.events = new EventRows(prepare);
    this.#lists = new ListRows(prepare);
  }

  load(needs: Needs): Stored {
    return loadBy(needs, this.#reading);
  }

  save(write: Write): void {
    switch (write.kind) {
      case "insert_flow":
        this.#run.insert.run(...lasting(write.owner, write.flow), ...changing(write.flow), write.owner);
        break;
      case "update_flow":
        this.#run.update.run(...changing(write.flow), write.flow.flowId);
        break;
      case "remove_flow":
        this.#run.remove.run(write.flowId);
        break;
      case "put_task":
        this.#run.putTask.run(write.task.taskId, write.task.parentFlowId, JSON.stringify(write.task));
        break;
      case "put_record":
        this.#putRecord(write);
        break;
      case "bind_key":
        this.#run.bind.run(write.routeId, write.owner, write.key, write.flowId);
        break;
      case "put_event":
        this.events.put(write.event);
    }
  }

  countOpen(owner: string): readonly OpenFlows[] {
    return this.#run.countOpen.all(owner).flatMap(openFlowsOf);
  }

  #record({ routeId, owner, key }: KeyName): SavedRecord | undefined {
    const row = this.#run.record.get(routeId, owner, key);
    return row === undefined ? undefined : recordOf(row);
  }

  //= ONCE-5
  #putRecord({ routeId, owner, key, saved }: Extract<Write, { readonly kind: "put_record" }>): void {
    this.#run.putRecord.run(routeId, owner, key, saved.fingerprint, saved.outcome, saved.at);
    this.#run.dropExpired.run(routeId, saved.at - RECORD_MS);
    if (!this.#turns.take(routeId)) return;
    this.#run.dropAhead.run(routeId, saved.at + AHEAD_MS);
    this.#run.dropOldest.run(routeId);
  }

  #find(load: FlowLoad): readonly Row[] {
    switch (load.kind) {
      case "flow":
        return this.#run.find.all(load.flowId, load.owner);
      case "bound":
        return this.#run.bound.all(load.routeId, load.owner, load.key);
      case "newest":
        return (load.which === "open" ? this.#run.newestOpen : this.#run.newest).all(load.owner);
      case "due": {
        const open = this.#run.toCancel.all(load.limit);
        return [...open, ...this.#run.toRemove.all(load.endedBy, load.limit - open.length)];
      }
    }
  }
}
