// The last step: what the caller is told, and what the operator may log of it.

import type { Result } from "neverthrow";
import type { Command } from "./accept.ts";
import type { Admitted, Located } from "./admit.ts";
import { type AuditEvent, routeName } from "./audit.ts";
import type { Outcome, StoreFailure } from "./outcome.ts";
import type { Rejection } from "./rejection.ts";
import { type Reply, replyToOutcome, replyToRejection } from "./reply.ts";

export type Answer = { readonly reply: Reply; readonly event: AuditEvent };

//= REPLY-2
/** The answer to a request that was turned away; names the route to the caller only if it was admitted. */
export const answerRejection = (rejection: Rejection, located?: Located, admitted?: Admitted): Answer => {
  const reply = replyToRejection(rejection, admitted?.proof.authenticated.route.id);
  const seen = located === undefined ? {} : { routeId: routeName(located.route), client: located.client };
  return { reply, event: { status: reply.status, code: reply.code, ...seen } };
};

//= REPLY-1
/** The answer to a command, from what the store did with it. */
export const answer = ({ route, action, client }: Command, outcome: Result<Outcome, StoreFailure>): Answer => {
  const reply = outcome.isOk()
    ? replyToOutcome(outcome.value, route.id)
    : replyToRejection({ code: outcome.error }, route.id);
  const routeId = routeName(route);
  return { reply, event: { status: reply.status, code: reply.code, routeId, action: action.action, client } };
};
