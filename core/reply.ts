// Everything that leaves for a caller: one envelope, JSON, never stored by a cache (M-21, M-22).
// A Reply is built from views and from the tables of refusals, and from nothing else.

import { Result } from "neverthrow";
import { match } from "ts-pattern";
import type { JsonValue } from "./json.ts";
import { CANCEL_REFUSALS, describeRefusal, MUTATION_REFUSALS, type Outcome, TASK_REFUSALS } from "./outcome.ts";
import { type Rejection, REJECTIONS } from "./rejection.ts";
import type { FlowView, TaskView } from "./view.ts";

/** Status, header fields and body of one answer. Only this module can make one. */
class SealedReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The code of the envelope; undefined on a plain success. */
  readonly code: string | undefined;
  declare protected readonly sealed: true;

  constructor(status: number, headers: Readonly<Record<string, string>>, body: string, code: string | undefined) {
    this.status = status;
    this.headers = headers;
    this.body = body;
    this.code = code;
  }
}

export type Reply = SealedReply;

type Shown = { readonly [field: string]: JsonValue };
type Draft = { readonly status: number; readonly code?: string; readonly error?: string; readonly result: Shown };

//= REPLY-1
const HEADERS = { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" };

const retryAfter = (milliseconds: number): string => String(Math.max(1, Math.ceil(milliseconds / 1000)));

const headersOf = (rejection: Rejection): Readonly<Record<string, string>> => ({
  ...HEADERS,
  ...(rejection.code === "method_not_allowed" ? { Allow: "POST" } : {}),
  ...(rejection.code === "unauthorized" ? { "WWW-Authenticate": "Bearer" } : {}),
  ...(rejection.retryAfterMs === undefined ? {} : { "Retry-After": retryAfter(rejection.retryAfterMs) }),
});

//= REPLY-2, AUTH-5
/**
 * The answer to a request that was not carried out. `routeId` only once the credential is verified: before that, a
 * caller is told nothing that it did not send.
 */
export const replyToRejection = (rejection: Rejection, routeId?: string): Reply => {
  const { code, fault } = rejection;
  const row = REJECTIONS[code];
  const field = fault?.field;
  const sentence = fault?.sentence ?? row.sentence;
  const error = field === undefined ? sentence : `${field}: ${sentence}`;
  const body = JSON.stringify({ ok: false, routeId, code, error, result: { field } });
  return new SealedReply(row.status, headersOf(rejection), body, code);
};

const shownFlow = (flow: FlowView | undefined): Shown => (flow === undefined ? {} : { flow: flow.json });

const shownTasks = (tasks: readonly TaskView[] | undefined): Shown =>
  tasks === undefined ? {} : { tasks: tasks.map((task) => task.json) };

const notApplied = ({ refusal, current }: Extract<Outcome, { kind: "not_applied" }>): Draft => {
  const shown: Shown = current === undefined ? {} : { current: current.json };
  return { ...MUTATION_REFUSALS[refusal], result: { applied: false, code: refusal, ...shown } };
};

const notCreated = ({ refusal }: Extract<Outcome, { kind: "not_created" }>): Draft => ({
  status: refusal === "persist_failed" ? 503 : 409,
  code: refusal,
  error: refusal === "persist_failed" ? REJECTIONS.persist_failed.sentence : "TaskFlow creation was rejected.",
  result: { created: false, code: refusal },
});

const notCancelled = (outcome: Extract<Outcome, { kind: "not_cancelled" }>): Draft => {
  const row = describeRefusal(CANCEL_REFUSALS[outcome.refusal], outcome.ended);
  const found = outcome.refusal !== "not_found";
  const shown = { ...shownFlow(outcome.flow), ...shownTasks(outcome.tasks) };
  return { ...row, result: { found, cancelled: false, reason: row.reason, ...shown } };
};

const taskNotCreated = (outcome: Extract<Outcome, { kind: "task_not_created" }>): Draft => {
  const row = describeRefusal(TASK_REFUSALS[outcome.refusal], outcome.ended);
  const found = outcome.refusal !== "not_found";
  return { ...row, result: { found, created: false, reason: row.reason, ...shownFlow(outcome.flow) } };
};

const done = (result: Shown): Draft => ({ status: 200, result });

const draftOf = (outcome: Outcome): Draft =>
  match(outcome)
    .with({ kind: "flow" }, ({ flow }) => done({ flow: flow === null ? null : flow.json }))
    .with({ kind: "flows" }, ({ flows }) => done({ flows: flows.map((flow) => flow.json) }))
    .with({ kind: "summary" }, ({ summary }) => done({ summary: summary === null ? null : summary.json }))
    .with({ kind: "created" }, ({ flow }) => done({ created: true, flow: flow.json }))
    .with({ kind: "not_created" }, notCreated)
    .with({ kind: "applied" }, ({ flow }) => done({ applied: true, flow: flow.json }))
    .with({ kind: "not_applied" }, notApplied)
    .with({ kind: "cancelled" }, ({ flow, tasks }) =>
      done({ found: true, cancelled: true, ...shownFlow(flow), ...shownTasks(tasks) }),
    )
    .with({ kind: "not_cancelled" }, notCancelled)
    .with({ kind: "task_created" }, ({ flow, task }) => done({ created: true, flow: flow.json, task: task.json }))
    .with({ kind: "task_not_created" }, taskNotCreated)
    .exhaustive();

/** JSON.stringify as a total function: a text longer than the engine can hold is the one way in which it fails. */
const stringify = Result.fromThrowable(JSON.stringify);

//= REPLY-4
/**
 * The answer to a command that the host answered: the Gateway's statuses and results (SEMANTICS §3–6). What a host
 * hands over beyond what one text can hold is its failure, not a crash.
 */
export const replyToOutcome = (outcome: Outcome, routeId: string): Reply => {
  const { status, code, error, result } = draftOf(outcome);
  const isOk = status < 400;
  return stringify({ ok: isOk, routeId, code, error: isOk ? undefined : error, result }).match(
    (body) => new SealedReply(status, HEADERS, body, code),
    () => replyToRejection({ code: "bad_host_answer" }, routeId),
  );
};
