// The runs in the plugin's own file: one row for each flow that starts an agent, from its claim until the flow is told the end.

import type { Result } from "neverthrow";
import { readRunResult, RUN_STATES, type RunResult, type RunRow, type RunState } from "../../core/index.ts";
import { planIn } from "./plan-column.ts";
import {
  Damaged,
  type FileFault,
  optionalText,
  type PluginFile,
  type Row,
  textIn,
  type Transaction,
} from "./plugin-file.ts";

//= RUN-1
/** Runs of one route that are not over. One more is refused, because none may be forgotten. */
export const MAX_RUNS = 10_000;

const SQL = {
  count: "SELECT count(*) AS runs FROM runs WHERE route_id = ?1",
  intend: `INSERT INTO runs (route_id, owner, stamp, plan, state, turn, tries, at)
    VALUES (?1, ?2, ?3, ?4, 'intended', 1, 0, ?5)`,
  queue: "UPDATE OR IGNORE runs SET flow_id = ?2, state = 'queued' WHERE stamp = ?1 AND state = 'intended'",
  forget: "DELETE FROM runs WHERE stamp = ?1 AND state = 'intended'",
  list: "SELECT * FROM runs ORDER BY seq",
  save: "UPDATE runs SET state = ?2, turn = ?3, tries = ?4, boot = ?5, at = ?6, result = ?7 WHERE seq = ?1",
  remove: "DELETE FROM runs WHERE seq = ?1",
} as const;

/** Why a route can start nothing more; undefined when it can. */
export const whyNoRun = (open: Transaction, routeId: string): string | undefined =>
  Number(open.prepare(SQL.count).get(routeId)?.["runs"]) < MAX_RUNS
    ? undefined
    : `holds ${String(MAX_RUNS)} runs of route ${routeId} that are not over. Wait, or raise its run.concurrency`;

//= RUN-1
/** Writes a run for the flow that is going to be made. `plan`: JSON; `now`: milliseconds since the epoch. */
export const intendRun = (
  open: Transaction,
  { routeId, owner }: Pick<RunRow, "routeId" | "owner">,
  { stamp, plan }: { readonly stamp: number; readonly plan: string },
  now: number,
): void => {
  open.prepare(SQL.intend).run(routeId, owner, stamp, plan, now);
};

//= RUN-1
/** The intended run waits for its turn with the flow, or is forgotten; any other stays. Whether one waits that did not. */
export const bindRun = (open: Transaction, stamp: number, flowId: string | undefined): boolean => {
  const isQueued = flowId !== undefined && open.prepare(SQL.queue).run(stamp, flowId).changes > 0;
  // also one whose flow has a run already
  if (!isQueued) open.prepare(SQL.forget).run(stamp);
  return isQueued;
};

const stateIn = (row: Row): RunState => {
  const state = RUN_STATES.find((one) => one === row["state"]);
  if (state === undefined) throw new Damaged("column state does not hold a state");
  return state;
};

const resultIn = (row: Row): RunResult | undefined => {
  const text = optionalText(row, "result");
  const result = text === undefined ? undefined : readRunResult(text);
  if (text !== undefined && result === undefined) throw new Damaged("column result does not hold a result");
  return result;
};

const runOf = (row: Row): RunRow => ({
  seq: Number(row["seq"]),
  routeId: textIn(row, "route_id"),
  owner: textIn(row, "owner"),
  stamp: Number(row["stamp"]),
  plan: planIn(row),
  flowId: optionalText(row, "flow_id"),
  state: stateIn(row),
  turn: Number(row["turn"]),
  tries: Number(row["tries"]),
  boot: optionalText(row, "boot"),
  at: Number(row["at"]),
  result: resultIn(row),
});

export class Runs {
  readonly #file: PluginFile;

  constructor(file: PluginFile) {
    this.#file = file;
  }

  /** All runs, in the order of their claims. Opens the file: ask first whether it exists. */
  list(): Result<readonly RunRow[], FileFault> {
    return this.#file.transact("BEGIN", (open) => open.prepare(SQL.list).all().map(runOf));
  }

  /** What became of the intended run with this stamp: its flow, or none was made. Whether it waits for its turn now. */
  bind(stamp: number, flowId: string | undefined): Result<boolean, FileFault> {
    return this.#file.transact("BEGIN IMMEDIATE", (open) => bindRun(open, stamp, flowId));
  }

  /** Writes what can change of a run; its flow never does. */
  save({ seq, state, turn, tries, boot, at, result }: RunRow): Result<void, FileFault> {
    const text = result === undefined ? null : JSON.stringify(result);
    return this.#file.transact("BEGIN IMMEDIATE", (open) => {
      open.prepare(SQL.save).run(seq, state, turn, tries, boot ?? null, at, text);
    });
  }

  /** The run is over. */
  remove(seq: number): Result<void, FileFault> {
    return this.#file.transact("BEGIN IMMEDIATE", (open) => {
      open.prepare(SQL.remove).run(seq);
    });
  }
}
