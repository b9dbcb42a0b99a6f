// One request, one direction: locate ▶ admit ▶ accept ▶ (the host acts) ▶ answer. Each step takes what only the step
// before can make, so that none can be skipped: a Command exists only for an admitted, authenticated request.

import { err, ok, type Result } from "neverthrow";
import { type Action, parseAction } from "./action.ts";
import type { AuditEvent } from "./audit.ts";
import { authenticate, type AuthenticatedRoute } from "./authenticate.ts";
import { checkRequestJson, JSON_FAULTS, parseJson, type TextRule, textRuleOf } from "./json.ts";
import { networkOf } from "./network.ts";
import type { HostFailure, Outcome } from "./outcome.ts";
import type { Fault, Rejection } from "./rejection.ts";
import { type Reply, replyToOutcome, replyToRejection } from "./reply.ts";
import { isJsonMediaType, type RequestHead } from "./request-head.ts";
import { type Route, type Routes, resolveRoute } from "./route.ts";
import type { Sha256 } from "./secret.ts";
import { SLOT_LIMIT, takeSlot } from "./slot.ts";
import { clip } from "./text.ts";
import { stepWindow, WINDOW, type WindowRule, type WindowStep, type WindowView } from "./window.ts";

/** A POST to a route that exists, and the keys that it is counted under. */
export type Located = {
  readonly route: Route;
  readonly head: RequestHead;
  /** The client's network. */
  readonly client: string;
  readonly windowKey: string;
  readonly slotKey: string;
};

/** The limits' state as far as one request can see it: its window's buckets and the slots its peer holds. */
export type LimitView = { readonly window: WindowView; readonly held: number };

/** How much is let in. Every route has RULES; smaller ones are for whoever explores all states. */
export type Rules = { readonly window: WindowRule; readonly slots: number };

export const RULES: Rules = { window: WINDOW, slots: SLOT_LIMIT };

//= TOTAL-2
/** The pieces of a host's platform that the core computes with: all that reaches it from outside. */
export type Primitives = {
  readonly sha256: Sha256;
  /** Strict UTF-8 without a byte order mark at the start; undefined when the bytes are not UTF-8. */
  readonly decodeUtf8: (bytes: Uint8Array) => string | undefined;
};

class AdmittedRequest {
  readonly located: Located;
  readonly authenticated: AuthenticatedRoute;
  declare protected readonly sealed: true;

  constructor(located: Located, authenticated: AuthenticatedRoute) {
    this.located = located;
    this.authenticated = authenticated;
  }
}

//= AUTH-1, SCOPE-1
class AcceptedCommand {
  /** The route whose secret was presented: its session is the one to act for. */
  readonly route: Route;
  readonly action: Action;
  readonly client: string;
  declare protected readonly sealed: true;

  constructor(admitted: Admitted, action: Action) {
    this.route = admitted.authenticated.route;
    this.client = admitted.located.client;
    this.action = action;
  }
}

/** A request whose body may be read. Holds one slot until it is answered or gone. */
export type Admitted = AdmittedRequest;

/** What the host must do, for an authenticated route. */
export type Command = AcceptedCommand;

/** What admitting one request changes: one bucket to write, and a slot to hold exactly when `verdict` is ok. */
export type Admission = { readonly window: WindowStep; readonly verdict: Result<Admitted, Rejection> };

/** The body as the host read it. `gone`: the client hung up, nobody is there to answer. */
export type BodyFault = "too_large" | "timeout" | "gone";

//= BODY-2
/** Most bytes of a body (M-13). */
export const MAX_BODY_BYTES = 262_144;

//= BODY-3
/** Milliseconds in which a body must arrive in full (M-13). */
export const BODY_DEADLINE_MS = 15_000;

//= ORDER-1
/** Finds the route by path, then checks the method. Errs: route_not_found, method_not_allowed. */
export const locate = (routes: Routes, head: RequestHead): Result<Located, Rejection> => {
  const found = resolveRoute(routes, head.target);
  if (found.isErr()) return err(found.error);
  if (head.method !== "POST") return err({ code: "method_not_allowed" });
  const route = found.value;
  const client = networkOf(head.client);
  const slotKey = `${networkOf(head.peer)} ${route.id}`;
  return ok({ route, head, client, windowKey: `${client} ${route.id}`, slotKey });
};

/** In this order; each step costs the server more than the one before. */
const judge = (located: Located, held: number, hash: Sha256, rules: Rules): Result<Admitted, Rejection> => {
  const { route, head } = located;
  if (!isJsonMediaType(head.header("content-type"))) return err({ code: "unsupported_media_type" });
  const slot = takeSlot(held, rules.slots);
  if (slot.isErr()) return err(slot.error);
  const authenticated = authenticate(route, head.header, hash);
  return authenticated.isOk() ? ok(new AdmittedRequest(located, authenticated.value)) : err(authenticated.error);
};

//= ORDER-1, LIMIT-2, SLOT-1, AUTH-1
/**
 * Counts the request, then checks media type, slot and credential, in this order.
 * Errs: rate_limited, unsupported_media_type, too_many_in_flight, unauthorized. `now`: monotonic milliseconds.
 */
export const admit = (
  located: Located,
  limits: LimitView,
  now: number,
  hash: Sha256,
  rules: Rules = RULES,
): Admission => {
  const window = stepWindow(limits.window, now, rules.window);
  const { verdict } = window;
  return { window, verdict: verdict.isErr() ? err(verdict.error) : judge(located, limits.held, hash, rules) };
};

const invalid = (fault: Fault): Rejection => ({ code: "invalid_request", fault });

const MAX_FIELD = 60;

//= BODY-5, ACTION-2
/** The top-level member to blame when a value cannot be stored; a body that is no object is the schema's business. */
const memberFault = (body: unknown, texts: TextRule): Rejection | undefined => {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined;
  for (const [name, value] of Object.entries(body)) {
    const checked = checkRequestJson(value, texts);
    if (checked.isErr()) return invalid({ field: clip(name, MAX_FIELD), sentence: JSON_FAULTS[checked.error] });
  }
  return undefined;
};

//= BODY-2, BODY-3
const REFUSED_BODY = {
  too_large: { code: "payload_too_large" },
  timeout: { code: "request_timeout" },
  gone: { code: "request_timeout" },
} as const satisfies Record<BodyFault, Rejection>;

const NOT_UTF8 = invalid({ sentence: "The body is not valid UTF-8" });

//= ORDER-1, BODY-1
/**
 * From the raw body of an admitted request to a command.
 * Errs: payload_too_large, request_timeout, invalid_json, invalid_request.
 */
export const accept = (
  admitted: Admitted,
  body: Result<Uint8Array, BodyFault>,
  { decodeUtf8 }: Primitives,
): Result<Command, Rejection> => {
  if (body.isErr()) return err(REFUSED_BODY[body.error]);
  const text = decodeUtf8(body.value);
  if (text === undefined) return err(NOT_UTF8);
  const parsed = parseJson(text.trim());
  if (parsed.isErr()) return err({ code: "invalid_json" });
  const fault = memberFault(parsed.value, textRuleOf(text));
  if (fault !== undefined) return err(fault);
  const action = parseAction(parsed.value);
  return action.isOk() ? ok(new AcceptedCommand(admitted, action.value)) : err(invalid(action.error));
};

export type Answer = { readonly reply: Reply; readonly audit: AuditEvent };

//= REPLY-2
/** The answer to a request that was turned away; names the route to the caller only if it was admitted. */
export const answerRejection = (rejection: Rejection, located?: Located, admitted?: Admitted): Answer => {
  const reply = replyToRejection(rejection, admitted?.authenticated.route.id);
  const seen = located === undefined ? {} : { routeId: located.route.id, client: located.client };
  return { reply, audit: { status: reply.status, code: reply.code, ...seen } };
};

//= REPLY-1
/** The answer to a command, from what the host did with it. */
export const answer = ({ route, action, client }: Command, outcome: Result<Outcome, HostFailure>): Answer => {
  const reply = outcome.isOk()
    ? replyToOutcome(outcome.value, route.id)
    : replyToRejection({ code: outcome.error }, route.id);
  return { reply, audit: { status: reply.status, code: reply.code, routeId: route.id, action: action.action, client } };
};
