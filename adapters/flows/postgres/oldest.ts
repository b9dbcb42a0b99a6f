// What gives way when a route has too many rows of a table: the oldest, some at a time.

/** Rows of one statement of upkeep. */
export const UPKEEP_ROWS = 500;

/** `id`: the column that names a row; `order`: the one that dates it. */
type Kept = { readonly table: string; readonly id: string; readonly order: string; readonly most: number };

//= PG-5
/** Of the route $1. Rows that are locked are passed over: they are another replica's to drop. */
export const dropBeyond = ({ table, id, order, most }: Kept): string =>
  `DELETE FROM ${table} WHERE ${id} IN (SELECT ${id} FROM ${table} WHERE route_id = $1 ORDER BY ${order}
    LIMIT least(${String(UPKEEP_ROWS)}, greatest(0, (SELECT count(*) FROM ${table} WHERE route_id = $1) - ${String(most)}))
    FOR UPDATE SKIP LOCKED)`;
