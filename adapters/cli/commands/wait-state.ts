// What `wait` makes of an answer: the state of the flow, and the exit status that says how it ended.

import { FLOW_STATUSES, isObject, own } from "../../../core/index.ts";
import { EXIT } from "../io.ts";

/** States that may be waited for. `ended` is any end, which ends each wait. */
export const WAIT_STATES = ["ended", ...FLOW_STATUSES] as const;

export type WaitState = (typeof WAIT_STATES)[number];

/** `isEnded`: a blocked flow may have ended too. `step`: what it is at, as its writer says. */
export type FlowState = {
  readonly status: string;
  readonly revision: number;
  readonly isEnded: boolean;
  readonly step: string | undefined;
};

const ENDS: Readonly<Record<string, number>> = {
  succeeded: EXIT.ok,
  failed: EXIT.failed,
  blocked: EXIT.failed,
  cancelled: EXIT.cancelled,
  lost: EXIT.lost,
};

const isEnd = (status: string, flow: unknown): boolean =>
  status === "blocked" ? own(flow, "endedAt") !== undefined : Object.hasOwn(ENDS, status);

/** Null: there is no such flow. Undefined: this is not the result of a get_flow. */
export const stateIn = (result: unknown): FlowState | null | undefined => {
  const flow = own(result, "flow");
  if (flow === null) return null;
  if (!isObject(flow)) return undefined;
  const [status, revision, step] = ["status", "revision", "currentStep"].map((name) => own(flow, name));
  if (typeof status !== "string" || typeof revision !== "number") return undefined;
  return { status, revision, isEnded: isEnd(status, flow), step: typeof step === "string" ? step : undefined };
};

//= WAIT-7
/** The exit status for the state; undefined while the wait goes on. */
export const exitOf = ({ status, isEnded }: FlowState, until: ReadonlySet<string>): number | undefined => {
  if (isEnded) return ENDS[status];
  return until.has(status) ? EXIT.ok : undefined;
};
