// The only file that reads the Gateway's sentences. It turns each of them into a code; no caller gets the sentence.

import { type CancelRefusal, FLOW_STATUSES, type FlowStatus, type TaskRefusal } from "../../core/index.ts";

/** `ended`: the status that the sentence names. `known: false`: the sentence belongs in the operator's log. */
export type Meaning<Refusal> = { readonly refusal: Refusal; readonly ended?: FlowStatus; readonly known: boolean };

const CANCEL: ReadonlyMap<unknown, CancelRefusal> = new Map<unknown, CancelRefusal>([
  ["Flow not found.", "not_found"],
  ["One or more child tasks are still active.", "cancel_pending"],
  ["One or more child tasks remain provisionally cancelled.", "provisional"],
  ["Child task ownership could not be verified; no cancellation was performed.", "unverified"],
  ["Flow changed while cancellation was in progress.", "revision_conflict"],
  ["Flow persistence failed.", "persist_failed"],
  ["Flow mutation failed.", "cancel_rejected"],
]);

const RUN_TASK: ReadonlyMap<unknown, TaskRefusal> = new Map<unknown, TaskRefusal>([
  ["Flow not found.", "not_found"],
  ["Flow does not accept managed child tasks.", "not_managed"],
  ["Flow cancellation has already been requested.", "cancel_requested"],
  ["Task backing ownership could not be verified.", "unverified"],
  ["Task persistence failed.", "persist_failed"],
]);

const ENDED = /^Flow is already (\w+)\.$/u;

/** The status in "Flow is already …". The Gateway writes "terminal" if it does not know the status. */
const endedIn = (reason: unknown): string | undefined =>
  typeof reason === "string" ? ENDED.exec(reason)?.[1] : undefined;

const terminal = (named: string): Meaning<"terminal"> => {
  const ended = FLOW_STATUSES.find((status) => status === named);
  return {
    refusal: "terminal",
    known: ended !== undefined || named === "terminal",
    ...(ended === undefined ? {} : { ended }),
  };
};

//= REPLY-3
const meaning = <Refusal>(
  reason: unknown,
  sentences: ReadonlyMap<unknown, Refusal>,
  unknown: Refusal,
): Meaning<Refusal | "terminal"> => {
  const named = endedIn(reason);
  if (named !== undefined) return terminal(named);
  const refusal = sentences.get(reason);
  return { refusal: refusal ?? unknown, known: refusal !== undefined };
};

/** Why the Gateway did not cancel the flow. */
export const readCancelReason = (reason: unknown): Meaning<CancelRefusal> => meaning(reason, CANCEL, "cancel_rejected");

/** Why the Gateway did not create the task. */
export const readTaskReason = (reason: unknown): Meaning<TaskRefusal> => meaning(reason, RUN_TASK, "task_not_created");
