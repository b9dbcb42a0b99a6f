// The rows of a list: their keys and weights first, so that no more rows are read than an answer may have.

import { type ListLoad, MAX_LIST_BYTES, MOST_LISTED } from "../../../core/index.ts";
import { cutList, type Listed, TOO_LARGE } from "../engine.ts";
import { numberIn, type Row, type Value } from "../rows.ts";
import type { Places } from "./places.ts";
import { SCHEMA } from "./schema.ts";
import { type Statement, statement } from "./statement.ts";

const FLOWS = `${SCHEMA}.flows`;
const MOST = String(MAX_LIST_BYTES);

type Condition = readonly [
  part: (at: string) => string,
  valueOf: (load: ListLoad, places: Places) => Value | undefined,
];

const CONDITIONS: readonly Condition[] = [
  [(at) => `owner = ${at}`, ({ owner }) => owner],
  [(at) => `status = ${at}`, ({ filter }) => filter.status],
  [(at) => `md5(controller_id) = md5(${at}) AND controller_id = ${at}`, ({ filter }) => filter.controllerId],
  [(at) => `updated_at > ${at}`, ({ filter }) => filter.updatedAfter],
  [
    (at) => `made < ${at}`,
    ({ owner, before }, places) => (before === undefined ? undefined : places.made(owner, before)),
  ],
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
export const listStatement = (load: ListLoad, places: Places): Statement => {
  const parts: string[] = [];
  const values: Value[] = [];
  for (const [part, valueOf] of CONDITIONS) {
    const value = valueOf(load, places);
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
export const listedOf = ({ owner, limit }: ListLoad, rows: readonly Row[], places: Places): Listed<Row> => {
  const [first] = rows;
  const isTooLarge = limit === undefined && first !== undefined && numberIn(first, "whole") > MAX_LIST_BYTES;
  if (isTooLarge) return TOO_LARGE;
  const { rows: listed, page } = cutList(rows, limit, MEASURE);
  return { rows: listed, page: page.more ? { ...page, last: places.shown(owner, page.last) } : page };
};
