// What an audit file and an embedding host are told of a request. It is built only where somebody listens.

import type { Answer } from "./answer.ts";
import { HIDDEN, holdsKey, type RequestEvent } from "./audit.ts";
import { ruleName } from "./mapping.ts";
import type { Outcome } from "./outcome.ts";
import type { RequestHead } from "./request-head.ts";
import type { Route } from "./route.ts";
import { hideSessions } from "./session-key.ts";
import { clip } from "./text.ts";
import { traceparent } from "./traceparent.ts";
import type { FlowView } from "./view.ts";

/** UTF-16 units of a flow's id. */
const MAX_ID = 200;

const flowOf = (outcome: Outcome): FlowView | null | undefined => {
  if ("flow" in outcome) return outcome.flow;
  return "current" in outcome ? outcome.current : undefined;
};

//= AUDIT-1, AUDIT-5
/** The id of the flow that the store answered with. A store of the host's own may have put a session key into it. */
const flowIdOf = (outcome: Outcome | undefined, { sessionKey }: Route): string | undefined => {
  const id = outcome === undefined ? undefined : flowOf(outcome)?.json["flowId"];
  if (typeof id !== "string") return undefined;
  return holdsKey(id, sessionKey) ? HIDDEN : clip(hideSessions(id, HIDDEN), MAX_ID);
};

/** Milliseconds: `time` since the epoch, when the head was there; `durationMs` from then until the answer was ready. */
export type Timing = Pick<RequestEvent, "time" | "durationMs">;

type Draft = { -readonly [Name in keyof RequestEvent]: RequestEvent[Name] };

//= AUDIT-5, AUDIT-6
/** The whole event of an answered request. `head`: of a request to a route; what it says counts only once it is authenticated. */
export const requestEvent = (
  { event, authenticated, rule, outcome }: Answer,
  head: RequestHead | undefined,
  { time, durationMs }: Timing,
): RequestEvent => {
  const told: Draft = { time, ...event, durationMs };
  if (authenticated === undefined) return told;
  told.secret = authenticated.isPrevious ? "previous" : "current";
  const flowId = flowIdOf(outcome, authenticated.route);
  if (flowId !== undefined) told.flowId = flowId;
  if (rule !== undefined) told.rule = typeof rule === "number" ? ruleName(rule) : rule;
  const trace = traceparent(head?.header("traceparent"));
  if (trace !== undefined) told.traceparent = trace;
  return told;
};
