// The rows of a list, as one transaction reads them: by the index that fits its filters, and no further than the list goes.

import type { SQLInputValue, StatementSync } from "node:sqlite";
import { LEAST_FLOW_BYTES, type ListFilter, type ListLoad, MOST_LISTED, OPEN_STATUSES } from "../../../core/index.ts";
import { cutList, type Listed, type Measure, TOO_LARGE } from "../engine.ts";
import { numberIn, type Row } from "../rows.ts";

/** Flows that were changed since a moment, up to which they are sorted; where they are more, the newest are looked through. */
const FEW_CHANGED = 1000;

const MORE_THAN = "SELECT 1 FROM flows WHERE owner = ? LIMIT 1 OFFSET ?";
const MORE_CHANGED_THAN =
  "SELECT 1 FROM flows INDEXED BY flows_changed WHERE owner = ? AND updated_at > ? LIMIT 1 OFFSET ?";

/** An embedded store gives an end to no flow in one of these. */
const COUNT_OPEN = `SELECT count(*) AS flows FROM (SELECT 1 FROM flows INDEXED BY flows_of_status
  WHERE owner = ? AND status IN (${OPEN_STATUSES.map((status) => `'${status}'`).join(", ")}) LIMIT ?)`;

type Query = { readonly where: string; readonly values: readonly SQLInputValue[] };

const CONDITIONS: readonly (readonly [part: string, valueOf: (load: ListLoad) => SQLInputValue | undefined])[] = [
  ["owner = ?", ({ owner }) => owner],
  ["status = ?", ({ filter }) => filter.status],
  ["controller_id = ?", ({ filter }) => filter.controllerId],
  ["updated_at > ?", ({ filter }) => filter.updatedAfter],
  ["made < ?", ({ before }) => before],
];

const queryOf = (load: ListLoad): Query => {
  const asked = CONDITIONS.flatMap(([part, valueOf]) => {
    const value = valueOf(load);
    return value === undefined ? [] : [{ part, value }];
  });
  return { where: asked.map(({ part }) => part).join(" AND "), values: asked.map(({ value }) => value) };
};

/** In the order of the list, so that reading ends with the page. */
const indexOf = ({ status, controllerId }: ListFilter): string => {
  if (status !== undefined) return "flows_of_status";
  return controllerId === undefined ? "flows_of_owner" : "flows_of_controller";
};

const inOrder = ({ filter }: ListLoad, where: string): string =>
  `SELECT * FROM flows INDEXED BY ${indexOf(filter)} WHERE ${where} ORDER BY made DESC`;

/** Only keys are sorted, because rows may be large. */
const sorted = (where: string): string =>
  `SELECT flows.* FROM (SELECT flow_id AS id, made AS place FROM flows INDEXED BY flows_changed WHERE ${where}
  ORDER BY made DESC) CROSS JOIN flows ON flows.flow_id = id ORDER BY place DESC`;

const TEXTS = ["goal", "state_json", "wait_json"] as const;

const MEASURE: Measure<Row> = {
  placeOf: (row) => numberIn(row, "made"),
  weightOf: (row) => {
    let weight = LEAST_FLOW_BYTES;
    for (const name of TEXTS) {
      const text = row[name];
      if (typeof text === "string") weight += text.length;
    }
    return weight;
  },
};

export class ListRows {
  readonly #prepare: (sql: string) => StatementSync;

  /** `prepare`: gives the statement; the same one for the same text, as long as the file is open. */
  constructor(prepare: (sql: string) => StatementSync) {
    this.#prepare = prepare;
  }

  //= LIST-1, LIST-4
  list(load: ListLoad): Listed<Row> {
    const { where, values } = queryOf(load);
    const isWhole = load.limit === undefined && values.length === 1;
    if (isWhole && this.#isThere(MORE_THAN, load.owner, MOST_LISTED)) return TOO_LARGE;
    const rows = this.#prepare(this.#hasFew(load) ? sorted(where) : inOrder(load, where));
    return cutList(rows.iterate(...values), load.limit, MEASURE);
  }

  //= QUOTA-1
  /** The owner's flows that have not ended, counted up to `most`. */
  countOpen(owner: string, most: number): number {
    return Number(this.#prepare(COUNT_OPEN).get(owner, most)?.["flows"]);
  }

  #hasFew({ owner, filter: { updatedAfter } }: ListLoad): boolean {
    return updatedAfter !== undefined && !this.#isThere(MORE_CHANGED_THAN, owner, updatedAfter, FEW_CHANGED);
  }

  #isThere(sql: string, ...values: readonly SQLInputValue[]): boolean {
    return this.#prepare(sql).get(...values) !== undefined;
  }
}
