// From what the Gateway answered to an Outcome. An answer that is not what its types promise errs with the faulty field.

import { err, ok, type Result } from "neverthrow";
import {
  type ActionOf,
  type BadRecord,
  findRecords,
  type FlowAction,
  type FlowView,
  listRecords,
  MUTATION_REFUSALS,
  type MutationRefusal,
  type OpenRecord,
  openRecords,
  type Outcome,
  type OutcomeOf,
  own,
  type TaskView,
  viewFlow,
  viewFlows,
  viewSummary,
  viewTask,
  viewTasks,
} from "../../core/index.ts";
import { readCancelReason, readTaskReason } from "./prose.ts";

export type Decoded<Done extends Outcome = Outcome> = Result<Done, BadRecord>;

/** Gets a sentence of the Gateway that has no code: the operator may read it, the caller may not. */
export type OnProse = (prose: unknown) => void;

const bad = (field: string): Result<never, BadRecord> => err({ field });

const isNothing = (answer: unknown): boolean => answer === undefined || answer === null;

/** A part that may be left out. */
const optional = <T>(
  value: unknown,
  view: (value: unknown) => Result<T, BadRecord>,
): Result<T | undefined, BadRecord> => (isNothing(value) ? ok(undefined) : view(value));

const decodeFlow = (answer: unknown): Decoded<OutcomeOf<"flow">> =>
  optional(answer, viewFlow).map((flow) => ({ kind: "flow", flow: flow ?? null }));

const decodeFlows = (answer: unknown): Decoded<OutcomeOf<"flows">> =>
  viewFlows(answer).map((flows) => ({ kind: "flows", flows }));

/** Total: an answer that throws when it is read is a bad one. */
const total = <T>(read: () => Result<T, BadRecord>): Result<T, BadRecord> => {
  try {
    return read();
  } catch {
    return bad("");
  }
};

//= LIST-5
/** Of the host's whole list what `action` asks for; undefined when that is too large. */
export const decodeList = (
  action: ActionOf<"list_flows">,
  answer: unknown,
): Result<OutcomeOf<"flows"> | undefined, BadRecord> => total(() => listRecords(answer, action));

/** Of the host's whole list the flows that are looked for. */
export const decodeFound = (isWanted: (fields: unknown) => boolean, answer: unknown): Decoded =>
  total(() => findRecords(answer, isWanted));

/** Of the host's whole list the flows that have not ended. */
export const decodeOpen = (answer: unknown): Result<readonly OpenRecord[], BadRecord> =>
  total(() => openRecords(answer));

const decodeSummary = (answer: unknown): Decoded<OutcomeOf<"summary">> =>
  optional(answer, viewSummary).map((summary) => ({ kind: "summary", summary: summary ?? null }));

const decodeCreated = (answer: unknown): Decoded<OutcomeOf<"created" | "not_created">> =>
  optional(answer, viewFlow).map((flow) =>
    flow === undefined ? { kind: "not_created", refusal: "persist_failed" } : { kind: "created", flow },
  );

const isMutationRefusal = (code: unknown): code is MutationRefusal =>
  typeof code === "string" && Object.hasOwn(MUTATION_REFUSALS, code);

const decodeNotApplied = (answer: unknown, onProse: OnProse): Decoded<OutcomeOf<"not_applied">> => {
  const code = own(answer, "code");
  if (!isMutationRefusal(code)) onProse(code);
  const refusal = isMutationRefusal(code) ? code : "mutation_rejected";
  return optional(own(answer, "current"), viewFlow).map((current) => ({
    kind: "not_applied",
    refusal,
    ...(current === undefined ? {} : { current }),
  }));
};

const decodeMutation = (answer: unknown, onProse: OnProse): Decoded<OutcomeOf<"applied" | "not_applied">> => {
  const applied = own(answer, "applied");
  if (typeof applied !== "boolean") return bad("applied");
  if (!applied) return decodeNotApplied(answer, onProse);
  return viewFlow(own(answer, "flow")).map((flow) => ({ kind: "applied", flow }));
};

type Shown = { readonly flow?: FlowView; readonly tasks?: readonly TaskView[] };

const shownBy = (answer: unknown): Result<Shown, BadRecord> =>
  optional(own(answer, "flow"), viewFlow).andThen((flow) =>
    optional(own(answer, "tasks"), viewTasks).map((tasks) => ({
      ...(flow === undefined ? {} : { flow }),
      ...(tasks === undefined ? {} : { tasks }),
    })),
  );

const decodeCancel = (answer: unknown, onProse: OnProse): Decoded<OutcomeOf<"cancelled" | "not_cancelled">> => {
  const [found, cancelled] = [own(answer, "found"), own(answer, "cancelled")];
  if (typeof found !== "boolean") return bad("found");
  if (typeof cancelled !== "boolean") return bad("cancelled");
  if (!found) return ok({ kind: "not_cancelled", refusal: "not_found" });
  return shownBy(answer).map((shown): OutcomeOf<"cancelled" | "not_cancelled"> => {
    if (cancelled) return { kind: "cancelled", ...shown };
    const reason = own(answer, "reason");
    const { known, ...meaning } = readCancelReason(reason);
    if (!known) onProse(reason);
    return { kind: "not_cancelled", ...meaning, ...shown };
  });
};

const decodeNoTask = (answer: unknown, onProse: OnProse): Decoded<OutcomeOf<"task_not_created">> => {
  const found = own(answer, "found");
  if (typeof found !== "boolean") return bad("found");
  if (!found) return ok({ kind: "task_not_created", refusal: "not_found" });
  return optional(own(answer, "flow"), viewFlow).map((flow) => {
    const reason = own(answer, "reason");
    const { known, ...meaning } = readTaskReason(reason);
    if (!known) onProse(reason);
    return { kind: "task_not_created", ...meaning, ...(flow === undefined ? {} : { flow }) };
  });
};

const decodeTask = (
  answer: unknown,
  childSessionKey: string | undefined,
  onProse: OnProse,
): Decoded<OutcomeOf<"task_created" | "task_not_created">> => {
  const created = own(answer, "created");
  if (typeof created !== "boolean") return bad("created");
  if (!created) return decodeNoTask(answer, onProse);
  return viewFlow(own(answer, "flow")).andThen((flow) =>
    viewTask(own(answer, "task"), childSessionKey).map((task) => ({ kind: "task_created" as const, flow, task })),
  );
};

const decodeUnguarded = (action: FlowAction, answer: unknown, onProse: OnProse): Decoded => {
  switch (action.action) {
    case "create_flow":
      return decodeCreated(answer);
    case "get_flow":
    case "find_latest_flow":
    case "resolve_flow":
      return decodeFlow(answer);
    case "list_flows":
      return decodeFlows(answer);
    case "get_task_summary":
      return decodeSummary(answer);
    case "set_waiting":
    case "resume_flow":
    case "finish_flow":
    case "fail_flow":
    case "request_cancel":
      return decodeMutation(answer, onProse);
    case "cancel_flow":
      return decodeCancel(answer, onProse);
    case "run_task":
      return decodeTask(answer, action.childSessionKey, onProse);
  }
};

//= VIEW-4
/** The outcome of `action` in the Gateway's answer to it. */
export const decode = (action: FlowAction, answer: unknown, onProse: OnProse): Decoded =>
  total(() => decodeUnguarded(action, answer, onProse));
