// From what the host answered, whatever it is, to an Outcome. Nonsense errs with the field that gave it away.

import { err, ok, type Result } from "neverthrow";
import { match } from "ts-pattern";
import {
  type Action,
  type BadRecord,
  fieldOf,
  type FlowView,
  isRevisionChecked,
  MUTATION_REFUSALS,
  type MutationRefusal,
  type Outcome,
  type TaskView,
  viewAll,
  viewFlow,
  viewSummary,
  viewTask,
} from "../../core/index.ts";
import { readCancelReason, readTaskReason } from "./prose.ts";

export type Decoded = Result<Outcome, BadRecord>;

/** Told of a host sentence that has no code, so that an operator can see what the caller could not. */
export type OnProse = (prose: unknown) => void;

const bad = (field: string): Result<never, BadRecord> => err({ field });

const isNothing = (answer: unknown): boolean => answer === undefined || answer === null;

const optional = <T>(
  value: unknown,
  view: (value: unknown) => Result<T, BadRecord>,
): Result<T | undefined, BadRecord> => (isNothing(value) ? ok(undefined) : view(value));

const optionalField = <T>(answer: unknown, name: string, view: (value: unknown) => Result<T, BadRecord>) =>
  fieldOf(answer, name).andThen((value) => optional(value, view));

const requiredField = <T>(answer: unknown, name: string, view: (value: unknown) => Result<T, BadRecord>) =>
  fieldOf(answer, name).andThen(view);

/** Whether the host says that it did what was asked; anything but a boolean is nonsense. */
const flag = (answer: unknown, name: string): Result<boolean, BadRecord> =>
  fieldOf(answer, name).andThen((value) => (typeof value === "boolean" ? ok(value) : bad(name)));

type ViewFlow = (record: unknown) => Result<FlowView, BadRecord>;

//= SCOPE-2
/** The view of the flow that was asked for; another one is nonsense. */
const viewOnly =
  (flowId: string): ViewFlow =>
  (record) =>
    viewFlow(record).andThen((flow) => (flow.json["flowId"] === flowId ? ok(flow) : bad("flowId")));

const decodeFlow = (answer: unknown, view: ViewFlow): Decoded =>
  optional(answer, view).map((flow) => ({ kind: "flow", flow: flow ?? null }));

const decodeFlows = (answer: unknown): Decoded => viewAll(answer, viewFlow).map((flows) => ({ kind: "flows", flows }));

const decodeSummary = (answer: unknown): Decoded =>
  optional(answer, viewSummary).map((summary) => ({ kind: "summary", summary: summary ?? null }));

const decodeCreated = (answer: unknown): Decoded =>
  optional(answer, viewFlow).map((flow) =>
    flow === undefined ? { kind: "not_created", refusal: "persist_failed" } : { kind: "created", flow },
  );

const isMutationRefusal = (code: unknown): code is MutationRefusal =>
  typeof code === "string" && Object.hasOwn(MUTATION_REFUSALS, code);

const withFlow = (flow: FlowView | undefined): { readonly flow?: FlowView } => (flow === undefined ? {} : { flow });

const withTasks = (tasks: readonly TaskView[] | undefined): { readonly tasks?: readonly TaskView[] } =>
  tasks === undefined ? {} : { tasks };

type Shown = { readonly flow?: FlowView; readonly tasks?: readonly TaskView[] };

const decodeNotApplied = (answer: unknown, view: ViewFlow, onProse: OnProse): Decoded =>
  fieldOf(answer, "code").andThen((code) => {
    if (!isMutationRefusal(code)) onProse(code);
    const refusal = isMutationRefusal(code) ? code : "mutation_rejected";
    return optionalField(answer, "current", view).map((current): Outcome => ({
      kind: "not_applied",
      refusal,
      ...(current === undefined ? {} : { current }),
    }));
  });

const decodeMutation = (answer: unknown, view: ViewFlow, onProse: OnProse): Decoded =>
  flag(answer, "applied").andThen((applied) =>
    applied
      ? requiredField(answer, "flow", view).map((flow): Outcome => ({ kind: "applied", flow }))
      : decodeNotApplied(answer, view, onProse),
  );

const viewTasks = (tasks: unknown): Result<readonly TaskView[], BadRecord> => viewAll(tasks, (task) => viewTask(task));

const shownBy = (answer: unknown, view: ViewFlow): Result<Shown, BadRecord> =>
  optionalField(answer, "flow", view).andThen((flow) =>
    optionalField(answer, "tasks", viewTasks).map((tasks) => ({ ...withFlow(flow), ...withTasks(tasks) })),
  );

const decodeNotCancelled = (answer: unknown, onProse: OnProse, shown: Shown): Decoded =>
  fieldOf(answer, "reason").map((reason) => {
    const { known, ...meaning } = readCancelReason(reason);
    if (!known) onProse(reason);
    return { kind: "not_cancelled" as const, ...meaning, ...shown };
  });

const decodeCancel = (answer: unknown, view: ViewFlow, onProse: OnProse): Decoded =>
  flag(answer, "found").andThen((found) =>
    flag(answer, "cancelled").andThen((cancelled): Decoded => {
      if (!found) return ok({ kind: "not_cancelled", refusal: "not_found" });
      return shownBy(answer, view).andThen((shown) =>
        cancelled ? ok({ kind: "cancelled" as const, ...shown }) : decodeNotCancelled(answer, onProse, shown),
      );
    }),
  );

const decodeNewTask = (answer: unknown, view: ViewFlow, childSessionKey: string | undefined): Decoded =>
  requiredField(answer, "flow", view).andThen((flow) =>
    requiredField(answer, "task", (task) => viewTask(task, childSessionKey)).map((task): Outcome => ({
      kind: "task_created",
      flow,
      task,
    })),
  );

const decodeNoTask = (answer: unknown, view: ViewFlow, onProse: OnProse): Decoded =>
  flag(answer, "found").andThen((found): Decoded => {
    if (!found) return ok({ kind: "task_not_created", refusal: "not_found" });
    return optionalField(answer, "flow", view).andThen((flow) =>
      fieldOf(answer, "reason").map((reason) => {
        const { known, ...meaning } = readTaskReason(reason);
        if (!known) onProse(reason);
        return { kind: "task_not_created" as const, ...meaning, ...withFlow(flow) };
      }),
    );
  });

const decodeTask = (answer: unknown, view: ViewFlow, childSessionKey: string | undefined, onProse: OnProse): Decoded =>
  flag(answer, "created").andThen((created) =>
    created ? decodeNewTask(answer, view, childSessionKey) : decodeNoTask(answer, view, onProse),
  );

const isAboutOneFlow = (action: Action): action is Extract<Action, { readonly flowId: string }> => "flowId" in action;

//= VIEW-4
/** The outcome of `action`, from the host's answer to it. */
export const decodeAnswer = (action: Action, answer: unknown, onProse: OnProse): Decoded => {
  const view = isAboutOneFlow(action) ? viewOnly(action.flowId) : viewFlow;
  return match(action)
    .returnType<Decoded>()
    .with({ action: "create_flow" }, () => decodeCreated(answer))
    .with({ action: "get_flow" }, { action: "find_latest_flow" }, { action: "resolve_flow" }, () =>
      decodeFlow(answer, view),
    )
    .with({ action: "list_flows" }, () => decodeFlows(answer))
    .with({ action: "get_task_summary" }, () => decodeSummary(answer))
    .with({ action: "cancel_flow" }, () => decodeCancel(answer, view, onProse))
    .with({ action: "run_task" }, ({ childSessionKey }) => decodeTask(answer, view, childSessionKey, onProse))
    .when(isRevisionChecked, () => decodeMutation(answer, view, onProse))
    .exhaustive();
};
