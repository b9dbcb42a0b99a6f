// A route's quota in front of a host that has none: what is there is counted before the host is asked for more, by one request of a
// session at a time. Other writers of the host do not wait their turn here.

import { err, ok, type Result } from "neverthrow";
import {
  type ActionOf,
  countOpen,
  type FlowAction,
  isOpening,
  isOpenRecord,
  isRevisionChecked,
  type Opening,
  type Outcome,
  type OutcomeOf,
  own,
  type StoreFailure,
} from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";
import type { BoundFlows } from "./api.ts";
import { hold, holderOf, waitFor } from "./in-flight.ts";

/** What a quota can bound. */
export type Bounded = Opening | ActionOf<"run_task">;

export const isBounded = (action: FlowAction): action is Bounded => isOpening(action) || action.action === "run_task";

export type QuotaRequest = {
  readonly owner: string;
  readonly action: Bounded;
  readonly quota: number;
  readonly flows: Pick<BoundFlows, "get" | "list" | "getTaskSummary">;
  /** Carries the action out. May throw or reject. */
  readonly go: () => Awaitable<Result<Outcome, StoreFailure>>;
};

/** Milliseconds for which a request waits for others of its session that count. */
const TURN_WAIT_MS = 5000;

/** Milliseconds for which a request keeps its turn while the host does not answer: longer than its caller is kept waiting. */
const TURN_HELD_MS = 120_000;

/** Takes the session's turn; undefined when it does not come. */
const takeTurn = async (owner: string): Promise<(() => void) | undefined> => {
  const name = JSON.stringify(["quota", owner]);
  const latest = performance.now() + TURN_WAIT_MS;
  while (holderOf(name, TURN_HELD_MS) === "running") {
    const left = latest - performance.now();
    if (left <= 0) return undefined;
    await waitFor(name, left);
  }
  return hold(name);
};

/** Open flows of the session, or active tasks of the flow; undefined when the host answers nonsense. */
const countFor = async ({ action, quota, flows }: QuotaRequest): Promise<number | undefined> => {
  if (action.action !== "run_task") return countOpen(await flows.list(), quota).unwrapOr(undefined);
  const summary = await flows.getTaskSummary(action.flowId);
  const active = summary === undefined || summary === null ? 0 : own(summary, "active");
  return typeof active === "number" ? active : undefined;
};

/**
 * Whether the action can make no ended flow an open one, whenever the host carries it out: it is about a flow that is open at its
 * revision, or it comes too late and is refused, because revisions only rise.
 */
const opensNone = async ({ action, flows }: QuotaRequest): Promise<boolean> => {
  if (!isRevisionChecked(action)) return false;
  const record = await flows.get(action.flowId);
  const revision = own(record, "revision");
  if (record === undefined || record === null) return true;
  if (typeof revision !== "number") return false;
  return revision > action.expectedRevision || (revision === action.expectedRevision && isOpenRecord(record));
};

const overQuota = ({ action, quota }: QuotaRequest): OutcomeOf<"over_quota"> => ({
  kind: "over_quota",
  of: action.action === "run_task" ? "tasks" : "flows",
  most: quota,
  ...(isRevisionChecked(action) ? { reopens: true } : {}),
});

//= QUOTA-2
/** The outcome of the action, or `over_quota` when as many are there as may be. Rejects when the host fails. */
export const withinQuota = async (request: QuotaRequest): Promise<Result<Outcome, StoreFailure>> => {
  if (await opensNone(request)) return request.go();
  const giveBack = await takeTurn(request.owner);
  if (giveBack === undefined) return err("persist_failed");
  try {
    const count = await countFor(request);
    if (count === undefined) return err("bad_host_answer");
    return count < request.quota ? await request.go() : ok(overQuota(request));
  } finally {
    giveBack();
  }
};
