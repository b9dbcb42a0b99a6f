// From a proved request to a command: what the store must do, for an authenticated route.

import { err, ok, type Result } from "neverthrow";
import { type Action, ACTIONS, type FlowAction, MAX_FIELD, parseAction } from "./action.ts";
import { type AuthenticatedRoute, UNAUTHORIZED } from "./authenticate.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import { checkRequestJson, JSON_FAULTS, type JsonValue, needsNoWalk, nestsDeeper, parseJson } from "./json.ts";
import { mapDelivery, type Mapped, type MappingFault, ruleName } from "./mapping.ts";
import { isObject, own } from "./own.ts";
import { type Refusal, refusalBy } from "./policy.ts";
import type { Primitives } from "./primitives.ts";
import { MAX_BODY_BYTES, type Proved } from "./prove.ts";
import type { Fault, Rejection } from "./rejection.ts";
import type { Route } from "./route.ts";
import { isTimely } from "./signature.ts";
import { clip } from "./text.ts";

/** What is asked of the store. `bind`: the key of the flow that it is about. `rule`: the place of the rule that asks for it. */
type Asked = { readonly action: FlowAction; readonly bind: string | undefined; readonly rule: number | undefined };

//= AUTH-1, SCOPE-1
class AcceptedCommand {
  /** The route whose secret was presented: its session is the one to act for. */
  readonly route: Route;
  readonly action: FlowAction;
  readonly delivery: Delivery;
  readonly client: string;
  readonly authenticated: AuthenticatedRoute;
  /** The place of the rule that made the action; undefined when it is the caller's own. */
  readonly rule: number | undefined;
  declare protected readonly sealed: true;

  constructor(authenticated: AuthenticatedRoute, { action, rule }: Asked, delivery: Delivery, client: string) {
    this.route = authenticated.route;
    this.action = action;
    this.delivery = delivery;
    this.client = client;
    this.authenticated = authenticated;
    this.rule = rule;
  }
}

/** What the store must do, for an authenticated route. */
export type Command = AcceptedCommand;

const invalid = (fault: Fault): Rejection => ({ code: "invalid_request", fault });

//= BODY-5, ACTION-2
/** Names the top-level member whose value cannot be stored. A body that is not an object is left to the schema. */
const memberFault = (body: unknown): Fault | undefined => {
  if (!isObject(body)) return undefined;
  for (const [name, value] of Object.entries(body)) {
    const checked = checkRequestJson(value);
    if (checked.isErr()) return { field: clip(name, MAX_FIELD), sentence: JSON_FAULTS[checked.error] };
  }
  return undefined;
};

/** Levels of a body that is larger than a route has to allow. A smaller one cannot cost much, whatever it holds. */
const MAX_DEPTH = 10_000;

const TOO_DEEP = invalid({ sentence: "The body nests deeper than 10,000 levels" });

const OLD: Rejection = { ...UNAUTHORIZED, why: "the time in its body is not within 300 seconds of this clock" };

const NOT_UTF8 = invalid({ sentence: "The body is not valid UTF-8" });

/** The action with the route's controller for a flow that names none (M-7). */
const withController = (action: Action, { controllerId }: Route): FlowAction =>
  action.action === "create_flow" ? { ...action, controllerId: action.controllerId ?? controllerId } : action;

const actionIn = (body: unknown, isPlain: boolean, route: Route): Result<FlowAction, Fault> => {
  const fault = isPlain ? undefined : memberFault(body);
  if (fault !== undefined) return err(fault);
  const action = parseAction(body);
  return action.isErr() ? err(action.error) : ok(withController(action.value, route));
};

//= POLICY-1, POLICY-2, POLICY-3, POLICY-5
/** The only place where an action becomes what is asked of the store, so that nothing gets past the route's policy. */
const confined = (
  action: FlowAction,
  bind: string | undefined,
  { policy, controllerId }: Route,
  rule?: number,
): Result<Asked, Refusal> => {
  const refusal = policy === undefined ? undefined : refusalBy(policy, action, controllerId, rule);
  return refusal === undefined ? ok({ action, bind, rule }) : err(refusal);
};

const REASONS = {
  missing: "is missing, and has no default. Add one with ??, or correct the path",
  too_large: "makes the action too large. Map less of the delivery",
  unstorable: "holds what cannot be stored: half a character, or a number beyond a double",
} as const satisfies Record<MappingFault["reason"], string>;

//= MAP-6
const unmapped = (rule: number, sentence: string): Rejection => ({
  code: "mapping_failed",
  fault: { field: ruleName(rule), sentence },
});

//= MAP-6, MAP-7
const askedByRule = (mapped: Result<Mapped, MappingFault>, route: Route): Result<Asked, Refusal> => {
  if (mapped.isErr()) {
    const { rule, path, reason } = mapped.error;
    return err(unmapped(rule, `${path} ${REASONS[reason]}`));
  }
  const { rule, key, body } = mapped.value;
  return actionIn(body, false, route)
    .mapErr(({ field, sentence }) => unmapped(rule, field === undefined ? sentence : `${field}: ${sentence}`))
    .andThen((action) => confined(action, key, route, rule));
};

//= ACTION-1
const askedByCaller = (body: unknown, isPlain: boolean, route: Route): Result<Asked, Refusal> => {
  const action = actionIn(body, isPlain, route);
  return action.isErr() ? err(invalid(action.error)) : confined(action.value, undefined, route);
};

const isNamedAction = (body: unknown): boolean => {
  const name = own(body, "action");
  return typeof name === "string" && Object.hasOwn(ACTIONS, name);
};

//= MAP-5
/** What the body asks for; undefined when no rule takes it. `isPlain`: nothing in it needs to be looked at. */
const askedOf = (
  { authenticated, located }: Proved,
  body: JsonValue,
  isPlain: boolean,
): Result<Asked, Refusal> | undefined => {
  const { route } = authenticated;
  if (route.deliveries === undefined) return askedByCaller(body, isPlain, route);
  const mapped = mapDelivery(route.deliveries.rules, { payload: body, header: located.head.header });
  if (mapped !== undefined) return askedByRule(mapped, route);
  return route.deliveries.allowActions && isNamedAction(body) ? askedByCaller(body, isPlain, route) : undefined;
};

//= ORDER-1, ORDER-2, BODY-1
/**
 * The command; undefined when the delivery asks for nothing. `now`: milliseconds since the epoch. Errs: invalid_json,
 * invalid_request, mapping_failed, action_not_allowed; unauthorized when a time inside the signed body is far.
 */
export const accept = (
  proved: Proved,
  { decodeUtf8, sha256 }: Primitives,
  now: number,
): Result<Command | undefined, Refusal> => {
  const { authenticated, located, body, claim } = proved;
  const text = decodeUtf8(body);
  if (text === undefined) return err(NOT_UTF8);
  if (body.length > MAX_BODY_BYTES && nestsDeeper(text, MAX_DEPTH)) return err(TOO_DEEP);
  const parsed = parseJson(text.trim());
  if (parsed.isErr()) return err({ code: "invalid_json" });
  const payload = parsed.value;
  if (claim !== undefined && !isTimely(claim, payload, now)) return err(OLD);
  const asked = askedOf(proved, payload, needsNoWalk(text));
  if (asked === undefined) return ok(undefined);
  if (asked.isErr()) return err(asked.error);
  const delivery = deliveryOf(proved, payload, asked.value, sha256);
  if (delivery.isErr()) return err(invalid(delivery.error));
  return ok(new AcceptedCommand(authenticated, asked.value, delivery.value, located.client));
};
