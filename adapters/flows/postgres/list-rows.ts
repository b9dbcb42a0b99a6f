// The rows of a list: their keys and weights first, so that no more rows are read than an answer may have.

import { type ListLoad, MAX_LIST_BYTES, MOST_LISTED } from "../../../core/index.ts";
import { cutList, type Listed, TOO_LARGE } from "../engine.ts";
import { numberIn, type Row, type Value } from "../rows.ts";
import { SCHEMA } from "./schema.ts";
import { type Statement, statement } from "./statement.ts";

const FLOWS = `${SCHEMA}.flows`;
const MOST = String(MAX_LIST_BYTES);

type Condition = readonly [part: (at: string) => string, valueOf: (load: ListLoad) => Value | undefined];

const CONDITIONS: readonly Condition[] = [
  [(at) => `owner = ${at}`, ({ owner }) => owner],
  [(at) => `status = ${at}`, ({ filter }) => filter.status],
  [(at) => `md5(controller_id) = md5(${at}) AND controller_id = ${at}`, ({ filter }) => filter.controllerId],
  [(at) => `updated_at > ${at}`, ({ filter }) => filter.updatedAfter],
  [(at) => `made < ${at}`, ({ before }) => before],
];

/** Up to the first flow with which the answer is too long; of a whole list that is too long only its first flow's key. */
const WANTED = {
  page: { rows: "true", keys: `weighed.upto - weighed.weight <= ${MOST}` },
  whole: {
    rows: `weighed.whole <= ${MOST}`,
    keys: `weighed.whole <= ${MOST} OR weighed.upto = weighed.weight`,
  },
} as const;

//= LIST-1, LIST-4
export const listStatement = (load: ListLoad): Statement => {
  const parts: string[] = [];
  const values: Value[] = [];
  for (const [part, valueOf] of CONDITIONS) {
    const value = valueOf(load);
    if (value !== undefined) parts.push(part(`$${String(values.push(value))}`));
  }
  const most = values.push((load.limit ?? MOST_LISTED) + 1);
  const wanted = WANTED[load.limit === undefined ? "whole" : "page"];
  const text = `WITH keys AS MATERIALIZED (
      SELECT made, weight FROM ${FLOWS} WHERE ${parts.join(" AND ")} ORDER BY made DESC LIMIT $${String(most)}),
    weighed AS (SELECT made, weight, sum(weight) OVER (ORDER BY made DESC) AS upto, sum(weight) OVER () AS whole FROM keys)
    SELECT weighed.whole, flows.* FROM weighed
    LEFT JOIN ${FLOWS} ON flows.owner = $1 AND flows.made = weighed.made AND ${wanted.rows}
    WHERE ${wanted.keys} ORDER BY weighed.made DESC`;
  return statement(text, ...values);
};

const MEASURE = {
  placeOf: (row: Row): number => numberIn(row, "made"),
  weightOf: (row: Row): number => numberIn(row, "weight"),
};

/** The rows as an answer has them. */
export const listedOf = ({ limit }: ListLoad, rows: readonly Row[]): Listed<Row> => {
  const [first] = rows;
  const isTooLarge = limit === undefined && first !== undefined && Number(first["whole"]) > MAX_LIST_BYTES;
  return isTooLarge ? TOO_LARGE : cutList(rows, limit, MEASURE);
};
