// The rows of a list, as one transaction reads them: by the index that fits its filters, and no further than the list goes.

import type { SQLInputValue, StatementSync } from "node:sqlite";
import {
  FLOW_TEXTS,
  LEAST_FLOW_BYTES,
  type ListFilter,
  type ListLoad,
  MOST_LISTED,
  OPEN_STATUSES,
} from "../../../core/index.ts";
import { cutList, type Listed, type Measure, TOO_LARGE } from "../engine.ts";
import { numberIn, type Row } from "./rows.ts";

const MORE_THAN = "SELECT 1 FROM flows WHERE owner = ? LIMIT 1 OFFSET ?";

/** An embedded store gives an end to no flow in one of these. */
export const IS_OPEN = `status IN (${OPEN_STATUSES.map((status) => `'${status}'`).join(", ")})`;

const COUNT_OPEN = `SELECT count(*) AS flows FROM (SELECT 1 FROM flows INDEXED BY flows_of_status
  WHERE owner = ? AND ${IS_OPEN} LIMIT ?)`;

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

/** The index that has the flows in the order of the list, so that reading ends with it; undefined where there is none. */
const inOrderOf = ({ status, controllerId, updatedAfter }: ListFilter): string | undefined => {
  if (updatedAfter !== undefined) return undefined;
  if (status === undefined) return controllerId === undefined ? "flows_of_owner" : "flows_of_controller";
  return controllerId === undefined ? "flows_of_status" : undefined;
};

const inOrder = (index: string, where: string): string =>
  `SELECT * FROM flows INDEXED BY ${index} WHERE ${where} ORDER BY made DESC`;

/** Only ids are sorted, and only as many as are wanted, because rows may be large. */
const sorted = (where: string): string =>
  `SELECT flow_id AS id FROM flows INDEXED BY flows_changed WHERE ${where} ORDER BY made DESC LIMIT ?`;

const ROW = "SELECT * FROM flows WHERE flow_id = ?";

/** The columns of a flow that callers fill as they like. */
const TEXTS = FLOW_TEXTS.map((field) => field.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`));

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
    const index = inOrderOf(load.filter);
    const rows =
      index === undefined
        ? this.#byId(this.#prepare(sorted(where)).all(...values, 1 + (load.limit ?? MOST_LISTED)))
        : this.#prepare(inOrder(index, where)).iterate(...values);
    return cutList(rows, load.limit, MEASURE);
  }

  *#byId(found: readonly Row[]): Generator<Row, void> {
    for (const { id } of found) yield* this.#prepare(ROW).all(id ?? null);
  }

  //= QUOTA-1
  /** The owner's flows that have not ended, counted up to `most`. */
  countOpen(owner: string, most: number): number {
    return Number(this.#prepare(COUNT_OPEN).get(owner, most)?.["flows"]);
  }

  #isThere(sql: string, ...values: readonly SQLInputValue[]): boolean {
    return this.#prepare(sql).get(...values) !== undefined;
  }
}
