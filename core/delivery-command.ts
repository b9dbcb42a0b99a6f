// A command that may be a repeat of one before, and that may be about the flow that a key is bound to. Both are decided here, in
// the transaction of the flow, so that a record is there exactly when the effect is.

import { err, ok } from "neverthrow";
import { type Delivery, isOpening, NO_DELIVERY } from "./delivery.ts";
import type { FlowAction } from "./action.ts";
import { type FlowRecord, isEnded } from "./flow.ts";
import {
  type CommandIds,
  decide,
  type Decision,
  type Needs,
  needsOf,
  type SavedRecord,
  type Stored,
  type Write,
} from "./flow-command.ts";
import { stringifyJson } from "./json.ts";
import type { Outcome } from "./outcome.ts";
import { replay, saveOutcome } from "./saved-outcome.ts";
import { viewFlow } from "./view.ts";

/** Milliseconds for which a record is kept: 24 hours. */
export const RECORD_MS = 86_400_000;

/** Records that one route keeps; the oldest gives way. */
export const MAX_RECORDS = 10_000;

/** Milliseconds that a record's time may be after now. One that is further ahead is of a wrong clock, and goes first. */
export const AHEAD_MS = 60_000;

const boundLoad = (owner: string, { routeId, bind }: Delivery): Needs["load"] =>
  bind === undefined ? [] : [{ kind: "bound", routeId, owner, key: bind }];

//= ONCE-1, ONCE-8, BIND-1, QUOTA-1
/** What must be loaded before `decideDelivery` can be asked. */
export const needsOfDelivery = (action: FlowAction, owner: string, delivery: Delivery): Needs => {
  const plain = needsOf(action, owner);
  if (delivery === NO_DELIVERY) return plain;
  return {
    ...plain,
    load: delivery.bind === undefined ? plain.load : boundLoad(owner, delivery),
    saved: delivery.once === undefined ? undefined : { routeId: delivery.routeId, owner, key: delivery.once.key },
    open: delivery.quota === undefined || !isOpening(action) ? undefined : { owner, most: delivery.quota },
  };
};

/** A record counts until its time is over; a clock that went back keeps it. */
const isLive = (saved: SavedRecord | undefined, now: number): saved is SavedRecord =>
  saved !== undefined && now < saved.at + RECORD_MS;

const refused = (outcome: Decision["outcome"]): Decision => ({ outcome, writes: [] });

//= ONCE-2
const repeated = (action: FlowAction, saved: SavedRecord, fingerprint: string): Decision =>
  refused(saved.fingerprint !== fingerprint ? err("idempotency_key_reused") : replay(action, saved.outcome));

//= BIND-1
/** A key is bound to a flow until the flow ends. */
const bound = (
  action: FlowAction,
  stored: Stored,
  ids: CommandIds,
  { routeId, bind }: Delivery,
  now: number,
): Decision => {
  const [found] = stored.flows;
  const flow: FlowRecord | undefined = found === undefined || isEnded(found) ? undefined : found;
  if (action.action === "create_flow") {
    if (flow !== undefined) return existing(flow);
    const made = decide(action, { ...stored, flows: [] }, ids, now);
    const binding: Write = { kind: "bind_key", routeId, owner: ids.owner, key: bind ?? "", flowId: ids.fresh };
    const isMade = made.outcome.isOk() && made.outcome.value.kind === "created";
    return isMade ? { ...made, writes: [...made.writes, binding] } : made;
  }
  if (flow === undefined) return refused(ok({ kind: "ignored" }));
  return decide(aboutFlow(action, flow), { ...stored, flows: [flow] }, ids, now);
};

const existing = (flow: FlowRecord): Decision =>
  refused(
    viewFlow(flow)
      .map((view): Outcome => ({ kind: "existing", flow: view }))
      .mapErr(() => "bad_host_answer" as const),
  );

/** The action about the flow that was found, at the revision that it has now. */
const aboutFlow = (action: FlowAction, { flowId, revision }: FlowRecord): FlowAction => {
  if (!("flowId" in action)) return action;
  return "expectedRevision" in action ? { ...action, flowId, expectedRevision: revision } : { ...action, flowId };
};

/** What was executed is kept: an answer of 2xx, 404 or 409. What was not written is not, so that a retry runs again. */
export const isKept = (outcome: Outcome): boolean =>
  outcome.kind !== "ignored" &&
  outcome.kind !== "over_quota" &&
  !("refusal" in outcome && outcome.refusal === "persist_failed");

//= ONCE-1, ONCE-8
/** The decision with its record, in the same transaction. */
const kept = (decided: Decision, owner: string, { routeId, once }: Delivery, now: number): Decision => {
  const { outcome, writes } = decided;
  if (once === undefined || outcome.isErr() || !isKept(outcome.value)) return decided;
  const text = stringifyJson(saveOutcome(outcome.value));
  if (text === undefined) return refused(err("bad_host_answer"));
  const record: Write = {
    kind: "put_record",
    routeId,
    owner,
    key: once.key,
    saved: { fingerprint: once.fingerprint, outcome: text, at: now },
  };
  return { outcome, writes: [...writes, record] };
};

//= ONCE-1, BIND-1
/** What the request does, given what `needsOfDelivery` asked for. `now`: milliseconds since the epoch. */
export const decideDelivery = (
  action: FlowAction,
  stored: Stored,
  ids: CommandIds,
  delivery: Delivery,
  now: number,
): Decision => {
  const { once, bind, quota } = delivery;
  if (once !== undefined && isLive(stored.saved, now)) return repeated(action, stored.saved, once.fingerprint);
  const bounded = quota === undefined ? ids : { ...ids, quota };
  const decided =
    bind === undefined ? decide(action, stored, bounded, now) : bound(action, stored, bounded, delivery, now);
  return kept(decided, ids.owner, delivery, now);
};
