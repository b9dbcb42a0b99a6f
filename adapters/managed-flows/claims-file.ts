// Claims, results and bindings in the plugin's own file. What is claimed is on the disk before the host is asked.

import { err, ok, type Result } from "neverthrow";
import {
  AHEAD_MS,
  type Binding,
  type ClaimRecord,
  type Claiming,
  type Delivery,
  type Kept,
  MAX_RECORDS,
  type Plan,
  RECORD_MS,
  type Settlement,
} from "../../core/index.ts";
import { Turns } from "../flows/turns.ts";
import { nextStamp, STAMPS_AHEAD_MS } from "./in-flight.ts";
import { type FileFault, optionalText, type PluginFile, type Row, textIn, type Transaction } from "./plugin-file.ts";
import { planIn } from "./plan-column.ts";
import { bindRun, intendRun, whyNoRun } from "./runs-table.ts";

/** `earlier`: the outcome that the record had already, as JSON: then it keeps that one. `isQueued`: a run waits that did not. */
export type Settled = { readonly earlier: string | undefined; readonly isQueued: boolean };

/** What the records know a request by. Nothing of another route or owner is ever found. */
export type ClaimName = Pick<Delivery, "routeId" | "once" | "bind"> & { readonly owner: string };

//= BIND-2
/** Bindings that one route keeps; the oldest gives way. */
const MAX_BOUND = 100_000;

const NAMED = "route_id = ?1 AND owner = ?2 AND key = ?3";

const SQL = {
  record: `SELECT * FROM records WHERE ${NAMED}`,
  binding: `SELECT * FROM bindings WHERE ${NAMED}`,
  lastStamp: `SELECT max(stamp) AS stamp FROM (SELECT stamp FROM records WHERE stamp BETWEEN ?1 AND ?2
    UNION ALL SELECT stamp FROM bindings WHERE stamp BETWEEN ?1 AND ?2
    UNION ALL SELECT stamp FROM runs WHERE stamp BETWEEN ?1 AND ?2)`,
  claim: `INSERT OR REPLACE INTO records (route_id, owner, key, fingerprint, at, stamp, plan)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
  intend: "INSERT OR REPLACE INTO bindings (route_id, owner, key, stamp, plan) VALUES (?1, ?2, ?3, ?4, ?5)",
  keep: `INSERT INTO records (route_id, owner, key, fingerprint, at, stamp, outcome) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
    ON CONFLICT (route_id, owner, key) DO UPDATE SET outcome = excluded.outcome, plan = NULL,
    at = iif(outcome IS NULL, at, excluded.at), fingerprint = excluded.fingerprint
    WHERE outcome IS NULL OR at <= ?7`,
  forget: `DELETE FROM records WHERE ${NAMED} AND outcome IS NULL`,
  bind: `UPDATE bindings SET flow_id = ?5 WHERE ${NAMED} AND stamp = ?4`,
  unbind: `DELETE FROM bindings WHERE ${NAMED} AND stamp = ?4`,
  countOpen: `SELECT count(*) AS open FROM records
    WHERE route_id = ?1 AND outcome IS NULL AND at > ?2 AND at <= ?3`,
  dropExpired: "DELETE FROM records WHERE rowid IN (SELECT rowid FROM records WHERE at <= ? ORDER BY at LIMIT 4)",
  dropAhead: `DELETE FROM records WHERE rowid IN
    (SELECT rowid FROM records WHERE route_id = ?1 AND outcome IS NOT NULL AND at > ?2 ORDER BY at DESC
    LIMIT max(0, (SELECT count(*) FROM records WHERE route_id = ?1) - ${String(MAX_RECORDS)}))`,
  dropOldest: `DELETE FROM records WHERE route_id = ?1 AND outcome IS NOT NULL AND at <
    (SELECT at FROM records WHERE route_id = ?1 AND at <= ?2 ORDER BY at DESC LIMIT 1 OFFSET ${String(MAX_RECORDS - 1)})`,
  dropBindingsAhead: `DELETE FROM bindings WHERE rowid IN
    (SELECT rowid FROM bindings WHERE route_id = ?1 AND stamp > ?2 ORDER BY stamp DESC
    LIMIT max(0, (SELECT count(*) FROM bindings WHERE route_id = ?1) - ${String(MAX_BOUND)}))`,
  dropBindings: `DELETE FROM bindings WHERE route_id = ?1 AND stamp <
    (SELECT stamp FROM bindings WHERE route_id = ?1 ORDER BY stamp DESC LIMIT 1 OFFSET ${String(MAX_BOUND - 1)})`,
} as const;

const recordOf = (row: Row): ClaimRecord => ({
  fingerprint: textIn(row, "fingerprint"),
  at: Number(row["at"]),
  stamp: Number(row["stamp"]),
  plan: row["plan"] === null ? undefined : planIn(row),
  outcome: optionalText(row, "outcome"),
});

const bindingOf = (row: Row): Binding => ({
  stamp: Number(row["stamp"]),
  plan: planIn(row),
  flowId: optionalText(row, "flow_id"),
});

export class ClaimsFile {
  readonly file: PluginFile;
  /** Of the present opening of the file. */
  #turns: { readonly of: Transaction; readonly turns: Turns } | undefined;

  constructor(file: PluginFile) {
    this.file = file;
  }

  /** What the records hold of a request. */
  look(name: ClaimName): Result<Kept, FileFault> {
    return this.file.transact("BEGIN", (open) => {
      const { routeId, owner, once, bind } = name;
      const record = once === undefined ? undefined : open.prepare(SQL.record).get(routeId, owner, once.key);
      const binding = bind === undefined ? undefined : open.prepare(SQL.binding).get(routeId, owner, bind);
      return {
        record: record === undefined ? undefined : recordOf(record),
        binding: binding === undefined ? undefined : bindingOf(binding),
      };
    });
  }

  //= ONCE-6, RUN-1
  /** Writes the claim in place of what is there; answers with its stamp. */
  claim(name: ClaimName, plan: Plan, { binds, starts }: Claiming): Result<number, FileFault> {
    const { routeId, owner, once, bind } = name;
    const claimed = this.file.transact("BEGIN IMMEDIATE", (open): Result<number, FileFault> => {
      const now = this.file.now();
      this.#trim(open, routeId, now);
      // not thrown, because what was dropped stays dropped
      const full = this.#whyFull(open, routeId, now) ?? (starts ? whyNoRun(open, routeId) : undefined);
      if (full !== undefined) return err(this.file.fault(full));
      const last = open.prepare(SQL.lastStamp).get(now, now + STAMPS_AHEAD_MS)?.["stamp"];
      const stamp = nextStamp(now, typeof last === "number" ? last + 1 : 0);
      const planned = JSON.stringify(plan);
      if (once !== undefined)
        open.prepare(SQL.claim).run(routeId, owner, once.key, once.fingerprint, now, stamp, planned);
      if (binds && bind !== undefined) open.prepare(SQL.intend).run(routeId, owner, bind, stamp, planned);
      if (starts) intendRun(open, name, { stamp, plan: planned }, now);
      return ok(stamp);
    });
    return claimed.andThen((stamp) => stamp);
  }

  //= ONCE-6, RUN-1
  /** Record, binding and run in one transaction. */
  settle(name: ClaimName, { record, binding, run }: Settlement): Result<Settled, FileFault> {
    return this.file.transact("BEGIN IMMEDIATE", (open) => {
      if (binding !== undefined) this.#settleBinding(open, name, binding);
      const isQueued = run !== undefined && bindRun(open, run.stamp, run.flowId);
      return { earlier: record === undefined ? undefined : this.#keep(open, name, record), isQueued };
    });
  }

  #settleBinding(
    open: Transaction,
    { routeId, owner, bind }: ClaimName,
    { stamp, flowId }: NonNullable<Settlement["binding"]>,
  ): void {
    if (bind === undefined) return;
    if (flowId === undefined) open.prepare(SQL.unbind).run(routeId, owner, bind, stamp);
    else open.prepare(SQL.bind).run(routeId, owner, bind, stamp, flowId);
  }

  #keep(
    open: Transaction,
    { routeId, owner, once }: ClaimName,
    record: NonNullable<Settlement["record"]>,
  ): string | undefined {
    if (once === undefined) return undefined;
    if (record === "forget") {
      open.prepare(SQL.forget).run(routeId, owner, once.key);
      return undefined;
    }
    const now = this.file.now();
    const { changes } = open
      .prepare(SQL.keep)
      .run(routeId, owner, once.key, once.fingerprint, now, record.outcome, now - RECORD_MS);
    const row = changes === 0 ? open.prepare(SQL.record).get(routeId, owner, once.key) : undefined;
    this.#trim(open, routeId, now);
    return row === undefined ? undefined : optionalText(row, "outcome");
  }

  //= ONCE-5
  #trim(open: Transaction, routeId: string, now: number): void {
    open.prepare(SQL.dropExpired).run(now - RECORD_MS);
    if (!this.#turnsOf(open).take(routeId)) return;
    const ahead = now + AHEAD_MS;
    open.prepare(SQL.dropAhead).run(routeId, ahead);
    open.prepare(SQL.dropOldest).run(routeId, ahead);
    open.prepare(SQL.dropBindingsAhead).run(routeId, ahead);
    open.prepare(SQL.dropBindings).run(routeId);
  }

  /** Why a route can claim nothing more. A claim of another day, by the clock of now, does not count. */
  #whyFull(open: Transaction, routeId: string, now: number): string | undefined {
    const claims = Number(open.prepare(SQL.countOpen).get(routeId, now - RECORD_MS, now + AHEAD_MS)?.["open"]);
    return claims < MAX_RECORDS
      ? undefined
      : `holds ${String(claims)} requests of route ${routeId} that are not known to be over. Wait a day`;
  }

  #turnsOf(open: Transaction): Turns {
    if (this.#turns?.of !== open) this.#turns = { of: open, turns: new Turns() };
    return this.#turns.turns;
  }
}
