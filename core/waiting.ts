// get_flow that waits for a change: whether it must, the places that waiting requests take, and how often a store is asked for
// them that does not tell of all its changes. Time is counted elsewhere.

import type { Result } from "neverthrow";
import type { FlowAction } from "./action.ts";
import type { Outcome, StoreFailure } from "./outcome.ts";

/** What a request waits for. `ms`: for how long at most. */
export type Wait = { readonly flowId: string; readonly afterRevision: number; readonly ms: number };

/** Undefined for every action but a get_flow with `waitSeconds` above 0. */
export const waitOf = (action: FlowAction): Wait | undefined => {
  if (action.action !== "get_flow") return undefined;
  const { flowId, afterRevision, waitSeconds = 0 } = action;
  return afterRevision === undefined || waitSeconds === 0
    ? undefined
    : { flowId, afterRevision, ms: waitSeconds * 1000 };
};

//= WAIT-1
/** Whether there is nothing to tell yet: the flow is there and has not passed the revision. A failure is told at once. */
export const isAwaited = (outcome: Result<Outcome, StoreFailure>, afterRevision: number): boolean => {
  if (outcome.isErr() || outcome.value.kind !== "flow" || outcome.value.flow === null) return false;
  const { revision } = outcome.value.flow.json;
  return typeof revision === "number" && revision <= afterRevision;
};

/** Waiting requests: in one bridge, on one route, and of one client on one route. */
export type PlaceCounts = { readonly all: number; readonly route: number; readonly client: number };

/** Most that may wait. */
export const PLACES: PlaceCounts = { all: 256, route: 64, client: 8 };

//= WAIT-2
/** Whether one more request may wait. `taken`: those that wait already. */
export const mayWait = (taken: PlaceCounts, most: PlaceCounts = PLACES): boolean =>
  taken.all < most.all && taken.route < most.route && taken.client < most.client;

/** Milliseconds after which a flow is looked at again, and the fewest between two looks at any flows. */
const LOOK_MS = 1000;
const MIN_LOOK_MS = 100;

//= WAIT-4
/** Milliseconds between two looks when so many flows are waited for: each has its turn once a second, while they are few. */
export const lookEveryMs = (flows: number): number => Math.max(MIN_LOOK_MS, LOOK_MS / Math.max(1, flows));
