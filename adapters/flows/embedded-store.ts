// A store of flows on an engine: one transaction for each command, decided by the core.

import { err, ok, type Result } from "neverthrow";
import {
  decideDelivery,
  decideSweep,
  type Decision,
  needsOfDelivery,
  needsOfSweep,
  NO_DELIVERY,
  type Stored,
  type Write,
} from "../../core/index.ts";
import { mapAwaitable, turn } from "./awaitable.ts";
import { FlowChanges } from "./changes.ts";
import type { FlowEngine, StoreFault } from "./engine.ts";
import { EventWriter } from "./flow-events.ts";
import { type FlowStore, REPORTS } from "./flow-store.ts";

export type EmbeddedOptions = {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A new id, never the same twice. */
  readonly newId: () => string;
};

/** A store that this process runs, and its clean-up. */
export interface EmbeddedFlows extends FlowStore {
  readonly changes: FlowChanges;
  //= FLOW-6, STORE-3
  /** Ends flows with a cancel intent and removes those that ended 7 days ago; says how many. */
  sweep(): Promise<Result<number, StoreFault>>;
}

/** Most flows that one transaction of a sweep touches, so that requests get their turn in between. */
const SWEEP_BATCH = 200;

//= WAIT-4
/** Tells of what was written, once it is there. */
const tellOf = (writes: readonly Write[], owner: string, changes: FlowChanges): void => {
  if (writes.length === 0 || !changes.isWatched) return;
  for (const write of writes) {
    if (write.kind === "insert_flow" || write.kind === "update_flow") changes.tell(owner, write.flow.flowId);
  }
};

//= STORE-1
/** The flows that `engine` keeps, behind the port. `changes`: told of each write of this store. */
export const createEmbeddedStore = (
  engine: FlowEngine,
  { now, newId }: EmbeddedOptions,
  changes: FlowChanges = new FlowChanges(),
): EmbeddedFlows => {
  const events = new EventWriter();
  /** What `decide` says, with the events of its writes. */
  const decided = (decision: Decision, stored: Stored, owner: string, time: number): Decision => {
    const writes = events.withEvents(decision.writes, stored, owner, time);
    return writes === decision.writes ? decision : { ...decision, writes };
  };
  return {
    takesDeliveries: true,
    changes,
    ...(engine.hurry === undefined ? {} : { hurry: () => engine.hurry?.() }),
    ...(engine.countOpen === undefined ? {} : { countOpen: engine.countOpen }),
    ...(engine.outbox === undefined ? {} : { events: events.over(engine.outbox) }),
    execute: (owner, action, report, delivery = NO_DELIVERY) => {
      const needs = needsOfDelivery(action, owner, delivery);
      const ids = { owner, fresh: needs.freshId ? newId() : "" };
      const work = engine.transact(needs, (stored) => {
        const time = now();
        return decided(decideDelivery(action, stored, ids, delivery, time), stored, owner, time);
      });
      return mapAwaitable(work, (done: Result<Decision, StoreFault>) => {
        if (done.isOk()) {
          events.tell(done.value.writes);
          tellOf(done.value.writes, owner, changes);
          return done.value.outcome;
        }
        report(REPORTS.failed, done.error.error);
        return err(done.error.isUnknown === true ? "outcome_unknown" : "persist_failed");
      });
    },
    sweep: async () => {
      for (let total = 0; ;) {
        const time = now();
        const swept = await engine.transact(needsOfSweep(time, SWEEP_BATCH), (stored) => {
          const flows = decideSweep(stored, time);
          return { flows, writes: events.withEvents(flows, stored, "", time) };
        });
        if (swept.isErr()) return err(swept.error);
        events.tell(swept.value.writes);
        if (swept.value.flows.length > 0) changes.tellAll();
        total += swept.value.flows.length;
        if (swept.value.flows.length < SWEEP_BATCH) return ok(total);
        await turn();
      }
    },
  };
};
