// A route's quota in front of a host that has none: what is there is counted before the host is asked for more, by one request of a
// session at a time. Other writers of the host do not wait their turn here.

import { err, ok, type Result } from "neverthrow";
import { type CreateFlow, type ActionOf, countOpen, type Outcome, own, type StoreFailure } from "../../core/index.ts";
import type { Awaitable } from "../flows/awaitable.ts";
import type { BoundFlows } from "./api.ts";
import { hold, holderOf, waitFor } from "./in-flight.ts";

export type QuotaRequest = {
  readonly owner: string;
  readonly action: CreateFlow | ActionOf<"run_task">;
  readonly quota: number;
  readonly flows: Pick<BoundFlows, "list" | "getTaskSummary">;
  /** Carries the action out. May throw or reject. */
  readonly go: () => Awaitable<Result<Outcome, StoreFailure>>;
};

/** Milliseconds for which a request waits for others of its session that count. */
const TURN_WAIT_MS = 5000;

/** Takes the session's turn; undefined when it does not come. One whose host has not answered for too long has had its turn. */
const takeTurn = async (owner: string): Promise<(() => void) | undefined> => {
  const name = JSON.stringify(["quota", owner]);
  const latest = performance.now() + TURN_WAIT_MS;
  while (holderOf(name) === "running") {
    const left = latest - performance.now();
    if (left <= 0) return undefined;
    await waitFor(name, left);
  }
  return hold(name);
};

/** Open flows of the session, or active tasks of the flow; undefined when the host answers nonsense. */
const countFor = async ({ action, quota, flows }: QuotaRequest): Promise<number | undefined> => {
  if (action.action === "create_flow") return countOpen(await flows.list(), quota).unwrapOr(undefined);
  const summary = await flows.getTaskSummary(action.flowId);
  const active = summary === undefined || summary === null ? 0 : own(summary, "active");
  return typeof active === "number" ? active : undefined;
};

//= QUOTA-2
/** The outcome of the action, or `over_quota` when as many are there as may be. Rejects when the host fails. */
export const withinQuota = async (request: QuotaRequest): Promise<Result<Outcome, StoreFailure>> => {
  const { owner, action, quota, go } = request;
  const giveBack = await takeTurn(owner);
  if (giveBack === undefined) return err("persist_failed");
  try {
    const count = await countFor(request);
    if (count === undefined) return err("bad_host_answer");
    const of = action.action === "create_flow" ? "flows" : "tasks";
    return count < quota ? await go() : ok({ kind: "over_quota", of, most: quota });
  } finally {
    giveBack();
  }
};
