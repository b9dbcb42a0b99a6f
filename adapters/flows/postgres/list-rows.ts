// The rows of a list: their keys and weights first, so that no more rows are read than an answer may have.

import { type ListFilter, type ListLoad, MAX_LIST_BYTES, MOST_LISTED } from "../../../core/index.ts";
import { cutList, type Listed, TOO_LARGE } from "../engine.ts";
import { numberIn, type Row, type Value } from "../rows.ts";
import { READ } from "./columns.ts";
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

/** Whether an index has the flows in the order of the list, so that reading ends with it. */
const isInOrder = ({ status, controllerId, updatedAfter }: ListFilter): boolean =>
  updatedAfter === undefined && (status === undefined || controllerId === undefined);

/**
 * Keys of the newest flows. Where no index has them in order all keys that the filters let through are found first: else PostgreSQL
 * may read the list until enough of them have come, which is all of it where there are few.
 */
const keysOf = (filter: ListFilter, where: string, most: string): string => {
  const found = `SELECT made, weight FROM ${FLOWS} WHERE ${where}`;
  const newest = `ORDER BY made DESC LIMIT ${most}`;
  return isInOrder(filter)
    ? `keys AS MATERIALIZED (${found} ${newest})`
    : `found AS MATERIALIZED (${found}), keys AS MATERIALIZED (SELECT made, weight FROM found ${newest})`;
};

/** As a range, because with it only one index has the order, also to a plan that was made for few flows. */
const AT_KEY = "owner = $1 AND made BETWEEN weighed.made AND weighed.made";

//= LIST-1, LIST-2, LIST-4
/** Rows are looked up by their keys, and no more of them than the answer can have. */
export const listStatement = (load: ListLoad, places: Places): Statement => {
  const parts: string[] = [];
  const values: Value[] = [];
  for (const [part, valueOf] of CONDITIONS) {
    const value = valueOf(load, places);
    if (value !== undefined) parts.push(part(`$${String(values.push(value))}`));
  }
  const most = `$${String(values.push((load.limit ?? MOST_LISTED) + 1))}`;
  const wanted = WANTED[load.limit === undefined ? "whole" : "page"];
  const text = `WITH ${keysOf(load.filter, parts.join(" AND "), most)},
    weighed AS (SELECT made, weight, sum(weight) OVER (ORDER BY made DESC) AS upto, sum(weight) OVER () AS whole FROM keys)
    SELECT weighed.whole, flows.* FROM weighed
    LEFT JOIN LATERAL (SELECT ${READ} FROM ${FLOWS} WHERE ${AT_KEY} AND ${wanted.rows} ORDER BY made LIMIT 1) AS flows ON true
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
  // no cursor of a whole list is shown
  return { rows: listed, page: { ...page, places: limit === undefined ? [] : places.shown(owner, page.places) } };
};
