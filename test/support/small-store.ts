// A store whose rows are a value: each command is loaded, decided by the core and saved as an engine does it, and gives
// new rows. For exploring and replaying whole commands.

import {
  decide,
  decideSweep,
  type FlowAction,
  type FlowRecord,
  isEnded,
  type Load,
  type Needs,
  needsOf,
  needsOfSweep,
  type Outcome,
  type Stored,
  type TaskRecord,
  type Write,
} from "../../core/index.ts";

export type Row = { readonly owner: string; readonly flow: FlowRecord; readonly tasks: readonly TaskRecord[] };
/** By flow id, in the order in which the flows were made. */
export type Rows = ReadonlyMap<string, Row>;

const isDue = ({ flow, tasks }: Row, endedBy: number): boolean =>
  tasks.length === 0 &&
  (isEnded(flow) ? (flow.endedAt ?? flow.updatedAt) <= endedBy : flow.cancelRequestedAt !== undefined);

const find = (rows: Rows, load: Load): readonly Row[] => {
  const all = [...rows.values()];
  switch (load.kind) {
    case "bound":
      throw new Error("these rows keep no bindings");
    case "flow":
      return all.filter(({ owner, flow }) => flow.flowId === load.flowId && owner === load.owner);
    case "due":
      return all.filter((row) => isDue(row, load.endedBy)).slice(0, load.limit);
    default: {
      const own = all.filter(({ owner }) => owner === load.owner).toReversed();
      const open = load.kind === "newest" && load.which === "open" ? own.filter(({ flow }) => !isEnded(flow)) : own;
      return load.kind === "newest" ? open.slice(0, 1) : open;
    }
  }
};

const loaded = (rows: Rows, { load, tasks }: Needs): Stored => {
  const found = load.map((one) => find(rows, one)).find((one) => one.length > 0) ?? [];
  return { flows: found.map(({ flow }) => flow), tasks: tasks ? (found[0]?.tasks ?? []) : [] };
};

const saved = (rows: Rows, write: Write): Rows => {
  const after = new Map(rows);
  if (write.kind === "insert_flow") {
    return after.set(write.flow.flowId, { owner: write.owner, flow: Object.freeze(write.flow), tasks: [] });
  }
  if (write.kind === "remove_flow") {
    after.delete(write.flowId);
    return after;
  }
  if (write.kind === "put_record" || write.kind === "bind_key" || write.kind === "put_event")
    throw new Error("these rows keep no records");
  const flowId = write.kind === "update_flow" ? write.flow.flowId : write.task.parentFlowId;
  const row = after.get(flowId);
  if (row === undefined) throw new Error(`a write to ${flowId}, which is not there`);
  if (write.kind === "update_flow") return after.set(flowId, { ...row, flow: Object.freeze(write.flow) });
  const tasks = row.tasks.filter(({ taskId }) => taskId !== write.task.taskId);
  return after.set(flowId, { ...row, tasks: [...tasks, Object.freeze(write.task)] });
};

/** `answer`: the refusal, `pending`, or whether a row was written. */
export type Carried = { readonly rows: Rows; readonly answer: string; readonly outcome: Outcome };

const answerOf = (outcome: Outcome, writes: readonly Write[]): string => {
  if (outcome.kind === "not_cancelled" && outcome.refusal === "cancel_pending") return "pending";
  if ("refusal" in outcome) return outcome.refusal;
  if (outcome.kind === "flow" && outcome.flow === null) return "not_found";
  return writes.length === 0 ? "unchanged" : "written";
};

/** Carries one action of `owner` out. The rows are the very same value when nothing was written. */
export const carryOut = (rows: Rows, owner: string, action: FlowAction, now: number, fresh = "fresh"): Carried => {
  const { outcome, writes } = decide(action, loaded(rows, needsOf(action, owner)), { owner, fresh }, now);
  const known = outcome._unsafeUnwrap();
  return { rows: writes.reduce(saved, rows), answer: answerOf(known, writes), outcome: known };
};

/** One sweep over all rows. */
export const sweep = (rows: Rows, now: number): Rows =>
  decideSweep(loaded(rows, needsOfSweep(now, 100)), now).reduce(saved, rows);
