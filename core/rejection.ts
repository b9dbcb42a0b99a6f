// The table of rejections, each with its status and its sentence. No sentence of the Gateway or of a store is used.

/** `retryAfterMs`: told to the caller where a code has always the same. */
type Row = { readonly status: number; readonly sentence: string; readonly retryAfterMs?: number };

/** Nobody knows when room or another request ends, so it is the minimum. */
const SOON = 1000;

/** A wait ends within 20 seconds, so that one of many ends soon. */
const LATER = 5000;

const table = <Code extends string>(rows: Readonly<Record<Code, Row>>): Readonly<Record<Code, Row>> => rows;

//= REPLY-3
/** Rejections of the bridge in the order of its checks, then failures of the store, then of a wait. */
export const REJECTIONS = table({
  route_not_found: { status: 404, sentence: "No webhook route has this path." },
  method_not_allowed: { status: 405, sentence: "Only POST is accepted here." },
  admission_unavailable: {
    status: 503,
    sentence: "The limits cannot be checked at the moment. Nothing was done.",
    retryAfterMs: SOON,
  },
  rate_limited: { status: 429, sentence: "Too many requests from this client. Wait, then try again." },
  unsupported_media_type: { status: 415, sentence: "Content-Type must be application/json." },
  too_many_in_flight: { status: 429, sentence: "Too many unfinished requests. Wait for one to end." },
  unauthorized: { status: 401, sentence: "The secret is missing or wrong." },
  payload_too_large: { status: 413, sentence: "The body is larger than 262,144 bytes." },
  request_timeout: { status: 408, sentence: "The body did not arrive within 15 seconds." },
  overloaded: { status: 503, sentence: "Too many bodies are being received at once.", retryAfterMs: SOON },
  invalid_json: { status: 400, sentence: "The body is not valid JSON." },
  invalid_request: { status: 400, sentence: "The request is not valid." },
  action_not_allowed: { status: 403, sentence: "The route does not allow this action." },
  mapping_failed: { status: 422, sentence: "The delivery does not have what its rule needs." },
  idempotency_key_reused: { status: 422, sentence: "The idempotency key was used with another body." },
  idempotency_in_progress: {
    status: 409,
    sentence: "The first request with this idempotency key is not finished.",
    retryAfterMs: SOON,
  },
  idempotency_unavailable: {
    status: 503,
    sentence: "No record of the idempotency key can be kept. Nothing was done.",
    retryAfterMs: SOON,
  },
  list_too_large: { status: 413, sentence: "The list is too large for one answer. Ask for pages with limit." },
  persist_failed: { status: 503, sentence: "TaskFlow persistence failed." },
  bad_host_answer: { status: 502, sentence: "The host failed or answered nonsense. Read the flow before you retry." },
  outcome_unknown: { status: 504, sentence: "The host did not answer in time. Read the flow before you retry." },
  too_many_waiting: {
    status: 429,
    sentence: "Too many requests wait for flows. Try again later, or ask without waitSeconds.",
    retryAfterMs: LATER,
  },
  internal: { status: 500, sentence: "The webhook bridge failed." },
});

export type RejectionCode = keyof typeof REJECTIONS;

/** What is wrong with a request or a configured route. `field`: the top-level field or the header at fault, if there is one. */
export type Fault = { readonly field?: string; readonly sentence: string };

/** Why a request was not carried out. `retryAfterMs`: only with status 429, and with `admission_unavailable`. */
export type Rejection = {
  readonly code: RejectionCode;
  readonly retryAfterMs?: number;
  readonly fault?: Fault;
  /** For the operator alone: no caller is told. */
  readonly why?: string;
};
