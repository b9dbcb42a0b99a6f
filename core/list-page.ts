// Which flows list_flows has: its filters, and its pages where a store hands out whole lists.

import { err, ok, type Result } from "neverthrow";
import { type ActionOf, MAX_PAGE } from "./action.ts";
import { type Cursor, MOST_AT, readCursor, writeCursor } from "./cursor.ts";
import { FLOW_STATUSES, type FlowRecord, type FlowStatus, OPEN_STATUSES } from "./flow.ts";
import { MAX_LIST_BYTES, MAX_PAGE_BYTES, MOST_LISTED, Scale } from "./list-weight.ts";
import { own } from "./own.ts";
import type { OutcomeOf, StoreFailure } from "./outcome.ts";
import { type BadRecord, type FlowView, viewFlow, viewFlows, viewFlowsUntil } from "./view.ts";

type ListFlows = ActionOf<"list_flows">;

/** What a flow must be to be listed. `updatedAfter`: milliseconds since the epoch. What is undefined is not asked for. */
export type ListFilter = {
  readonly status?: FlowStatus | undefined;
  readonly controllerId?: string | undefined;
  readonly updatedAfter?: number | undefined;
};

/** Whether a page is asked for, and not the whole list. */
export const isPaged = ({ limit, cursor }: ListFlows): boolean => limit !== undefined || cursor !== undefined;

const isFiltered = ({ status, controllerId, updatedAfter }: ListFilter): boolean =>
  status !== undefined || controllerId !== undefined || updatedAfter !== undefined;

/** Whether the answer is another one than that of a bare list_flows. */
export const isPart = (action: ListFlows): boolean => isPaged(action) || isFiltered(action);

/** Flows of the page that is asked for. */
export const pageSize = ({ limit = MAX_PAGE }: ListFlows): number => limit;

//= LIST-2
/** Whether a flow with these fields is listed. */
export const isListed = (
  { status, controllerId, updatedAfter }: ListFilter,
  flow: { readonly status?: unknown; readonly controllerId?: unknown; readonly updatedAt?: unknown },
): boolean =>
  (status === undefined || flow.status === status) &&
  (controllerId === undefined || flow.controllerId === controllerId) &&
  (updatedAfter === undefined || Number(flow.updatedAt) > updatedAfter);

const STATUSES: ReadonlySet<unknown> = new Set(FLOW_STATUSES);

/** Where flows come from. `fieldsOf`: what has a flow's fields, to be read with care. A hole in a list is undefined. */
type Source<T> = {
  readonly fieldsOf: (item: T | undefined) => unknown;
  readonly viewOf: (item: T | undefined) => Result<FlowView, BadRecord>;
};

/** A host's records. */
const RECORDS: Source<unknown> = { fieldsOf: (record) => record, viewOf: viewFlow };
const VIEWS: Source<FlowView> = {
  fieldsOf: (view) => view?.json,
  viewOf: (view) => (view === undefined ? err({ field: "" }) : ok(view)),
};

/** One flow of a whole list. */
type Entry<T> = Cursor & { readonly item: T | undefined };

/** Younger first; of the same time the smaller id first, because that order can be seen in the flows themselves. */
const compare = (a: Cursor, b: Cursor): number => {
  if (a.at !== b.at) return b.at - a.at;
  if (a.id === b.id) return 0;
  return a.id < b.id ? -1 : 1;
};

type Read = Cursor & { readonly status: unknown; readonly controllerId: unknown; readonly updatedAt: number };

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

//= VIEW-4
/** The fields that decide whether a flow is listed, and where. Its other ones are read only if it is. */
const read = (fields: unknown): Result<Read, BadRecord> => {
  const [id, createdAt] = [own(fields, "flowId"), own(fields, "createdAt")];
  const [status, updatedAt] = [own(fields, "status"), own(fields, "updatedAt")];
  if (typeof id !== "string" || id === "") return err({ field: "flowId" });
  if (!isTime(createdAt)) return err({ field: "createdAt" });
  if (!STATUSES.has(status)) return err({ field: "status" });
  if (!isTime(updatedAt)) return err({ field: "updatedAt" });
  const at = Math.min(MOST_AT, Math.max(0, Math.floor(createdAt)));
  return ok({ at, id, status, controllerId: own(fields, "controllerId"), updatedAt });
};

//= LIST-1, LIST-2
/** The flows after the cursor that the filters let through. A flow that was removed meanwhile is a place as well as any other. */
const entriesOf = <T>(
  items: readonly T[],
  action: ListFlows,
  { fieldsOf }: Source<T>,
): Result<readonly Entry<T>[], BadRecord> => {
  const from = action.cursor === undefined ? undefined : readCursor(action.cursor);
  const entries: Entry<T>[] = [];
  // by index, because a list of other code may have methods of its own
  for (let index = 0; index < items.length; index += 1) {
    const item = items[index];
    const found = read(fieldsOf(item));
    if (found.isErr()) return err(found.error);
    const { at, id } = found.value;
    if (isListed(action, found.value) && (from === undefined || compare(from, found.value) < 0))
      entries.push({ at, id, item });
  }
  return ok(entries);
};

type Flows = OutcomeOf<"flows">;

/** `size`: flows that the page may have; `hasMore`: others are behind the entries. */
type Page<T> = { readonly entries: readonly Entry<T>[]; readonly size: number; readonly hasMore: boolean };

//= LIST-1, LIST-4
/** As many flows as the page may have, but after the first no more than fit into one answer. */
const fillPage = <T>({ entries, size, hasMore }: Page<T>, { viewOf }: Source<T>): Result<Flows, BadRecord> => {
  const flows: FlowView[] = [];
  const scale = new Scale(MAX_PAGE_BYTES);
  for (const { item } of entries) {
    if (flows.length === size) break;
    const view = viewOf(item);
    if (view.isErr()) return err(view.error);
    if (scale.isTooLong(view.value) && flows.length > 0) break;
    flows.push(view.value);
  }
  const last = entries[flows.length - 1];
  const isOver = last === undefined || (flows.length === entries.length && !hasMore);
  return ok({ kind: "flows", flows, next: isOver ? null : writeCursor(last) });
};

//= LIST-4
/** All of them; undefined as soon as they are more than one answer may have. `replyToOutcome` measures the rest of the answer. */
const viewAll = (records: readonly unknown[]): Result<Flows | undefined, BadRecord> => {
  if (records.length > MOST_LISTED) return ok(undefined);
  const scale = new Scale(MAX_LIST_BYTES);
  return viewFlowsUntil(records, (flow) => scale.isTooLong(flow)).map((flows) =>
    flows === undefined ? undefined : { kind: "flows", flows },
  );
};

const pageOf = <T>(items: readonly T[], action: ListFlows, source: Source<T>): Result<Flows, BadRecord> =>
  entriesOf(items, action, source).andThen((entries) =>
    fillPage({ entries: entries.toSorted(compare), size: pageSize(action), hasMore: false }, source),
  );

//= LIST-5
/**
 * The answer to `action` from a host's whole list: only the flows that it shows become views. Undefined: the list is too large for
 * one answer. Throws only what reading a record throws.
 */
export const listRecords = (records: unknown, action: ListFlows): Result<Flows | undefined, BadRecord> => {
  if (!Array.isArray(records)) return err({ field: "" });
  if (isPaged(action)) return pageOf<unknown>(records, action, RECORDS);
  if (!isPart(action)) return viewAll(records);
  return entriesOf<unknown>(records, action, RECORDS).andThen((entries) => viewAll(entries.map(({ item }) => item)));
};

/** What an embedded store has read of a list: the flows, the place of each, and whether more are there than were read. */
export type ListedRecords = {
  readonly records: readonly FlowRecord[];
  readonly places: readonly number[];
  readonly hasMore: boolean;
};

//= LIST-1, LIST-4
/** The answer to `action` from the part of a list that a store has read for it. Undefined as for `listRecords`. */
export const listRead = (
  { records, places, hasMore }: ListedRecords,
  action: ListFlows,
): Result<Flows | undefined, BadRecord> => {
  if (!isPaged(action)) return hasMore ? ok(undefined) : viewAll(records);
  const entries = records.map((item, index) => ({ at: places[index] ?? 0, id: "", item }));
  return fillPage<unknown>({ entries, size: pageSize(action), hasMore }, RECORDS);
};

const fits = (flows: readonly FlowView[], room: number): boolean => {
  const scale = new Scale(room);
  return flows.length <= MOST_LISTED && !flows.some((flow) => scale.isTooLong(flow));
};

const isTwice = (flows: readonly FlowView[]): boolean =>
  new Set(flows.map(({ json }) => json["flowId"])).size < flows.length;

const isPlace = (next: string | null): boolean => next === null || readCursor(next) !== undefined;

/** Whether a store that knows pages can have answered so: readers who follow its pages come to an end. */
const isPage = ({ flows, next }: Flows, action: ListFlows): boolean =>
  next === undefined ||
  (isPaged(action) && flows.length <= pageSize(action) && isPlace(next) && next !== action.cursor);

/** Why a store's answer is not passed on. */
export type ListFault = Extract<StoreFailure, "bad_host_answer" | "list_too_large">;

//= LIST-4, LIST-5
/**
 * The answer to `action` from what a store has answered to it. One that knows no pages has given the whole list; one that knows
 * them is trusted with the places, but not with the length.
 */
export const listViews = (answer: Flows, action: ListFlows): Result<Flows, ListFault> => {
  const { flows, next } = answer;
  if (!isPart(action)) {
    if (next !== undefined) return err("bad_host_answer");
    return fits(flows, MAX_LIST_BYTES) ? ok(answer) : err("list_too_large");
  }
  const isWhole = next === undefined && isPaged(action);
  const part = isWhole ? pageOf(flows, action, VIEWS).unwrapOr(undefined) : partOf(answer, action);
  if (part === undefined || isTwice(part.flows)) return err("bad_host_answer");
  return part.flows.length === 1 || fits(part.flows, MAX_LIST_BYTES) ? ok(part) : err("list_too_large");
};

/** What a store has chosen by itself, less what its filters have left; undefined when it is not what was asked for. */
const partOf = (answer: Flows, action: ListFlows): Flows | undefined =>
  isPage(answer, action) ? { ...answer, flows: answer.flows.filter(({ json }) => isListed(action, json)) } : undefined;

/** Of a host's list the records that are wanted, `most` at most. Throws only what reading a record throws. */
const pick = (
  records: unknown,
  isWanted: (record: unknown) => boolean,
  most: number = Infinity,
): Result<readonly unknown[], BadRecord> => {
  if (!Array.isArray(records)) return err({ field: "" });
  const wanted: unknown[] = [];
  for (let index = 0; index < records.length && wanted.length < most; index += 1)
    if (isWanted(records[index])) wanted.push(records[index]);
  return ok(wanted);
};

//= ONCE-6
/** The flows of a host's list that are looked for; the others do not become views. Throws only what reading a record throws. */
export const findRecords = (records: unknown, isWanted: (fields: unknown) => boolean): Result<Flows, BadRecord> =>
  pick(records, isWanted)
    .andThen(viewFlows)
    .map((flows) => ({ kind: "flows", flows }));

/** What a host's record says that it is, if its flow has not ended. */
const openStatusOf = (record: unknown): (typeof OPEN_STATUSES)[number] | undefined => {
  const status = OPEN_STATUSES.find((one) => one === own(record, "status"));
  return status === "blocked" && typeof own(record, "endedAt") === "number" ? undefined : status;
};

/** Whether a host's record is of a flow that has not ended. */
export const isOpenRecord = (record: unknown): boolean => openStatusOf(record) !== undefined;

//= QUOTA-2
/**
 * How many of a host's records are of flows that have not ended, counted up to `most`. Throws only what reading a record throws.
 */
export const countOpen = (records: unknown, most: number): Result<number, BadRecord> =>
  pick(records, isOpenRecord, most).map(({ length }) => length);

/** Since when which flow is open. */
export type OpenRecord = Pick<FlowRecord, "status" | "createdAt">;

//= LIST-5
/** Of a host's records those of flows that have not ended: nothing else of them is read. Throws only what reading them throws. */
export const openRecords = (records: unknown): Result<readonly OpenRecord[], BadRecord> => {
  if (!Array.isArray(records)) return err({ field: "" });
  const open: OpenRecord[] = [];
  for (let index = 0; index < records.length; index += 1) {
    const record: unknown = records[index];
    const status = openStatusOf(record);
    if (status === undefined) continue;
    const createdAt = own(record, "createdAt");
    if (!isTime(createdAt)) return err({ field: "createdAt" });
    open.push({ status, createdAt });
  }
  return ok(open);
};
