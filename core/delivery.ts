// What a request brings beside its action: the name under which it may be repeated, and the key of the flow that it is about.

import { bytesToHex } from "@noble/hashes/utils.js";
import { ok, type Result } from "neverthrow";
import type { FlowAction } from "./action.ts";
import { IDEMPOTENCY_KEY, idempotencyKey } from "./idempotency-key.ts";
import { DELIVERY_ACTIONS, type DeliveryAction } from "./mapping.ts";
import type { Proved } from "./prove.ts";
import type { Fault } from "./rejection.ts";
import type { Route } from "./route.ts";
import type { Sha256 } from "./secret.ts";
import { type Claim, deliveryId } from "./signature.ts";

/** Keys of one route mean nothing on another. */
export type Delivery = {
  readonly routeId: string;
  /** Names the request: a repeat has the same key. `fingerprint`: the SHA-256 of its body, hexadecimal. */
  readonly once: { readonly key: string; readonly fingerprint: string } | undefined;
  /** The text that the flow is bound to, or found by. */
  readonly bind: string | undefined;
  /** Whether the flow that it makes, if it makes one, starts an agent where there are agents. */
  readonly starts: boolean;
  /** Flows of the session, or tasks of the flow, that may not have ended, above which the request opens none. Undefined: no bound. */
  readonly quota?: number | undefined;
};

/** Of a request that brings nothing but its action. */
export const NO_DELIVERY: Delivery = { routeId: "", once: undefined, bind: undefined, starts: false };

/** Whether a store must keep something of the request beside its effect. */
export const needsRecord = ({ once, bind }: Delivery): boolean => once !== undefined || bind !== undefined;

/** An action that may be repeated under a key; the others change nothing. */
export type Repeatable = Extract<FlowAction, { readonly action: DeliveryAction }>;

export const isRepeatable = (action: FlowAction): action is Repeatable =>
  DELIVERY_ACTIONS.some((one) => one === action.action);

//= ONCE-4
/**
 * The name of a signed request is the id that its signature proves, else its signed bytes, so that nobody can send them again
 * under another id. The first word keeps names of different origin apart.
 */
const signedName = (claim: Claim, payload: unknown, fingerprint: string): string => {
  const id = deliveryId(claim, payload);
  return id === undefined ? `body ${fingerprint}` : `id ${id}`;
};

/** The name of a request that is not signed, if it has one. */
const keyName = ({ located }: Proved): Result<string | undefined, Fault> =>
  idempotencyKey(located.head.header(IDEMPOTENCY_KEY)).map((key) => (key === undefined ? undefined : `key ${key}`));

/** An action that can make a flow, or one that has ended an open one again. */
export type Opening = Extract<FlowAction, { readonly action: "create_flow" | "set_waiting" | "resume_flow" }>;

const OPENING: ReadonlySet<string> = new Set<Opening["action"]>(["create_flow", "set_waiting", "resume_flow"]);

//= QUOTA-1
export const isOpening = (action: FlowAction): action is Opening => OPENING.has(action.action);

const quotaOf = (action: FlowAction, { limits }: Route): number | undefined => {
  if (limits === undefined) return undefined;
  return isOpening(action) ? limits.maxFlows : action.action === "run_task" ? limits.maxTasks : undefined;
};

//= ONCE-1, ONCE-4, RUN-1
/** What the request brings beside its action. Errs when its `Idempotency-Key` is malformed. */
export const deliveryOf = (
  proved: Proved,
  payload: unknown,
  { action, bind }: { readonly action: FlowAction; readonly bind: string | undefined },
  hash: Sha256,
): Result<Delivery, Fault> => {
  if (!isRepeatable(action)) return ok(NO_DELIVERY);
  const { claim, body, authenticated } = proved;
  const { id: routeId, run } = authenticated.route;
  const starts = run !== undefined && action.action === "create_flow";
  const quota = quotaOf(action, authenticated.route);
  if (claim !== undefined) {
    const fingerprint = bytesToHex(hash(body));
    return ok({ routeId, once: { key: signedName(claim, payload, fingerprint), fingerprint }, bind, starts, quota });
  }
  return keyName(proved).map((key) => {
    if (key !== undefined) return { routeId, once: { key, fingerprint: bytesToHex(hash(body)) }, bind, starts, quota };
    const isPlain = bind === undefined && !starts && quota === undefined;
    return isPlain ? NO_DELIVERY : { routeId, once: undefined, bind, starts, quota };
  });
};
