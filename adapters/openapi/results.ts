// The schemas of `result`: one for each kind of outcome, and one for a rejected request.

import { MUTATION_REFUSALS, type Outcome } from "../../core/index.ts";
import { exactly, type Json, listOf, namesOf, object, oneOf, orNull, ref, describe, TEXT } from "./schema.ts";

const flow = ref("schemas", "Flow");
const tasks = listOf(ref("schemas", "Task"));
const found = { type: "boolean" };
const reason = describe(TEXT, "Why the action was not carried out.");

/** The name of each outcome's schema. A pending cancellation is a `not_cancelled` with status 202. */
export const RESULT_OF = {
  flow: "FlowFound",
  flows: "FlowsFound",
  summary: "SummaryFound",
  created: "FlowCreated",
  not_created: "FlowNotCreated",
  applied: "ChangeApplied",
  not_applied: "ChangeNotApplied",
  cancelled: "FlowCancelled",
  not_cancelled: "FlowNotCancelled",
  task_created: "TaskCreated",
  task_not_created: "TaskNotCreated",
  over_quota: "QuotaExceeded",
  existing: "FlowBound",
  ignored: "NothingDone",
} as const satisfies Readonly<Record<Outcome["kind"], string>>;

export type ResultName = (typeof RESULT_OF)[Outcome["kind"]] | "TurnedAway";

export const RESULT_SCHEMAS: Readonly<Record<ResultName, Json>> = {
  FlowFound: object({ flow: orNull(flow) }),
  FlowsFound: object(
    { flows: describe(listOf(flow), "Newest first.") },
    { nextCursor: describe(orNull(TEXT), "The `cursor` of the next page; `null` on the last one.") },
  ),
  SummaryFound: object({ summary: orNull(ref("schemas", "Summary")) }),
  FlowCreated: object({ created: exactly(true), flow }),
  FlowNotCreated: object({ created: exactly(false), code: oneOf(["create_rejected", "persist_failed"]) }),
  ChangeApplied: object({ applied: exactly(true), flow }),
  ChangeNotApplied: object({ applied: exactly(false), code: oneOf(namesOf(MUTATION_REFUSALS)) }, { current: flow }),
  FlowCancelled: object({ found: exactly(true), cancelled: exactly(true) }, { flow, tasks }),
  FlowNotCancelled: object({ found, cancelled: exactly(false), reason }, { flow, tasks }),
  TaskCreated: object({ created: exactly(true), flow, task: ref("schemas", "Task") }),
  TaskNotCreated: object({ found, created: exactly(false), reason }, { flow }),
  QuotaExceeded: object(
    { code: oneOf(["quota_exceeded"]), limit: { type: "integer" } },
    { created: exactly(false), applied: describe(exactly(false), "Of a flow that has ended and would be open again.") },
  ),
  FlowBound: object({ created: exactly(false), flow: describe(flow, "The open flow that the key is bound to.") }),
  NothingDone: object({}),
  TurnedAway: object({}, { field: describe(TEXT, "The faulty field of the request, if one is at fault.") }),
};
