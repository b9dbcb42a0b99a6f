// Everything that leaves for a caller: one envelope, JSON, never stored by a cache (M-21, M-22).
// A Reply is built from views and from the tables of refusals, and from nothing else.

import { type Allowance, withRateLimit } from "./allowance.ts";
import { type JsonValue, stringifyJson } from "./json.ts";
import { isLongerThanList, MAX_LIST_BYTES } from "./list-weight.ts";
import {
  CANCEL_REFUSALS,
  CREATE_REFUSALS,
  describeRefusal,
  MUTATION_REFUSALS,
  type Outcome,
  TASK_REFUSALS,
} from "./outcome.ts";
import { type Rejection, type RejectionCode, REJECTIONS } from "./rejection.ts";
import type { FlowView, Shown, TaskView } from "./view.ts";

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

/** What stands in `result`: words of ours and what views show. */
type Body = { readonly [field: string]: JsonValue | Shown | readonly Shown[] };
type Draft = { readonly status: number; readonly code?: string; readonly error?: string; readonly result: Body };

//= REPLY-1
const HEADERS = Object.freeze({ "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" });

//= ONCE-2
const REPLAYED = Object.freeze({ ...HEADERS, "Idempotent-Replayed": "true" });

const retryAfter = (milliseconds: number): string => String(Math.max(1, Math.ceil(milliseconds / 1000)));

const headersOf = (code: RejectionCode, soon: number | undefined): Readonly<Record<string, string>> =>
  Object.freeze({
    ...HEADERS,
    ...(code === "method_not_allowed" ? { Allow: "POST" } : {}),
    ...(code === "unauthorized" ? { "WWW-Authenticate": "Bearer" } : {}),
    ...(soon === undefined ? {} : { "Retry-After": retryAfter(soon) }),
  });

const plainReply = (code: RejectionCode): Reply => {
  const { status, sentence, retryAfterMs } = REJECTIONS[code];
  const body = JSON.stringify({ ok: false, code, error: sentence, result: {} });
  return new SealedReply(status, headersOf(code, retryAfterMs), body, code);
};

/** What a caller without a credential is told: made once, so that a flood of refusals costs next to nothing. */
const PLAIN: Readonly<Record<RejectionCode, Reply>> = {
  route_not_found: plainReply("route_not_found"),
  method_not_allowed: plainReply("method_not_allowed"),
  admission_unavailable: plainReply("admission_unavailable"),
  rate_limited: plainReply("rate_limited"),
  unsupported_media_type: plainReply("unsupported_media_type"),
  too_many_in_flight: plainReply("too_many_in_flight"),
  unauthorized: plainReply("unauthorized"),
  payload_too_large: plainReply("payload_too_large"),
  request_timeout: plainReply("request_timeout"),
  overloaded: plainReply("overloaded"),
  invalid_json: plainReply("invalid_json"),
  invalid_request: plainReply("invalid_request"),
  action_not_allowed: plainReply("action_not_allowed"),
  mapping_failed: plainReply("mapping_failed"),
  idempotency_key_reused: plainReply("idempotency_key_reused"),
  idempotency_in_progress: plainReply("idempotency_in_progress"),
  idempotency_unavailable: plainReply("idempotency_unavailable"),
  list_too_large: plainReply("list_too_large"),
  persist_failed: plainReply("persist_failed"),
  bad_host_answer: plainReply("bad_host_answer"),
  outcome_unknown: plainReply("outcome_unknown"),
  too_many_waiting: plainReply("too_many_waiting"),
  internal: plainReply("internal"),
};

const withRetry = (reply: Reply, retryAfterMs: number | undefined): Reply => {
  if (retryAfterMs === undefined) return reply;
  const headers = { ...reply.headers, "Retry-After": retryAfter(retryAfterMs) };
  return new SealedReply(reply.status, headers, reply.body, reply.code);
};

//= LIMIT-11
const withLimits = (
  headers: Readonly<Record<string, string>>,
  allowance: Allowance | undefined,
): Readonly<Record<string, string>> => (allowance === undefined ? headers : withRateLimit(headers, allowance));

//= REPLY-2, AUTH-5
/**
 * The answer to a request that was not carried out. `routeId` only once the credential is verified: before that, a
 * caller is told nothing that it did not send. The same holds for `allowance`.
 */
export const replyToRejection = (
  { code, fault, retryAfterMs }: Rejection,
  routeId?: string,
  allowance?: Allowance,
): Reply => {
  const plain = PLAIN[code];
  if (fault === undefined && routeId === undefined) return withRetry(plain, retryAfterMs);
  const field = fault?.field;
  const sentence = fault?.sentence ?? REJECTIONS[code].sentence;
  const error = field === undefined ? sentence : `${field}: ${sentence}`;
  const body = JSON.stringify({ ok: false, routeId, code, error, result: { field } });
  return withRetry(new SealedReply(plain.status, withLimits(plain.headers, allowance), body, code), retryAfterMs);
};

const shownFlow = (flow: FlowView | undefined): Body => (flow === undefined ? {} : { flow: flow.json });

const shownTasks = (tasks: readonly TaskView[] | undefined): Body =>
  tasks === undefined ? {} : { tasks: tasks.map((task) => task.json) };

const notApplied = ({ refusal, current }: Extract<Outcome, { kind: "not_applied" }>): Draft => {
  const shown: Body = current === undefined ? {} : { current: current.json };
  return { ...MUTATION_REFUSALS[refusal], result: { applied: false, code: refusal, ...shown } };
};

const notCreated = ({ refusal }: Extract<Outcome, { kind: "not_created" }>): Draft => ({
  ...CREATE_REFUSALS[refusal],
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

//= QUOTA-3
const overQuota = ({ of, most, reopens }: Extract<Outcome, { kind: "over_quota" }>): Draft => ({
  status: 429,
  code: "quota_exceeded",
  error: `The route allows ${String(most)} open ${of}${of === "tasks" ? " of a flow" : ""}. End one, then try again.`,
  result: { [reopens === true ? "applied" : "created"]: false, code: "quota_exceeded", limit: most },
});

//= LIST-4
/** A page has ended before it is too long, but for its first flow; a whole list has not. */
const isTooLarge = (outcome: Outcome, body: string): boolean =>
  outcome.kind === "flows" && outcome.next === undefined && isLongerThanList(body);

/**
 * The envelope of a list, put together from the texts that the list was measured by. Undefined of any other outcome, and of flows
 * that are too long to be put together without looking.
 */
const listBody = (outcome: Outcome, routeId: string): string | undefined => {
  if (outcome.kind !== "flows") return undefined;
  let flows = "";
  for (const { text } of outcome.flows) {
    if (text === undefined || flows.length + text.length > MAX_LIST_BYTES) return undefined;
    flows += flows === "" ? text : `,${text}`;
  }
  const next = outcome.next === undefined ? "" : `,"nextCursor":${JSON.stringify(outcome.next)}`;
  return `{"ok":true,"routeId":${JSON.stringify(routeId)},"result":{"flows":[${flows}]${next}}}`;
};

const done = (result: Body): Draft => ({ status: 200, result });

const cancelled = ({ flow, tasks }: Extract<Outcome, { kind: "cancelled" }>): Draft =>
  done({ found: true, cancelled: true, ...shownFlow(flow), ...shownTasks(tasks) });

/** A switch and no `match`: every answer passes here, and matching costs as much as serialising a flow. */
const draftOf = (outcome: Outcome): Draft => {
  switch (outcome.kind) {
    case "flow":
      return done({ flow: outcome.flow === null ? null : outcome.flow.json });
    case "flows":
      return done({
        flows: outcome.flows.map((flow) => flow.json),
        ...(outcome.next === undefined ? {} : { nextCursor: outcome.next }),
      });
    case "summary":
      return done({ summary: outcome.summary === null ? null : outcome.summary.json });
    case "created":
      return done({ created: true, flow: outcome.flow.json });
    case "not_created":
      return notCreated(outcome);
    case "applied":
      return done({ applied: true, flow: outcome.flow.json });
    case "not_applied":
      return notApplied(outcome);
    case "cancelled":
      return cancelled(outcome);
    case "not_cancelled":
      return notCancelled(outcome);
    case "task_created":
      return done({ created: true, flow: outcome.flow.json, task: outcome.task.json });
    case "task_not_created":
      return taskNotCreated(outcome);
    case "existing":
      return done({ created: false, flow: outcome.flow.json });
    case "over_quota":
      return overQuota(outcome);
    case "ignored":
      return { status: 200, code: "ignored", result: {} };
  }
};

//= REPLY-4
/**
 * The answer to a command that the store answered: the Gateway's statuses and results (gateway-semantics §3–6). Views that hold more
 * than one text can hold are a failure of the store, and a whole list that is too long is refused. `allowance`: what the caller is
 * told of its limits.
 */
export const replyToOutcome = (outcome: Outcome, routeId: string, allowance?: Allowance): Reply => {
  const { status, code, error, result } = draftOf(outcome);
  const isOk = status < 400;
  const body =
    listBody(outcome, routeId) ?? stringifyJson({ ok: isOk, routeId, code, error: isOk ? undefined : error, result });
  if (body === undefined) return replyToRejection({ code: "bad_host_answer" }, routeId, allowance);
  return isTooLarge(outcome, body)
    ? replyToRejection({ code: "list_too_large" }, routeId, allowance)
    : new SealedReply(status, withLimits(outcome.replayed === true ? REPLAYED : HEADERS, allowance), body, code);
};
