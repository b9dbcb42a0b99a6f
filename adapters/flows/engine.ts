// What an embedded store stands on: rows of flows and tasks, and transactions over them. Memory and SQLite are two engines,
// and a network database can be another one, because an engine may answer later. What the rows mean is the core's business.

import type { Result } from "neverthrow";
import {
  type FlowRecord,
  type KeyName,
  type ListLoad,
  type Load,
  MAX_LIST_BYTES,
  type Needs,
  type SavedRecord,
  type Stored,
  type TaskRecord,
  type Write,
} from "../../core/index.ts";
import type { Awaitable } from "./awaitable.ts";
import type { CountOpen } from "./open-flows.ts";
import type { Outbox } from "./outbox.ts";

/** Nothing was written. `error` is for the operator. */
export type StoreFault = { readonly error: unknown };

/** A lookup of single flows, and not of a list. */
export type FlowLoad = Exclude<Load, ListLoad>;

/** How an engine reads its rows. */
export type Reading<Row> = {
  readonly find: (load: FlowLoad) => readonly Row[];
  readonly list: (load: ListLoad) => Listed<Row>;
  readonly flowOf: (row: Row) => FlowRecord;
  readonly ownerOf: (row: Row) => string;
  readonly tasksOf: (flowId: string) => readonly TaskRecord[];
  readonly recordOf: (name: KeyName) => SavedRecord | undefined;
  /** Flows of the owner that have not ended, counted up to `most` or further. */
  readonly openOf: (wanted: NonNullable<Needs["open"]>) => number;
};

/** The rows of a list, and what `Stored.page` says of them. */
export type Listed<Row> = { readonly rows: readonly Row[]; readonly page: NonNullable<Stored["page"]> };

/** Of a row in a list: its place, and at most as many bytes as its flow has in an answer. */
export type Measure<Row> = { readonly placeOf: (row: Row) => number; readonly weightOf: (row: Row) => number };

/** A whole list that is too large for one answer. */
export const TOO_LARGE: Listed<never> = { rows: [], page: { more: true, places: [] } };

//= LIST-4
/** As many of `rows` as the list may have, or a few more, because weights are lower bounds. It reads no row after the next one. */
export const cutList = <Row>(
  rows: Iterable<Row>,
  limit: number | undefined,
  { placeOf, weightOf }: Measure<Row>,
): Listed<Row> => {
  const listed: Row[] = [];
  const places: number[] = [];
  let weight = 0;
  for (const row of rows) {
    if (listed.length === limit) return { rows: listed, page: { more: true, places } };
    weight += weightOf(row);
    if (weight > MAX_LIST_BYTES) {
      if (limit === undefined) return TOO_LARGE;
      if (listed.length > 0) return { rows: listed, page: { more: true, places } };
    }
    listed.push(row);
    places.push(placeOf(row));
  }
  return { rows: listed, page: { more: false, places } };
};

const listBy = <Row>(load: ListLoad, { list, flowOf }: Reading<Row>): Stored => {
  const { rows, page } = list(load);
  return { flows: rows.map(flowOf), tasks: [], page };
};

const flowsBy = <Row>({ load, tasks }: Needs, reading: Reading<Row>): Stored => {
  const { find, flowOf, ownerOf, tasksOf } = reading;
  for (const one of load) {
    if (one.kind === "all") return listBy(one, reading);
    const rows = find(one);
    if (rows.length === 0) continue;
    const flows = rows.map(flowOf);
    const [flow] = flows;
    const stored = { flows, tasks: tasks && flow !== undefined ? tasksOf(flow.flowId) : [] };
    return one.kind === "due" ? { ...stored, owners: rows.map(ownerOf) } : stored;
  }
  return { flows: [], tasks: [] };
};

/**
 * What an engine loads: the flows that the first successful lookup finds, the first one's tasks, an earlier request's record and the
 * number of open flows, each where it is wanted.
 */
export const loadBy = <Row>(needs: Needs, reading: Reading<Row>): Stored => {
  const stored = flowsBy(needs, reading);
  const { saved, open } = needs;
  if (saved === undefined && open === undefined) return stored;
  return { ...stored, saved: saved && reading.recordOf(saved), open: open && reading.openOf(open) };
};

/** What a transaction decides: the rows to write, and whatever else its caller wants back. */
export type Decided = { readonly writes: readonly Write[] };

export interface FlowEngine {
  /**
   * One transaction: loads what `needs` says, asks `decide`, which answers at once, and saves the writes that it names. All of
   * them are there before the answer is given, or none is. When `needs` says that it writes, no other writer, of this process
   * or another, comes between load and save. What `decide` throws undoes the transaction.
   */
  transact<T extends Decided>(needs: Needs, decide: (stored: Stored) => T): Awaitable<Result<T, StoreFault>>;

  /** For an operator's page; without it flows are not counted. */
  readonly countOpen?: CountOpen;

  /** The events that its transactions write (`put_event`), to be sent. Without it no such write comes, and no callback is sent. */
  readonly outbox?: Outbox;
}
