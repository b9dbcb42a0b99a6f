// An outcome as a record keeps it, so that a repeated request gets the same answer. What is kept is what views show, and reading
// it makes views again: a record that was changed on the disk can show no more than a store can.

import { err, ok, type Result } from "neverthrow";
import type { FlowAction } from "./action.ts";
import { type JsonValue, parseJson } from "./json.ts";
import { isNamed, own } from "./own.ts";
import { type Outcome, OUTCOME_KINDS, type StoreFailure } from "./outcome.ts";
import { type BadRecord, isView, viewFlow, viewTask, viewTasks } from "./view.ts";

const isAnyView = (value: unknown): value is { readonly json: JsonValue } =>
  isView(value, "flow") || isView(value, "task") || isView(value, "summary");

const savedPart = (part: unknown): unknown =>
  isAnyView(part) ? part.json : Array.isArray(part) ? part.map(savedPart) : part;

//= ONCE-3
/** The outcome as JSON, each view as what it shows. */
export const saveOutcome = (outcome: Outcome): object =>
  Object.fromEntries(Object.entries(outcome).map(([name, part]) => [name, savedPart(part)]));

type Read = (value: unknown, action: FlowAction) => Result<unknown, BadRecord>;

const word: Read = (value) => (typeof value === "string" ? ok(value) : err({ field: "" }));

/** Every part that an outcome of a mutating action may have. */
const READERS: readonly (readonly [part: string, read: Read])[] = [
  ["flow", viewFlow],
  ["current", viewFlow],
  ["task", (value, action) => viewTask(value, action.action === "run_task" ? action.childSessionKey : undefined)],
  ["tasks", viewTasks],
  ["refusal", word],
  ["ended", word],
];

//= ONCE-3, VIEW-5
/**
 * The outcome of `action` that was saved, with its views made again. Errs when it is not one. The parts that its kind must
 * have are the bridge's to check, as with every answer of a store.
 */
export const readSavedOutcome = (action: FlowAction, saved: unknown): Result<Outcome, BadRecord> => {
  const kinds: readonly unknown[] = OUTCOME_KINDS[action.action];
  const kind = own(saved, "kind");
  if (!isNamed(saved) || !kinds.includes(kind)) return err({ field: "kind" });
  const outcome: { [part: string]: unknown } = { kind };
  for (const [part, reader] of READERS) {
    if (!Object.hasOwn(saved, part)) continue;
    const read = reader(saved[part], action);
    if (read.isErr()) return err(read.error);
    outcome[part] = read.value;
  }
  // boundary: the kind is one of the action's, and each part has just been read.
  return ok(outcome as Outcome);
};

/** A rule that was edited may make another action of the same delivery. */
const faultOf = ({ field }: BadRecord): StoreFailure =>
  field === "kind" ? "idempotency_key_reused" : "bad_host_answer";

//= ONCE-2, ONCE-3
/** The answer to a repeat of a request whose outcome was saved as `text`. */
export const replay = (action: FlowAction, text: string): Result<Outcome, StoreFailure> =>
  parseJson(text)
    .mapErr((): StoreFailure => "bad_host_answer")
    .andThen((json) => readSavedOutcome(action, json).mapErr(faultOf))
    .map((outcome): Outcome => ({ ...outcome, replayed: true }));
