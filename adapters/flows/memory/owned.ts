// The flows of one owner in memory, in the order in which they were made, with the number of those that have not ended.

import { type FlowRecord, flowWeight, isEnded, type TaskRecord } from "../../../core/index.ts";

/** `made`: the flow's number among its owner's. */
export type Row = {
  readonly owner: string;
  readonly made: number;
  flow: FlowRecord;
  readonly tasks: Map<string, TaskRecord>;
  /** What the flow adds to a list, once it has been in one. */
  weight: number | undefined;
};

export class OwnedFlows {
  /** Oldest first. */
  readonly #rows: Row[] = [];
  #open = 0;

  /** Flows that have not ended. */
  get open(): number {
    return this.#open;
  }

  get size(): number {
    return this.#rows.length;
  }

  //= STORE-5
  insert(owner: string, flow: FlowRecord): Row {
    const row = { owner, made: (this.#rows.at(-1)?.made ?? 0) + 1, flow, tasks: new Map(), weight: undefined };
    this.#rows.push(row);
    this.#count(flow, 1);
    return row;
  }

  update(row: Row, flow: FlowRecord): void {
    this.#count(row.flow, -1);
    this.#count(flow, 1);
    row.flow = flow;
    row.weight = undefined;
  }

  remove(row: Row): void {
    this.#rows.splice(this.#placesBefore(row.made), 1);
    this.#count(row.flow, -1);
  }

  /** Newest first; only those that stand before the place. */
  *newestFirst(before: number = Number.POSITIVE_INFINITY): Generator<Row, void> {
    for (let index = this.#placesBefore(before) - 1; index >= 0; index -= 1) {
      const row = this.#rows[index];
      if (row !== undefined) yield row;
    }
  }

  /** How many flows stand before the place. */
  #placesBefore(made: number): number {
    let [low, high] = [0, this.#rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#rows[middle]?.made ?? 0) < made) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  //= QUOTA-1
  #count(flow: FlowRecord, by: number): void {
    if (!isEnded(flow)) this.#open += by;
  }
}

/** What the row's flow adds to a list. */
export const weightOf = (row: Row): number => (row.weight ??= flowWeight(row.flow));
