// A store of flows, records of requests and bound keys that is a value: each request is loaded, decided by the core and saved as
// an engine does it, and gives a new value.

import {
  type CommandIds,
  decideDelivery,
  type Delivery,
  type FlowAction,
  type FlowRecord,
  type KeyName,
  type Load,
  needsOfDelivery,
  RECORD_MS,
  type Reply,
  replyToOutcome,
  replyToRejection,
  type SavedRecord,
  type Stored,
  type Write,
} from "../../core/index.ts";

export type Kept = {
  readonly flows: ReadonlyMap<string, { readonly owner: string; readonly flow: FlowRecord }>;
  /** By `nameOf`. */
  readonly records: ReadonlyMap<string, SavedRecord>;
  readonly bindings: ReadonlyMap<string, string>;
};

export const EMPTY: Kept = { flows: new Map(), records: new Map(), bindings: new Map() };

export const nameOf = ({ routeId, owner, key }: KeyName): string => `${routeId} ${owner} ${key}`;
export const routeOf = (name: string): string => name.split(" ")[0] ?? "";

const find = ({ flows, bindings }: Kept, load: Load): readonly FlowRecord[] => {
  if (load.kind !== "flow" && load.kind !== "bound") throw new Error(`no request here asks for ${load.kind}`);
  const id = load.kind === "flow" ? load.flowId : bindings.get(nameOf(load));
  const row = flows.get(id ?? "");
  return row?.owner === load.owner ? [row.flow] : [];
};

const saved = (kept: Kept, write: Write): Kept => {
  switch (write.kind) {
    case "insert_flow":
      return { ...kept, flows: new Map(kept.flows).set(write.flow.flowId, { owner: write.owner, flow: write.flow }) };
    case "update_flow": {
      const owner = kept.flows.get(write.flow.flowId)?.owner ?? "";
      return { ...kept, flows: new Map(kept.flows).set(write.flow.flowId, { owner, flow: write.flow }) };
    }
    case "put_record":
      return { ...kept, records: new Map(kept.records).set(nameOf(write), write.saved) };
    case "bind_key":
      return { ...kept, bindings: new Map(kept.bindings).set(nameOf(write), write.flowId) };
    default:
      throw new Error(`no request here writes ${write.kind}`);
  }
};

/** A flow's row, and what is bound to it. */
export const remove = ({ flows, records, bindings }: Kept, flowId: string): Kept => ({
  flows: new Map([...flows].filter(([id]) => id !== flowId)),
  records,
  bindings: new Map([...bindings].filter(([, id]) => id !== flowId)),
});

/** Without the records whose time is over. */
export const forget = (kept: Kept, now: number): Kept => ({
  ...kept,
  records: new Map([...kept.records].filter(([, { at }]) => now < at + RECORD_MS)),
});

export type Asked = {
  readonly kept: Kept;
  /** `ignored`, `created`, …, or why nothing was done. */
  readonly said: string;
  readonly reply: Reply;
  readonly writes: readonly Write[];
};

/** The value is the very same one when nothing was written. */
export const ask = (kept: Kept, ids: CommandIds, action: FlowAction, delivery: Delivery, now: number): Asked => {
  const { load, saved: wanted } = needsOfDelivery(action, ids.owner, delivery);
  const flows = load.map((one) => find(kept, one)).find((found) => found.length > 0) ?? [];
  const record = wanted === undefined ? undefined : kept.records.get(nameOf(wanted));
  const stored: Stored = { flows, tasks: [], saved: record };
  const { outcome, writes } = decideDelivery(action, stored, ids, delivery, now);
  return {
    kept: writes.reduce(saved, kept),
    said: outcome.isOk() ? outcome.value.kind : outcome.error,
    reply: outcome.isOk() ? replyToOutcome(outcome.value, "r") : replyToRejection({ code: outcome.error }, "r"),
    writes,
  };
};
