// The last step: what the caller is told, and what the operator may log of it.

import type { Result } from "neverthrow";
import type { Command } from "./accept.ts";
import type { Located } from "./admit.ts";
import { type AuditEvent, routeName, ruleFault } from "./audit.ts";
import type { AuthenticatedRoute } from "./authenticate.ts";
import type { Outcome, StoreFailure } from "./outcome.ts";
import type { Refusal } from "./policy.ts";
import type { Proved } from "./prove.ts";
import { type Reply, replyToOutcome, replyToRejection } from "./reply.ts";

/** `authenticated`, `rule` and `outcome`: what `requestEvent` tells more of the request, where there is something. */
export type Answer = {
  readonly reply: Reply;
  readonly event: AuditEvent;
  readonly authenticated?: AuthenticatedRoute | undefined;
  readonly rule?: string | number | undefined;
  readonly outcome?: Outcome | undefined;
};

//= AUTH-9
const usedBy = (authenticated: AuthenticatedRoute | undefined): Pick<AuditEvent, "secret"> =>
  authenticated?.isPrevious === true ? { secret: "previous" } : {};

//= REPLY-2, AUTH-5, LIMIT-11
/** The answer to a request that was turned away; names the route and tells of its limits only if it was authenticated. */
export const answerRejection = (rejection: Refusal, located?: Located, authenticated?: AuthenticatedRoute): Answer => {
  const shown = rejection.code === "unauthorized" ? undefined : authenticated;
  const reply = replyToRejection(rejection, shown?.route.id, shown?.allowance);
  const event = { status: reply.status, code: reply.code };
  if (located === undefined) return { reply, event };
  const { route, client } = located;
  const why = rejection.why === undefined ? ruleFault(rejection, route) : { fault: rejection.why };
  const rule = rejection.code === "mapping_failed" ? rejection.fault?.field : undefined;
  const action = rejection.action === undefined ? {} : { action: rejection.action };
  const told = { ...event, routeId: routeName(route), ...action, client, ...usedBy(authenticated), ...why };
  return { reply, event: told, authenticated: shown, rule };
};

//= QUOTA-3
/** Which quota is full, for the operator, who chose its number. */
const fullQuota = (outcome: Outcome | undefined): Pick<AuditEvent, "fault"> =>
  outcome?.kind === "over_quota"
    ? { fault: `limits.${outcome.of === "flows" ? "maxFlows" : "maxTasks"} is ${String(outcome.most)}` }
    : {};

//= REPLY-1
/** The answer to a command, from what the store did with it. */
export const answer = (command: Command, outcome: Result<Outcome, StoreFailure>): Answer => {
  const { route, action, client, authenticated, rule } = command;
  const done = outcome.isOk() ? outcome.value : undefined;
  const reply = outcome.isOk()
    ? replyToOutcome(outcome.value, route.id, authenticated.allowance)
    : replyToRejection({ code: outcome.error }, route.id, authenticated.allowance);
  const event = { status: reply.status, code: reply.code, routeId: routeName(route), action: action.action, client };
  const isReplayed = done?.replayed === true;
  const isPlain = !isReplayed && !authenticated.isPrevious && done?.kind !== "over_quota";
  if (isPlain) return { reply, event, authenticated, rule, outcome: done };
  const more = { ...usedBy(authenticated), ...fullQuota(done) };
  const told = { ...event, ...(isReplayed ? { replayed: true as const } : {}), ...more };
  return { reply, event: told, authenticated, rule, outcome: done };
};

//= MAP-5
/** The answer to a delivery that no rule takes: a success, so that its sender does not repeat it. */
export const answerIgnored = ({ located, authenticated }: Proved): Answer => {
  const reply = replyToOutcome({ kind: "ignored" }, authenticated.route.id, authenticated.allowance);
  const { client } = located;
  const event = { status: reply.status, code: reply.code, routeId: routeName(authenticated.route), client };
  return { reply, event: { ...event, ...usedBy(authenticated) }, authenticated };
};
