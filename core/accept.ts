// From the raw body of an admitted request to a command: what the store must do, for an authenticated route.

import { err, ok, type Result } from "neverthrow";
import { type Action, type FlowAction, MAX_FIELD, parseAction } from "./action.ts";
import type { Admitted } from "./admit.ts";
import type { AuthenticatedRoute } from "./authenticate.ts";
import { checkRequestJson, JSON_FAULTS, needsNoWalk, parseJson } from "./json.ts";
import { isObject } from "./own.ts";
import type { Primitives } from "./primitives.ts";
import type { Fault, Rejection } from "./rejection.ts";
import type { Route } from "./route.ts";
import { clip } from "./text.ts";

//= AUTH-1, SCOPE-1
class AcceptedCommand {
  /** The route whose secret was presented: its session is the one to act for. */
  readonly route: Route;
  readonly action: FlowAction;
  readonly client: string;
  declare protected readonly sealed: true;

  constructor({ route }: AuthenticatedRoute, action: FlowAction, client: string) {
    this.route = route;
    this.action = action;
    this.client = client;
  }
}

/** What the store must do, for an authenticated route. */
export type Command = AcceptedCommand;

/** Why there is no body. `gone`: the client hung up, and nobody takes the answer. */
export type BodyFault = "too_large" | "timeout" | "gone";

//= BODY-2
/** Most bytes of a body (M-13). */
export const MAX_BODY_BYTES = 262_144;

//= BODY-3
/** Milliseconds in which a body must arrive in full (M-13). */
export const BODY_DEADLINE_MS = 15_000;

const invalid = (fault: Fault): Rejection => ({ code: "invalid_request", fault });

//= BODY-5, ACTION-2
/** Names the top-level member whose value cannot be stored. A body that is not an object is left to the schema. */
const memberFault = (body: unknown, text: string): Rejection | undefined => {
  if (!isObject(body) || needsNoWalk(text)) return undefined;
  for (const [name, value] of Object.entries(body)) {
    const checked = checkRequestJson(value);
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

/** The action with the route's controller for a flow that names none (M-7). */
const withController = (action: Action, { controllerId }: Route): FlowAction =>
  action.action === "create_flow" ? { ...action, controllerId: action.controllerId ?? controllerId } : action;

//= ORDER-1, BODY-1
/** Errs: payload_too_large, request_timeout, invalid_json, invalid_request. */
export const accept = (
  { located, proof }: Admitted,
  body: Result<Uint8Array, BodyFault>,
  { decodeUtf8 }: Primitives,
): Result<Command, Rejection> => {
  if (body.isErr()) return err(REFUSED_BODY[body.error]);
  if (body.value.length > MAX_BODY_BYTES) return err(REFUSED_BODY.too_large);
  const text = decodeUtf8(body.value);
  if (text === undefined) return err(NOT_UTF8);
  const parsed = parseJson(text.trim());
  if (parsed.isErr()) return err({ code: "invalid_json" });
  const fault = memberFault(parsed.value, text);
  if (fault !== undefined) return err(fault);
  const action = parseAction(parsed.value);
  if (action.isErr()) return err(invalid(action.error));
  const { authenticated } = proof;
  return ok(new AcceptedCommand(authenticated, withController(action.value, authenticated.route), located.client));
};
