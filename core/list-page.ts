// Which flows list_flows has: its filters, and its pages where a store hands out whole lists.

import { err, ok, type Result } from "neverthrow";
import { type ActionOf, MAX_PAGE } from "./action.ts";
import { type Cursor, MOST_AT, readCursor, writeCursor } from "./cursor.ts";
import { FLOW_STATUSES, type FlowStatus, OPEN_STATUSES } from "./flow.ts";
import { flowWeight, MAX_LIST_BYTES, MOST_LISTED } from "./list-weight.ts";
import { own } from "./own.ts";
import type { OutcomeOf } from "./outcome.ts";
import { type BadRecord, type FlowView, viewFlow, viewFlowsUntil } from "./view.ts";

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

//= LIST-1, LIST-4
/** As many flows as the page may have, but after the first no more than fit into one answer. */
const fillPage = <T>(entries: readonly Entry<T>[], size: number, { viewOf }: Source<T>): Result<Flows, BadRecord> => {
  const flows: FlowView[] = [];
  let weight = 0;
  let next: string | null = null;
  for (const entry of entries) {
    if (flows.length === size) return ok({ kind: "flows", flows, next });
    const view = viewOf(entry.item);
    if (view.isErr()) return err(view.error);
    weight += flowWeight(view.value.json);
    if (weight > MAX_LIST_BYTES && flows.length > 0) return ok({ kind: "flows", flows, next });
    flows.push(view.value);
    next = writeCursor(entry);
  }
  return ok({ kind: "flows", flows, next: null });
};

/** One of so many flows is weighed, because weighing all of them costs as much as a fourth of their views. */
const WEIGHED = 16;

/** Whether the flow is one of those. Its id is the host's choice, so that nobody can keep all long flows from being weighed. */
const isWeighed = ({ json: { flowId } }: FlowView): boolean =>
  typeof flowId === "string" && flowId.charCodeAt(flowId.length - 1) % WEIGHED === 0;

const weightOf = (flows: readonly FlowView[]): number => flows.reduce((sum, { json }) => sum + flowWeight(json), 0);

/** Finds out while a list grows that it is too large: by some of its flows first, and by all once these make it likely. */
class Scale {
  #some = 0;
  #all: number | undefined;

  /** `flows`: those before. */
  isTooLarge(flow: FlowView, flows: readonly FlowView[]): boolean {
    if (this.#all !== undefined) this.#all += flowWeight(flow.json);
    else if (isWeighed(flow)) {
      this.#some += flowWeight(flow.json) * WEIGHED;
      if (this.#some > MAX_LIST_BYTES) this.#all = weightOf(flows) + flowWeight(flow.json);
    }
    return this.#all !== undefined && this.#all > MAX_LIST_BYTES;
  }
}

//= LIST-4
/** All of them; undefined as soon as they are seen to be more than one answer may have. `replyToOutcome` measures the rest. */
const viewAll = (records: readonly unknown[]): Result<Flows | undefined, BadRecord> => {
  if (records.length > MOST_LISTED) return ok(undefined);
  const scale = new Scale();
  return viewFlowsUntil(records, (flow, before) => scale.isTooLarge(flow, before)).map((flows) =>
    flows === undefined ? undefined : { kind: "flows", flows },
  );
};

const pageOf = <T>(items: readonly T[], action: ListFlows, source: Source<T>): Result<Flows, BadRecord> =>
  entriesOf(items, action, source).andThen((entries) => fillPage(entries.toSorted(compare), pageSize(action), source));

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

//= LIST-5
/**
 * The answer to `action` from what a store has answered to it. One that knows no pages has given the whole list; one that knows
 * them is trusted with the places. Undefined: the answer is neither.
 */
export const listViews = (answer: Flows, action: ListFlows): Flows | undefined => {
  const { flows, next } = answer;
  if (!isPart(action)) return next === undefined ? answer : undefined;
  if (next === undefined && isPaged(action)) return pageOf(flows, action, VIEWS).unwrapOr(undefined);
  const isPage = next === undefined || (isPaged(action) && flows.length <= pageSize(action) && isPlace(next));
  return isPage ? { ...answer, flows: flows.filter(({ json }) => isListed(action, json)) } : undefined;
};

const isPlace = (next: string | null): boolean => next === null || readCursor(next) !== undefined;

const OPEN: ReadonlySet<unknown> = new Set(OPEN_STATUSES);

//= QUOTA-2
/**
 * How many of a host's records are of flows that have not ended, counted up to `most`. Throws only what reading a record throws.
 */
export const countOpen = (records: unknown, most: number): Result<number, BadRecord> => {
  if (!Array.isArray(records)) return err({ field: "" });
  let open = 0;
  for (let index = 0; index < records.length && open < most; index += 1) {
    const record: unknown = records[index];
    const isEnded = own(record, "status") === "blocked" && typeof own(record, "endedAt") === "number";
    if (OPEN.has(own(record, "status")) && !isEnded) open += 1;
  }
  return ok(open);
};
