// From what the host answered, whatever it is, to an Outcome. Nonsense errs with the field that gave it away.

import { err, ok, type Result } from "neverthrow";
import {
  type BadRecord,
  fieldOf,
  type FlowView,
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

export type Decoded<Done extends Outcome> = Result<Done, BadRecord>;

type OutcomeOf<Kind extends Outcome["kind"]> = Extract<Outcome, { readonly kind: Kind }>;

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

//= VIEW-4
export const decodeFlow = (answer: unknown): Decoded<OutcomeOf<"flow">> =>
  isNothing(answer) ? ok({ kind: "flow", flow: null }) : viewFlow(answer).map((flow) => ({ kind: "flow", flow }));

export const decodeFlows = (answer: unknown): Decoded<OutcomeOf<"flows">> =>
  viewAll(answer, viewFlow).map((flows) => ({ kind: "flows", flows }));

export const decodeSummary = (answer: unknown): Decoded<OutcomeOf<"summary">> =>
  optional(answer, viewSummary).map((summary) => ({ kind: "summary", summary: summary ?? null }));

export const decodeCreated = (answer: unknown): Decoded<OutcomeOf<"created" | "not_created">> =>
  optional(answer, viewFlow).map((flow) =>
    flow === undefined ? { kind: "not_created", refusal: "persist_failed" } : { kind: "created", flow },
  );

const isMutationRefusal = (code: unknown): code is MutationRefusal =>
  typeof code === "string" && Object.hasOwn(MUTATION_REFUSALS, code);

const withFlow = (flow: FlowView | undefined): { readonly flow?: FlowView } => (flow === undefined ? {} : { flow });

const withTasks = (tasks: readonly TaskView[] | undefined): { readonly tasks?: readonly TaskView[] } =>
  tasks === undefined ? {} : { tasks };

type Shown = { readonly flow?: FlowView; readonly tasks?: readonly TaskView[] };

const decodeNotApplied = (answer: unknown, onProse: OnProse): Decoded<OutcomeOf<"not_applied">> =>
  fieldOf(answer, "code").andThen((code) => {
    if (!isMutationRefusal(code)) onProse(code);
    const refusal = isMutationRefusal(code) ? code : "mutation_rejected";
    return optionalField(answer, "current", viewFlow).map((current) => ({
      kind: "not_applied" as const,
      refusal,
      ...(current === undefined ? {} : { current }),
    }));
  });

type Mutated = Decoded<OutcomeOf<"applied" | "not_applied">>;

//= VIEW-4
export const decodeMutation = (answer: unknown, onProse: OnProse): Mutated =>
  flag(answer, "applied").andThen((applied): Mutated =>
    applied
      ? requiredField(answer, "flow", viewFlow).map((flow) => ({ kind: "applied", flow }))
      : decodeNotApplied(answer, onProse),
  );

const viewTasks = (tasks: unknown): Result<readonly TaskView[], BadRecord> => viewAll(tasks, (task) => viewTask(task));

const shownBy = (answer: unknown): Result<Shown, BadRecord> =>
  optionalField(answer, "flow", viewFlow).andThen((flow) =>
    optionalField(answer, "tasks", viewTasks).map((tasks) => ({ ...withFlow(flow), ...withTasks(tasks) })),
  );

const decodeNotCancelled = (answer: unknown, onProse: OnProse, shown: Shown): Decoded<OutcomeOf<"not_cancelled">> =>
  fieldOf(answer, "reason").map((reason) => {
    const { known, ...meaning } = readCancelReason(reason);
    if (!known) onProse(reason);
    return { kind: "not_cancelled" as const, ...meaning, ...shown };
  });

type Cancelled = Decoded<OutcomeOf<"cancelled" | "not_cancelled">>;

//= VIEW-4
export const decodeCancel = (answer: unknown, onProse: OnProse): Cancelled =>
  flag(answer, "found").andThen((found) =>
    flag(answer, "cancelled").andThen((cancelled): Cancelled => {
      if (!found) return ok({ kind: "not_cancelled", refusal: "not_found" });
      return shownBy(answer).andThen((shown): Cancelled =>
        cancelled ? ok({ kind: "cancelled" as const, ...shown }) : decodeNotCancelled(answer, onProse, shown),
      );
    }),
  );

type Tasked = Decoded<OutcomeOf<"task_created" | "task_not_created">>;

const decodeNewTask = (answer: unknown, childSessionKey: string | undefined): Tasked =>
  requiredField(answer, "flow", viewFlow).andThen((flow) =>
    requiredField(answer, "task", (task) => viewTask(task, childSessionKey)).map((task) => ({
      kind: "task_created" as const,
      flow,
      task,
    })),
  );

const decodeNoTask = (answer: unknown, onProse: OnProse): Tasked =>
  flag(answer, "found").andThen((found): Tasked => {
    if (!found) return ok({ kind: "task_not_created", refusal: "not_found" });
    return optionalField(answer, "flow", viewFlow).andThen((flow) =>
      fieldOf(answer, "reason").map((reason) => {
        const { known, ...meaning } = readTaskReason(reason);
        if (!known) onProse(reason);
        return { kind: "task_not_created" as const, ...meaning, ...withFlow(flow) };
      }),
    );
  });

//= VIEW-4
export const decodeTask = (answer: unknown, childSessionKey: string | undefined, onProse: OnProse): Tasked =>
  flag(answer, "created").andThen((created) =>
    created ? decodeNewTask(answer, childSessionKey) : decodeNoTask(answer, onProse),
  );
