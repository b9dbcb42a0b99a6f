// What may be logged about a request: names and codes, never a secret, digest, session key, owner or body.

import type { ActionName } from "./action.ts";
import type { Rejection } from "./rejection.ts";
import type { Route } from "./route.ts";
import { hideSessions, isSessionKey } from "./session-key.ts";
import { clip, printable } from "./text.ts";

/** Stands in a log line for a text that must not be there. */
export const HIDDEN = "[hidden]";

/** UTF-16 units. A key so long, or with the shape of one, is in no other name by chance. */
const DISTINCT = 8;

/** Whether a name of the operator's is the session key or has it inside, in any case. */
export const holdsKey = (name: string, sessionKey: string): boolean => {
  const [text, key] = [name.toLowerCase(), sessionKey.toLowerCase()];
  return text === key || ((key.length >= DISTINCT || isSessionKey(key)) && text.includes(key));
};

//= AUDIT-1
/** What the log calls a route: its id, unless that holds its session key or has the shape of one. */
export const routeName = ({ id, sessionKey }: Pick<Route, "id" | "sessionKey">): string =>
  holdsKey(id, sessionKey) ? HIDDEN : hideSessions(id, HIDDEN);

//= AUDIT-1
export type AuditEvent = {
  readonly status: number;
  /** The code of the reply. Absent on success. */
  readonly code?: string | undefined;
  /** The `routeName` of the path's route, even if the credential was wrong. For the operator only. */
  readonly routeId?: string;
  /** Absent unless the credential was right. */
  readonly action?: ActionName;
  /** The client's network, as `networkOf` gives it. */
  readonly client?: string;
  /** Which secret of the route the request presented. Absent unless one was right; the log names only a previous one. */
  readonly secret?: "current" | "previous";
  /** Set when the answer is that of an earlier request. */
  readonly replayed?: true;
  /** Why a rule made no action of a delivery, as `ruleFault` gives it, what a signature lacks, what the route does not allow, or which quota is full. For the operator only. */
  readonly fault?: string;
};

//= AUDIT-5
/** What an audit file and `onEvent` are told of each request: the log's event, and what the log has no room for. */
export type RequestEvent = AuditEvent & {
  /** Milliseconds since the epoch: when the request's head was there. */
  readonly time: number;
  /** From then until the answer was ready to be sent. */
  readonly durationMs: number;
  /** The flow that the answer is about: an id of the store's, never a caller's text. */
  readonly flowId?: string;
  /** The name of the rule that took the delivery, such as `deliveries[0]`. */
  readonly rule?: string;
  /** The sender's trace. Absent unless the credential was right. */
  readonly traceparent?: string;
};

/** UTF-16 units of a rule's fault. */
const MAX_FAULT = 500;

//= AUDIT-1
/** Which rule failed at a delivery and why, in the words of the rule: never a value of the delivery, nor the session key. */
export const ruleFault = ({ code, fault }: Rejection, { sessionKey }: Route): Pick<AuditEvent, "fault"> => {
  if (code !== "mapping_failed" || fault === undefined) return {};
  const { field = "a rule", sentence } = fault;
  const said = holdsKey(sentence, sessionKey) ? HIDDEN : hideSessions(sentence, HIDDEN);
  return { fault: clip(`${field}: ${said}`, MAX_FAULT) };
};

//= AUDIT-2
/** The event as one line of printable ASCII. */
export const auditLine = ({ status, code, routeId, action, client, secret, replayed, fault }: AuditEvent): string => {
  const route = routeId === undefined ? "" : `route=${printable(routeId)} `;
  const named = action === undefined ? "" : `action=${action} `;
  const from = client === undefined ? "" : `client=${printable(client)} `;
  const more = `${secret === "previous" ? " secret=previous" : ""}${replayed === undefined ? "" : " replayed"}`;
  const why = fault === undefined ? "" : ` ${printable(fault, MAX_FAULT)}`;
  return `${route}${named}${from}status=${String(status)}${code === undefined ? "" : ` code=${printable(code)}`}${more}${why}`;
};
