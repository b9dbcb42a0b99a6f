// The rows of flows in PostgreSQL as one transaction loads and saves them: which statements, and what their answers mean.

import {
  flowWeight,
  type Load,
  MAX_RECORDS,
  type Needs,
  RECORD_MS,
  type Stored,
  type Write,
} from "../../../core/index.ts";
import { changing, CHANGING, flowOf, lasting, numberIn, recordOf, type Row, taskOf, textIn } from "../rows.ts";
import { loadBy, type Reading } from "../engine.ts";
import { READ, WRITTEN } from "./columns.ts";
import { putEvent } from "./event-rows.ts";
import { listedOf, listStatement } from "./list-rows.ts";
import { nameOf } from "./locks.ts";
import { dropBeyond, UPKEEP_ROWS } from "./oldest.ts";
import type { Places } from "./places.ts";
import { SCHEMA } from "./schema.ts";
import { type Answered, type Statement, statement } from "./statement.ts";

const FLOWS = `${SCHEMA}.flows`;
const TASKS = `${SCHEMA}.tasks`;
const RECORDS = `${SCHEMA}.records`;
const BINDINGS = `${SCHEMA}.bindings`;

const numbered = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `$${String(index + 1)}`);
const IDLE = `NOT EXISTS (SELECT FROM ${TASKS} WHERE tasks.flow_id = flows.flow_id)`;

/** Compared so that no index of owners is used, because a plan that was made for few flows would read all of an owner's. */
const IS_OWNED = "flows.owner IS NOT DISTINCT FROM $2";
const FIND = `SELECT ${READ} FROM ${FLOWS} WHERE flow_id = $1 AND ${IS_OWNED}`;
const BOUND = `SELECT ${READ} FROM ${BINDINGS} JOIN ${FLOWS} USING (flow_id)
  WHERE bindings.name = $1 AND bindings.owner = $2 AND ${IS_OWNED}`;
const LOCKED = "FOR NO KEY UPDATE OF flows";
//= STORE-5
const NEWEST = `SELECT ${READ} FROM ${FLOWS} WHERE owner = $1 ORDER BY made DESC LIMIT 1`;
const NEWEST_OPEN = `SELECT ${READ} FROM ${FLOWS} WHERE owner = $1 AND ended_at IS NULL ORDER BY made DESC LIMIT 1`;
//= PG-5
/** Another replica's sweep has those that are locked. */
const TO_CANCEL = `SELECT ${READ} FROM ${FLOWS} WHERE cancel_requested_at IS NOT NULL AND ended_at IS NULL AND ${IDLE}
  LIMIT $1 FOR UPDATE SKIP LOCKED`;
const TO_REMOVE = `SELECT ${READ} FROM ${FLOWS} WHERE ended_at <= $1 AND ${IDLE} LIMIT $2 FOR UPDATE SKIP LOCKED`;
const TASKS_OF = `SELECT record FROM ${TASKS} WHERE flow_id = $1 AND owner = $2 ORDER BY made`;
const TASKS_OF_BOUND = `SELECT record FROM ${TASKS} JOIN ${BINDINGS} USING (flow_id)
  WHERE bindings.name = $1 AND bindings.owner = $2 AND tasks.owner = $2 ORDER BY made`;
const SAVED = `SELECT fingerprint, outcome, at FROM ${RECORDS} WHERE name = $1 AND owner = $2`;
//= QUOTA-1
const OPEN = `SELECT count(*) AS flows FROM (SELECT FROM ${FLOWS} WHERE owner = $1 AND ended_at IS NULL LIMIT $2) AS open`;
export const COUNT_OPEN = `SELECT status, count(*) AS count, min(created_at) AS oldest FROM ${FLOWS}
  WHERE owner = ANY ($1::text[]) AND ended_at IS NULL GROUP BY status`;

const INSERT = `INSERT INTO ${FLOWS} (${WRITTEN.join(", ")}) VALUES (${numbered(WRITTEN.length).join(", ")})`;
//= PG-1
/** Fails, which undoes the transaction, unless the flow has the revision from which was decided. */
const UPDATE = `WITH changed AS (UPDATE ${FLOWS} SET ${[...CHANGING, "weight"]
  .map((name, index) => `${name} = $${String(index + 3)}`)
  .join(", ")} WHERE flow_id = $1 AND revision = $2 RETURNING 1)
  SELECT ${SCHEMA}.exactly_one(count(*)) FROM changed`;
const REMOVE = `DELETE FROM ${FLOWS} WHERE flow_id = $1`;
const PUT_TASK = `INSERT INTO ${TASKS} (task_id, flow_id, owner, record)
  VALUES ($1, $2, (SELECT owner FROM ${FLOWS} WHERE flow_id = $2), $3)
  ON CONFLICT (task_id) DO UPDATE SET record = excluded.record`;
const PUT_RECORD = `INSERT INTO ${RECORDS} (name, route_id, owner, fingerprint, outcome, at) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, outcome = excluded.outcome, at = excluded.at`;
const BIND = `INSERT INTO ${BINDINGS} (name, owner, flow_id) VALUES ($1, $2, $3)
  ON CONFLICT (name) DO UPDATE SET flow_id = excluded.flow_id`;

//= ONCE-5
/** Most records of a route that are kept; those that are locked are another replica's to drop. */
export const dropOldest = (routeId: string): Statement =>
  statement(dropBeyond({ table: RECORDS, id: "name", order: "at", most: MAX_RECORDS }), routeId);
/** `now`: milliseconds since the epoch. */
export const dropExpired = (now: number): Statement =>
  statement(
    `DELETE FROM ${RECORDS} WHERE name IN (SELECT name FROM ${RECORDS} WHERE at <= $1 ORDER BY at
      LIMIT ${String(UPKEEP_ROWS)} FOR UPDATE SKIP LOCKED)`,
    now - RECORD_MS,
  );

/** The statements of one lookup, whose rows are joined; `isWrite`: no other transaction may change what is found. */
const loading = (load: Load, isWrite: boolean, places: Places): readonly Statement[] => {
  const locked = (text: string): string => (isWrite ? `${text} ${LOCKED}` : text);
  switch (load.kind) {
    case "flow":
      return [statement(locked(FIND), load.flowId, load.owner)];
    case "bound":
      return [statement(locked(BOUND), nameOf(load), load.owner)];
    case "newest":
      return [statement(load.which === "open" ? NEWEST_OPEN : NEWEST, load.owner)];
    case "all":
      return [listStatement(load, places)];
    case "due":
      return [statement(TO_CANCEL, load.limit), statement(TO_REMOVE, load.endedBy, load.limit)];
  }
};

const loadingTasks = (load: Load): readonly Statement[] => {
  if (load.kind === "flow") return [statement(TASKS_OF, load.flowId, load.owner)];
  return load.kind === "bound" ? [statement(TASKS_OF_BOUND, nameOf(load), load.owner)] : [];
};

/** What a transaction asks for, and how the answers become what the core is given. */
export type Asking = {
  readonly statements: readonly Statement[];
  readonly storedOf: (answers: readonly Answered[]) => Stored;
};

/** The rows that each question has got; a question is told apart by what it is about. */
type Got = ReadonlyMap<object, readonly Row[]>;

/** What the rows of all lookups say, as if they were looked for one after the other. */
const readingOf = (got: Got, tasks: Got, places: Places): Reading<Row> => {
  const rowsOf = (about: object): readonly Row[] => got.get(about) ?? [];
  return {
    find: (load) => (load.kind === "due" ? rowsOf(load).slice(0, load.limit) : rowsOf(load)),
    list: (load) => listedOf(load, rowsOf(load), places),
    flowOf,
    ownerOf: (row) => textIn(row, "owner"),
    tasksOf: (flowId) => {
      const [load] = [...got].find(([, rows]) => rows.some((row) => row["flow_id"] === flowId)) ?? [];
      return (load === undefined ? [] : (tasks.get(load) ?? [])).map(taskOf);
    },
    recordOf: (name) => rowsOf(name).map(recordOf)[0],
    openOf: (wanted) => rowsOf(wanted).reduce((sum, row) => sum + numberIn(row, "flows"), 0),
  };
};

type Question = { readonly about: object; readonly statements: readonly Statement[] };

/** All questions are asked at once; the first lookup that finds a flow counts. */
export const askingOf = (needs: Needs, places: Places): Asking => {
  const { load, saved, open } = needs;
  const questions: readonly Question[] = [
    ...load.map((about) => ({ about, statements: loading(about, needs.writes, places) })),
    ...(saved === undefined ? [] : [{ about: saved, statements: [statement(SAVED, nameOf(saved), saved.owner)] }]),
    ...(open === undefined ? [] : [{ about: open, statements: [statement(OPEN, open.owner, open.most)] }]),
  ];
  const ofTasks: readonly Question[] = needs.tasks
    ? load.map((about) => ({ about, statements: loadingTasks(about) }))
    : [];
  const statementsOf = (some: readonly Question[]): readonly Statement[] =>
    some.flatMap(({ statements }) => statements);
  const storedOf = (answers: readonly Answered[]): Stored => {
    let at = 0;
    const take = ({ about, statements }: Question): readonly [object, readonly Row[]] => [
      about,
      answers.slice(at, (at += statements.length)).flatMap(({ rows }) => rows),
    ];
    const got = new Map(questions.map(take));
    return loadBy(needs, readingOf(got, new Map(ofTasks.map(take)), places));
  };
  return { statements: [...statementsOf(questions), ...statementsOf(ofTasks)], storedOf };
};

/** The statement that makes a write. `before`: what the transaction has found. */
export const writing = (write: Write, before: Stored): Statement => {
  switch (write.kind) {
    case "insert_flow":
      return statement(INSERT, ...lasting(write.owner, write.flow), ...changing(write.flow), flowWeight(write.flow));
    case "update_flow": {
      const { flow } = write;
      const found = before.flows.find(({ flowId }) => flowId === flow.flowId);
      return statement(UPDATE, flow.flowId, found?.revision ?? -1, ...changing(flow), flowWeight(flow));
    }
    case "remove_flow":
      return statement(REMOVE, write.flowId);
    case "put_task":
      return statement(PUT_TASK, write.task.taskId, write.task.parentFlowId, JSON.stringify(write.task));
    case "put_record": {
      const { routeId, owner, saved } = write;
      return statement(PUT_RECORD, nameOf(write), routeId, owner, saved.fingerprint, saved.outcome, saved.at);
    }
    case "bind_key":
      return statement(BIND, nameOf(write), write.owner, write.flowId);
    case "put_event":
      return putEvent(write.event);
  }
};
