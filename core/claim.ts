// A claim: what a store writes down before it asks a host that has no transaction with it. It fixes what the host will store, so
// that after a crash the host's own flows tell whether the request was carried out.

import * as z from "zod";
import type { Repeatable } from "./delivery.ts";
import type { FlowAction } from "./action.ts";
import { parseJson } from "./json.ts";
import { isOpenRecord } from "./list-page.ts";
import { own } from "./own.ts";
import type { FlowView } from "./view.ts";

const change = { flowId: z.string(), expectedRevision: z.number() };

const PLAN = z.discriminatedUnion("does", [
  z.strictObject({ does: z.literal("create_flow"), controllerId: z.string(), goal: z.string() }),
  z.strictObject({ does: z.literal("set_waiting"), ...change }),
  z.strictObject({ does: z.literal("resume_flow"), ...change }),
  z.strictObject({ does: z.literal("finish_flow"), ...change }),
  z.strictObject({ does: z.literal("fail_flow"), ...change }),
  z.strictObject({ does: z.literal("request_cancel"), ...change }),
  z.strictObject({ does: z.literal("cancel_flow"), flowId: z.string() }),
  z.strictObject({ does: z.literal("run_task"), flowId: z.string() }),
]);

/** What the host is going to be asked, as far as its flows can tell of it afterwards. */
export type Plan = z.infer<typeof PLAN>;

/** A plan from a file; undefined when it is none. */
export const readPlan = (text: string): Plan | undefined => {
  const parsed = PLAN.safeParse(parseJson(text).unwrapOr(null));
  return parsed.success ? parsed.data : undefined;
};

export const planOf = (action: Repeatable): Plan => {
  switch (action.action) {
    case "create_flow":
      return { does: action.action, controllerId: action.controllerId, goal: action.goal };
    case "cancel_flow":
    case "run_task":
      return { does: action.action, flowId: action.flowId };
    default:
      return { does: action.action, flowId: action.flowId, expectedRevision: action.expectedRevision };
  }
};

/** Of a request that finds its flow by a key, the flow and the revision are the store's. */
const FOUND: ReadonlySet<string> = new Set(["flowId", "expectedRevision"]);

//= ONCE-2
/** Whether a request with this action would be claimed with this plan. An edited rule makes another action of the same bytes. */
export const isPlanOf = (plan: Plan, action: Repeatable, isBound: boolean): boolean => {
  const claimed = new Map<string, unknown>(Object.entries(plan));
  return Object.entries(planOf(action)).every(
    ([name, part]) => (isBound && FOUND.has(name)) || claimed.get(name) === part,
  );
};

/** Times that the host is asked to store in place of its own: milliseconds since the epoch. */
export type Marks = {
  readonly createdAt?: number;
  readonly updatedAt?: number;
  readonly endedAt?: number;
  readonly cancelRequestedAt?: number;
};

export const NO_MARKS: Marks = {};

//= ONCE-6
/** How the effect of a claim can be told from any other. `stamp`: a time that no other claim has. */
export const marksOf = ({ action }: FlowAction, stamp: number): Marks => {
  switch (action) {
    case "create_flow":
      return { createdAt: stamp };
    case "set_waiting":
    case "resume_flow":
      return { updatedAt: stamp };
    case "finish_flow":
    case "fail_flow":
      return { updatedAt: stamp, endedAt: stamp };
    case "request_cancel":
      return { cancelRequestedAt: stamp };
    default:
      return NO_MARKS;
  }
};

export const isOpenFlow = ({ json }: FlowView): boolean => isOpenRecord(json);

type PlanOf<Does extends Plan["does"]> = Extract<Plan, { readonly does: Does }>;
type ChangePlan = Exclude<Plan, PlanOf<"create_flow" | "cancel_flow" | "run_task">>;

//= ONCE-6
/** Whether a claim with this plan and stamp made the flow with these fields, which never change. Throws what reading them throws. */
export const hasMade = (plan: PlanOf<"create_flow">, stamp: number, fields: unknown): boolean =>
  own(fields, "createdAt") === stamp &&
  own(fields, "goal") === plan.goal &&
  own(fields, "controllerId") === plan.controllerId;

const hasStatus = ({ json }: FlowView, ...statuses: readonly string[]): boolean =>
  statuses.some((status) => status === json["status"]);

/** `isNext`: nothing was written after what the claim may have written. */
const hasMark = ({ does }: ChangePlan, stamp: number, flow: FlowView, isNext: boolean): boolean => {
  const { updatedAt, endedAt, cancelRequestedAt } = flow.json;
  switch (does) {
    case "set_waiting":
      return isNext && updatedAt === stamp && hasStatus(flow, "waiting", "blocked");
    case "resume_flow":
      return isNext && updatedAt === stamp && hasStatus(flow, "queued", "running");
    case "finish_flow":
      return endedAt === stamp && hasStatus(flow, "succeeded");
    case "fail_flow":
      return endedAt === stamp && hasStatus(flow, "failed");
    case "request_cancel":
      return cancelRequestedAt === stamp;
  }
};

/** What a flow tells of a claim. `not_applied`: the host has not done it, and it may be asked again. */
export type Evidence = "applied" | "not_applied" | "unknown";

//= ONCE-6
/** Exactly one write makes revision n + 1 of revision n: either it has the mark, or it was another's. */
export const evidenceOfChange = (plan: ChangePlan, stamp: number, flow: FlowView | null): Evidence => {
  if (flow === null) return "not_applied";
  const written = Number(flow.json["revision"]) - plan.expectedRevision;
  if (written <= 0) return "not_applied";
  if (hasMark(plan, stamp, flow, written === 1)) return "applied";
  return written === 1 ? "not_applied" : "unknown";
};

//= ONCE-6
/** A flow that is open may be cancelled again; an intent stays for ever. `at`: when it was claimed. */
export const evidenceOfCancel = (at: number, flow: FlowView | null): Evidence => {
  if (flow === null || isOpenFlow(flow)) return "not_applied";
  const { endedAt, cancelRequestedAt } = flow.json;
  if (cancelRequestedAt === undefined || Number(endedAt) < at) return "not_applied";
  return hasStatus(flow, "cancelled") ? "applied" : "unknown";
};
