// A delivery to a host that has no transaction with its store's records, step by step: each step is one question to the records
// or to the host, and the answer leads to the next. Between any two steps the process may end. Whoever has the records and the
// host asks the questions; what they mean is decided here.

import { err, ok, type Result } from "neverthrow";
import {
  evidenceOfCancel,
  evidenceOfChange,
  type Evidence,
  hasMade,
  isOpenFlow,
  isPlanOf,
  type Marks,
  marksOf,
  NO_MARKS,
  type Plan,
  planOf,
} from "./claim.ts";
import type { FlowAction } from "./action.ts";
import type { Delivery, Repeatable } from "./delivery.ts";
import { isKept, RECORD_MS } from "./delivery-command.ts";
import { stringifyJson } from "./json.ts";
import { isConflict, type Outcome, type StoreFailure } from "./outcome.ts";
import { replay, saveOutcome } from "./saved-outcome.ts";
import type { FlowView } from "./view.ts";

/** What is kept of a request. Open while there is no outcome. `at`: when it was claimed; `outcome`: JSON. */
export type ClaimRecord = {
  readonly fingerprint: string;
  readonly at: number;
  readonly stamp: number;
  readonly plan: Plan | undefined;
  readonly outcome: string | undefined;
};

/** The flow that a key is bound to; without a `flowId`, the one that a claim with this plan and stamp may have made. */
export type Binding = { readonly stamp: number; readonly plan: Plan; readonly flowId: string | undefined };

/** What the records hold of a request. */
export type Kept = { readonly record: ClaimRecord | undefined; readonly binding: Binding | undefined };

/** Whether another request of this process has the same name. `late`: it has had it for longer than a host may take. */
export type Holder = "nobody" | "running" | "late";

export type ClaimRequest = {
  readonly action: Repeatable;
  readonly delivery: Delivery;
  /** Names a task that has no runId of its own; the same for each repeat. */
  readonly runId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Who has the idempotency key. */
  readonly holder: Holder;
  /** Who makes a flow for the text that is bound: nobody, because others are waited for, or one that is late. */
  readonly maker: Holder;
};

/** What one transaction does when a request is over. */
export type Settlement = {
  /** JSON; stays as it is when there is one already. `forget`: the claim has had no effect. */
  readonly record?: { readonly outcome: string } | "forget";
  /** The binding with this stamp leads to the flow, or ends. Any other stays. */
  readonly binding?: { readonly stamp: number; readonly flowId: string | undefined };
  /** The run that was claimed with this stamp waits for its turn with the flow, unless it does already, or is forgotten. */
  readonly run?: { readonly stamp: number; readonly flowId: string | undefined };
};

/** What is claimed beside the request's key: the text that it binds, and a run for the flow that it makes. */
export type Claiming = { readonly binds: boolean; readonly starts: boolean };

/** `isWanted`: which flows of a list are looked for, by their fields; others may be in the answer too. */
export type Question = {
  readonly action: FlowAction;
  readonly marks: Marks;
  readonly isWanted?: (fields: unknown) => boolean;
};

export type Step =
  | { readonly kind: "answer"; readonly answer: Result<Outcome, StoreFailure> }
  /** Claims the request's key, and what `claiming` says. Answers with a stamp that no other claim has. */
  | {
      readonly kind: "claim";
      readonly plan: Plan;
      readonly claiming: Claiming;
      readonly next: (stamp: number) => Step;
    }
  /**
   * Answers with the outcome that the record had already, as JSON, if it had one. When it fails, the request is answered with
   * `orElse`; undefined: it goes on.
   */
  | {
      readonly kind: "settle";
      readonly settlement: Settlement;
      readonly orElse: StoreFailure | undefined;
      readonly next: (earlier: string | undefined) => Step;
    }
  | (Question & { readonly kind: "ask"; readonly next: (answer: Result<Outcome, StoreFailure>) => Step });

/** Tries of an action about a bound flow, against other writers. */
const MAX_TRIES = 4;

const answered = (outcome: Outcome): Step => ({ kind: "answer", answer: ok(outcome) });
const failed = (failure: StoreFailure): Step => ({ kind: "answer", answer: err(failure) });

/** Of the host's refusals, those that it gives before it looks at what it may have done before. */
const NEVER_MADE: ReadonlySet<string> = new Set(["not_found", "not_managed"]);

/** Asks for a flow; null when it is not there. */
const readFlow = (flowId: string, then: (flow: FlowView | null) => Step): Step => ({
  kind: "ask",
  action: { action: "get_flow", flowId },
  marks: NO_MARKS,
  next: (answer) => {
    if (answer.isErr()) return failed(answer.error);
    return answer.value.kind === "flow" ? then(answer.value.flow) : failed("bad_host_answer");
  },
});

/** Looks among the owner's flows for the one that a claim made. */
const findMade = (plan: Plan, stamp: number, then: (flow: FlowView | undefined) => Step): Step => {
  const isWanted = (fields: unknown): boolean => plan.does === "create_flow" && hasMade(plan, stamp, fields);
  return {
    kind: "ask",
    action: { action: "list_flows" },
    marks: NO_MARKS,
    isWanted,
    next: (answer) => {
      if (answer.isErr()) return failed(answer.error);
      if (answer.value.kind !== "flows" || plan.does !== "create_flow") return failed("bad_host_answer");
      return then(answer.value.flows.find(({ json }) => isWanted(json)));
    },
  };
};

const idOf = ({ json }: FlowView): string => String(json["flowId"]);

const savedText = (outcome: Outcome): string | undefined => {
  const { replayed: _, ...plain } = outcome;
  return stringifyJson(saveOutcome(plain));
};

const shownIn = (outcome: Outcome): FlowView | undefined =>
  "flow" in outcome && outcome.flow !== null ? outcome.flow : undefined;

/** Refusals that say that the flow is over, also where they do not show it. */
const OVER: ReadonlySet<string> = new Set(["terminal", "not_found"]);

const saysOver = (outcome: Outcome): boolean => {
  const flow = shownIn(outcome);
  if (flow !== undefined) return !isOpenFlow(flow);
  return outcome.kind === "cancelled" || ("refusal" in outcome && OVER.has(outcome.refusal));
};

//= BIND-2
/** Where the binding leads after the outcome: a flow that was made is bound, and one that has ended is not bound any more. */
const bindingAfter = (outcome: Outcome, stamp: number | undefined): Settlement["binding"] => {
  if (stamp === undefined) return undefined;
  if (saysOver(outcome)) return { stamp, flowId: undefined };
  return outcome.kind === "created" ? { stamp, flowId: idOf(outcome.flow) } : undefined;
};

//= RUN-1
/** A flow that was made gets its run; what has made none has no run either. */
const runAfter = (outcome: Outcome, stamp: number | undefined): Settlement["run"] =>
  stamp === undefined ? undefined : { stamp, flowId: outcome.kind === "created" ? idOf(outcome.flow) : undefined };

/** Settles what there is to settle. */
const settled = (
  settlement: Settlement,
  orElse: StoreFailure | undefined,
  next: (earlier: string | undefined) => Step,
): Step =>
  Object.values(settlement).every((part) => part === undefined)
    ? next(undefined)
    : { kind: "settle", settlement, orElse, next };

//= ONCE-2, ONCE-3
const repeated = (action: Repeatable, saved: string): Step => ({ kind: "answer", answer: replay(action, saved) });

/** Of the binding that a request is about, and of the run that it has claimed. */
type Stamps = { readonly binding?: number | undefined; readonly run?: number | undefined };

//= ONCE-6
/**
 * The last step of a request that was carried out: no caller is told an outcome before its record is kept, or another one than
 * the record has.
 */
const done = (
  { action, delivery }: ClaimRequest,
  outcome: Outcome,
  stamps: Stamps,
  orElse: StoreFailure = "outcome_unknown",
): Step => {
  const isSaved = delivery.once !== undefined && isKept(outcome);
  const text = isSaved ? savedText(outcome) : undefined;
  if (isSaved && text === undefined) return failed("bad_host_answer");
  const binding = bindingAfter(outcome, stamps.binding);
  const run = runAfter(outcome, stamps.run);
  const settlement = {
    ...(text === undefined ? {} : { record: { outcome: text } }),
    ...(binding === undefined ? {} : { binding }),
    ...(run === undefined ? {} : { run }),
  };
  return settled(settlement, isSaved ? orElse : undefined, (earlier) =>
    earlier === undefined ? answered(outcome) : repeated(action, earlier),
  );
};

const isUnwritten = (outcome: Outcome): boolean => "refusal" in outcome && outcome.refusal === "persist_failed";

/** The action about the flow that a text is bound to, at the revision that it has now. */
const aboutFlow = (action: Repeatable, flow: FlowView): Repeatable => {
  if (!("flowId" in action)) return action;
  const flowId = idOf(flow);
  return "expectedRevision" in action
    ? { ...action, flowId, expectedRevision: Number(flow.json["revision"]) }
    : { ...action, flowId };
};

/** `stamp`: of the binding; `run`: of the run that was claimed. `tries`: how many are left. */
type Attempt = {
  readonly action: Repeatable;
  readonly stamp: number | undefined;
  readonly run?: number | undefined;
  readonly tries: number;
};

//= BIND-2
/** Another writer was faster: the same about what it has left. */
const again = (request: ClaimRequest, { action, stamp, tries }: Attempt, outcome: Outcome): Step => {
  const forget = (then: () => Step): Step =>
    settled(request.delivery.once === undefined ? {} : { record: "forget" }, "outcome_unknown", then);
  if (tries === 0 || !("flowId" in action)) return forget(() => answered(outcome));
  return readFlow(action.flowId, (flow) =>
    flow !== null && isOpenFlow(flow)
      ? attempt(request, { action: aboutFlow(action, flow), stamp, tries: tries - 1 })
      : forget(() => ignored(stamp)),
  );
};

//= QUOTA-1
/** The host was not asked, so that nothing is left of the claim. */
const withoutClaim = (
  { delivery: { once } }: ClaimRequest,
  { action, stamp, run }: Attempt,
  outcome: Outcome,
): Step => {
  const isClaimed = stamp !== undefined && action.action === "create_flow";
  const settlement: Settlement = {
    ...(once === undefined ? {} : { record: "forget" }),
    ...(!isClaimed ? {} : { binding: { stamp, flowId: undefined } }),
    ...(run === undefined ? {} : { run: { stamp: run, flowId: undefined } }),
  };
  return settled(settlement, undefined, () => answered(outcome));
};

/** The claim stays open when the host has failed, or says that it wrote nothing. */
const afterCall = (request: ClaimRequest, tried: Attempt, answer: Result<Outcome, StoreFailure>): Step => {
  if (answer.isErr()) return failed(answer.error);
  const outcome = answer.value;
  if (isUnwritten(outcome)) return answered(outcome);
  if (outcome.kind === "over_quota") return withoutClaim(request, tried, outcome);
  if (request.delivery.bind !== undefined && isConflict(outcome)) return again(request, tried, outcome);
  return done(request, outcome, { binding: tried.stamp, run: tried.run });
};

/** With a runId of its own, so that the host itself knows a repeat (TASK-1). */
const named = (action: Repeatable, { delivery, runId }: ClaimRequest): Repeatable =>
  action.action === "run_task" && delivery.once !== undefined ? { ...action, runId: action.runId ?? runId } : action;

//= ONCE-6, RUN-1
/** Claims, then asks the host. A request without a key claims nothing, unless it makes a flow for a text or for an agent. */
const attempt = (request: ClaimRequest, tried: Attempt): Step => {
  const { delivery } = request;
  const action = named(tried.action, request);
  const creates = action.action === "create_flow";
  const claiming = { binds: delivery.bind !== undefined && creates, starts: delivery.starts && creates };
  const call = (marks: Marks, claimed: Partial<Attempt>): Step => ({
    kind: "ask",
    action,
    marks,
    next: (answer) => afterCall(request, { ...tried, action, ...claimed }, answer),
  });
  if (delivery.once === undefined && !claiming.binds && !claiming.starts) return call(NO_MARKS, {});
  return {
    kind: "claim",
    plan: planOf(action),
    claiming,
    next: (stamp) =>
      call(marksOf(action, stamp), {
        ...(claiming.binds ? { stamp } : {}),
        ...(claiming.starts ? { run: stamp } : {}),
      }),
  };
};

//= BIND-1
/** No open flow is bound to the text. `stamp`: of a binding that leads nowhere any more. */
const ignored = (stamp: number | undefined): Step =>
  settled(stamp === undefined ? {} : { binding: { stamp, flowId: undefined } }, undefined, () =>
    answered({ kind: "ignored" }),
  );

const ifOpen = (flow: FlowView | null | undefined): FlowView | undefined =>
  flow !== null && flow !== undefined && isOpenFlow(flow) ? flow : undefined;

/** Finds the open flow that a binding leads to, also one that a crash has kept from being bound. */
const follow = (binding: Binding | undefined, then: (flow: FlowView | undefined) => Step): Step => {
  if (binding === undefined) return then(undefined);
  const { stamp, plan, flowId } = binding;
  if (flowId !== undefined) return readFlow(flowId, (flow) => then(ifOpen(flow)));
  return findMade(plan, stamp, (flow) => {
    const made = flow === undefined ? undefined : { stamp, flowId: idOf(flow) };
    return settled(made === undefined ? {} : { binding: made, run: made }, undefined, () => then(ifOpen(flow)));
  });
};

//= BIND-1
/** A request that nothing is known of: it is carried out. */
const fresh = (request: ClaimRequest, binding: Binding | undefined): Step => {
  const { action, delivery, maker } = request;
  const plain = { action, stamp: undefined, tries: 0 };
  if (delivery.bind === undefined) return attempt(request, plain);
  return follow(binding, (flow) => {
    if (flow === undefined && maker === "late") return failed("outcome_unknown");
    if (action.action !== "create_flow") {
      if (flow === undefined) return ignored(binding?.stamp);
      return attempt(request, { action: aboutFlow(action, flow), stamp: binding?.stamp, tries: MAX_TRIES - 1 });
    }
    if (flow === undefined) return attempt(request, plain);
    return done(request, { kind: "existing", flow }, {}, "idempotency_unavailable");
  });
};

/** A claim whose call is over has made no flow, so that its run is forgotten before there is another claim. */
const withoutRun = ({ delivery, holder }: ClaimRequest, stamp: number, then: () => Step): Step =>
  settled(delivery.starts && holder !== "late" ? { run: { stamp, flowId: undefined } } : {}, undefined, then);

/** What the host has done is answered; what it has not done is done now, unless the first call may still do it. */
const byEvidence = (
  request: ClaimRequest,
  binding: Binding | undefined,
  evidence: Evidence,
  outcome: () => Outcome,
): Step => {
  if (evidence === "applied") return done(request, { ...outcome(), replayed: true }, { binding: binding?.stamp });
  if (evidence === "unknown" || request.holder === "late") return failed("outcome_unknown");
  return fresh(request, binding);
};

/** The host knows the run (TASK-1), so asking again is looking. What it refuses now it may have done before. */
const taskAgain = (request: ClaimRequest, flowId: string, binding: Binding | undefined): Step => {
  const { action } = request;
  if (action.action !== "run_task" || request.holder === "late") return failed("outcome_unknown");
  return {
    kind: "ask",
    action: named({ ...action, flowId }, request),
    marks: NO_MARKS,
    next: (answer) => {
      if (answer.isErr()) return failed(answer.error);
      const outcome = answer.value;
      if (isUnwritten(outcome)) return answered(outcome);
      // at the quota the host was not asked, and the first request may have made the task
      const isKnown = outcome.kind !== "over_quota" && (!("refusal" in outcome) || NEVER_MADE.has(outcome.refusal));
      return isKnown ? done(request, outcome, { binding: binding?.stamp }) : failed("outcome_unknown");
    },
  };
};

//= ONCE-2, ONCE-6
/** A claim that was left open: the host's flows tell what became of it. It was another request's if it planned something else. */
const reconcile = (request: ClaimRequest, { plan, stamp, at }: ClaimRecord, binding: Binding | undefined): Step => {
  if (plan === undefined) return failed("outcome_unknown");
  if (!isPlanOf(plan, request.action, request.delivery.bind !== undefined)) return failed("idempotency_key_reused");
  switch (plan.does) {
    case "create_flow":
      //= RUN-1
      return findMade(plan, stamp, (flow) =>
        flow === undefined
          ? withoutRun(request, stamp, () => byEvidence(request, binding, "not_applied", () => ({ kind: "ignored" })))
          : done(request, { kind: "created", flow, replayed: true }, { binding: stamp, run: stamp }),
      );
    case "cancel_flow":
      return readFlow(plan.flowId, (flow) =>
        byEvidence(request, binding, evidenceOfCancel(at, flow), () => ({
          kind: "cancelled",
          ...(flow === null ? {} : { flow }),
        })),
      );
    case "run_task":
      return taskAgain(request, plan.flowId, binding);
    default:
      return readFlow(plan.flowId, (flow) =>
        flow === null
          ? byEvidence(request, binding, "not_applied", () => ({ kind: "ignored" }))
          : byEvidence(request, binding, evidenceOfChange(plan, stamp, flow), () => ({ kind: "applied", flow })),
      );
  }
};

//= ONCE-1, ONCE-2, ONCE-6
/** The first step of a request, given what the records hold of it. */
export const beginClaim = (request: ClaimRequest, { record, binding }: Kept): Step => {
  const { action, holder, now } = request;
  const { once } = request.delivery;
  if (once === undefined) return fresh(request, binding);
  const live = record !== undefined && now < record.at + RECORD_MS ? record : undefined;
  if (live !== undefined && live.fingerprint !== once.fingerprint) return failed("idempotency_key_reused");
  if (live?.outcome !== undefined) return repeated(action, live.outcome);
  if (holder === "running" || (holder === "late" && live === undefined)) return failed("idempotency_in_progress");
  return live === undefined ? fresh(request, binding) : reconcile(request, live, binding);
};

//= RUN-1
/**
 * Finds the flow of a run whose claim nobody carries out any more, as a crash or a failure of the host leaves it. Answers
 * `existing` when the run waits for its turn now, `ignored` when no flow was made and the run is forgotten.
 */
export const resolveRun = (plan: Plan, stamp: number): Step =>
  findMade(plan, stamp, (flow) =>
    settled({ run: { stamp, flowId: flow === undefined ? undefined : idOf(flow) } }, "idempotency_unavailable", () =>
      answered(flow === undefined ? { kind: "ignored" } : { kind: "existing", flow }),
    ),
  );
