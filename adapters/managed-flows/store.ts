// The Gateway's managed TaskFlows behind the port: one call of its flow API for each command, with every answer decoded (M-16).
// A delivery is claimed in a file of the plugin's own before the call.

import { err, ok, type Result } from "neverthrow";
import {
  type ActionOf,
  type BadRecord,
  type FlowAction,
  isRepeatable,
  type Marks,
  NO_DELIVERY,
  NO_MARKS,
  type Outcome,
  type Question,
  type RunRow,
  type StoreFailure,
} from "../../core/index.ts";
import { type Awaitable, isPromiseLike, mapAwaitable } from "../flows/awaitable.ts";
import { FlowChanges } from "../flows/changes.ts";
import { type CountOpen, joinOpen, type OpenFlows, tallyOpen } from "../flows/open-flows.ts";
import { type FlowStore, type Report, REPORTS, Sentence } from "../flows/flow-store.ts";
import type { Binding } from "./api.ts";
import type { ClaimsFile } from "./claims-file.ts";
import { decode, decodeFound, decodeList, decodeOpen } from "./decode.ts";
import { deliver, resolveIntent } from "./deliver.ts";
import { noteStamp, plainStamp } from "./in-flight.ts";
import { isBounded, withinQuota } from "./quota.ts";

export type ManagedFlowsOptions = {
  /** Binds the Gateway's flow API to one session; may throw. */
  readonly bind: (sessionKey: string) => Binding;
  /** The Gateway's live configuration, which its `cancel` wants. */
  readonly hostConfig: () => unknown;
  /** Where deliveries are claimed. Without it the store takes none. */
  readonly claims?: ClaimsFile | undefined;
  /** Whether a new flow can start an agent. Default: it can. */
  readonly canStart?: (() => boolean) | undefined;
  /** Called when a run waits for its turn, or one is left whose flow nobody knows (`resolveIntent`). Must not throw. */
  readonly onRun?: (() => void) | undefined;
  /** Gets each write that goes through the plugin. Default: one that nothing else tells of anything. */
  readonly changes?: FlowChanges | undefined;
};

/** The call of the flow API that carries the action out. */
const call = (action: FlowAction, marks: Marks, { flows, canceller }: Binding, hostConfig: () => unknown): unknown => {
  switch (action.action) {
    case "create_flow":
      return flows.tryCreateManaged({
        controllerId: action.controllerId,
        goal: action.goal,
        status: action.status,
        notifyPolicy: action.notifyPolicy,
        currentStep: action.currentStep ?? undefined,
        stateJson: action.stateJson,
        waitJson: action.waitJson,
        ...marks,
      });
    case "get_flow":
      return flows.get(action.flowId);
    case "list_flows":
      return flows.list();
    case "find_latest_flow":
      return flows.findLatest();
    case "resolve_flow":
      return flows.resolve(action.token);
    case "get_task_summary":
      return flows.getTaskSummary(action.flowId);
    case "set_waiting":
      return flows.setWaiting({
        flowId: action.flowId,
        expectedRevision: action.expectedRevision,
        currentStep: action.currentStep,
        stateJson: action.stateJson,
        waitJson: action.waitJson,
        blockedTaskId: action.blockedTaskId,
        blockedSummary: action.blockedSummary,
        ...marks,
      });
    case "resume_flow":
      return flows.resume({
        flowId: action.flowId,
        expectedRevision: action.expectedRevision,
        status: action.status,
        currentStep: action.currentStep,
        stateJson: action.stateJson,
        ...marks,
      });
    case "finish_flow":
      return flows.finish({
        flowId: action.flowId,
        expectedRevision: action.expectedRevision,
        stateJson: action.stateJson,
        ...marks,
      });
    case "fail_flow":
      return flows.fail({
        flowId: action.flowId,
        expectedRevision: action.expectedRevision,
        stateJson: action.stateJson,
        blockedTaskId: action.blockedTaskId,
        blockedSummary: action.blockedSummary,
        ...marks,
      });
    case "request_cancel":
      return flows.requestCancel({ flowId: action.flowId, expectedRevision: action.expectedRevision, ...marks });
    case "cancel_flow":
      return canceller().cancel({ flowId: action.flowId, cfg: hostConfig() });
    case "run_task":
      return flows.runTask({
        flowId: action.flowId,
        runtime: action.runtime,
        sourceId: action.sourceId,
        childSessionKey: action.childSessionKey,
        parentTaskId: action.parentTaskId,
        agentId: action.agentId,
        runId: action.runId,
        label: action.label,
        task: action.task,
        preferMetadata: action.preferMetadata,
        notifyPolicy: action.notifyPolicy,
        status: action.status,
        startedAt: action.startedAt,
        lastEventAt: action.lastEventAt,
        progressSummary: action.progressSummary,
      });
  }
};

/** Sessions whose bindings are kept. Configurations have fewer; old sessions of edited ones fall out. */
const MAX_BINDINGS = 1024;

/** Binds each session once: binding builds a closure for each method of the flow API. */
class Bindings {
  readonly #bind: ManagedFlowsOptions["bind"];
  readonly #known = new Map<string, Binding>();

  constructor(bind: ManagedFlowsOptions["bind"]) {
    this.#bind = bind;
  }

  of(owner: string): Binding {
    const known = this.#known.get(owner);
    if (known !== undefined) return known;
    const binding = this.#bind(owner);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= MAX_BINDINGS && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(owner, binding);
    return binding;
  }

  /** A binding through which a call failed may be one that the Gateway has ended. */
  forget(owner: string): void {
    this.#known.delete(owner);
  }
}

//= ONCE-6
/** A flow that is made without a claim must not have the time of one that is claimed. */
const plainMarks = ({ action }: FlowAction, now: number): Marks => {
  const createdAt = action === "create_flow" ? plainStamp(now) : undefined;
  return createdAt === undefined ? NO_MARKS : { createdAt };
};

const noted = (answer: Result<Outcome, StoreFailure>): Result<Outcome, StoreFailure> => {
  if (answer.isOk() && answer.value.kind === "created") noteStamp(Number(answer.value.flow.json["createdAt"]));
  return answer;
};

const flowIdOf = (action: FlowAction, outcome: Outcome | undefined): string | undefined => {
  if ("flowId" in action) return action.flowId;
  return outcome?.kind === "created" ? String(outcome.flow.json["flowId"]) : undefined;
};

//= WAIT-4
/** Tells of the flow that an action may have written, also when the host has failed at it. */
const tellOf = (owner: string, action: FlowAction, outcome: Outcome | undefined, changes: FlowChanges): void => {
  if (!changes.isWatched || !isRepeatable(action)) return;
  const flowId = flowIdOf(action, outcome);
  if (flowId !== undefined) changes.tell(owner, flowId);
};

const nonsense = ({ field }: BadRecord, report: Report): StoreFailure => {
  report(REPORTS.nonsense, new Sentence(field || "the whole answer"));
  return "bad_host_answer";
};

/** What fails on the way is tried again, and told by whoever asked. */
const unreported: Report = () => undefined;

/** A store in front of a host to which others write as well. */
export interface GatewayFlows extends FlowStore {
  readonly changes: FlowChanges;
  /** Finds out whether an intended run's flow was made. False while that is not known; rejects when the host fails. */
  resolveRun(row: RunRow): Promise<boolean>;
}

/** Milliseconds for which the flows of a session are not counted again, because the Gateway lists them all for it. */
const COUNTED_MS = 15_000;

/** `at`: when the host has answered. */
type Counted = { at: number | undefined; readonly open: Promise<readonly OpenFlows[]> };

//= STATUS-5
const counted = (count: (owner: string) => Promise<readonly OpenFlows[]>): CountOpen => {
  const known = new Map<string, Counted>();
  const begin = (owner: string): Counted => {
    const begun: Counted = { at: undefined, open: count(owner).finally(() => (begun.at = performance.now())) };
    known.set(owner, begun);
    return begun;
  };
  return async (owners) => {
    const now = performance.now();
    for (const [owner, { at = now }] of known) if (now - at >= COUNTED_MS) known.delete(owner);
    const all: (readonly OpenFlows[])[] = [];
    for (const owner of owners) all.push(await (known.get(owner) ?? begin(owner)).open);
    return joinOpen(all.flat());
  };
};

//= SCOPE-1
/** The Gateway as a store of flows. */
export const gatewayFlows = ({
  bind,
  hostConfig,
  claims,
  canStart = () => true,
  onRun,
  changes = new FlowChanges(),
}: ManagedFlowsOptions): GatewayFlows => {
  const bindings = new Bindings(bind);
  const failed = (owner: string, action: FlowAction, error: unknown): never => {
    bindings.forget(owner);
    tellOf(owner, action, undefined, changes);
    throw error;
  };
  /** `read`: of the host's answer. */
  const askHost = <T>(owner: string, { action, marks }: Question, read: (answer: unknown) => T): Awaitable<T> => {
    try {
      const outcome = mapAwaitable(call(action, marks, bindings.of(owner), hostConfig), read);
      return isPromiseLike(outcome) ? outcome.catch((error: unknown) => failed(owner, action, error)) : outcome;
    } catch (error) {
      return failed(owner, action, error);
    }
  };
  const ask = (owner: string, question: Question, report: Report): Awaitable<Result<Outcome, StoreFailure>> =>
    askHost(owner, question, (answer) => {
      const { action, isWanted } = question;
      const decoded =
        isWanted === undefined
          ? decode(action, answer, (prose) => report(REPORTS.said, prose))
          : decodeFound(isWanted, answer);
      tellOf(owner, action, decoded.unwrapOr(undefined), changes);
      return decoded.mapErr((bad) => nonsense(bad, report));
    });
  //= LIST-4, LIST-5
  /** What a caller is answered, who gets a part of the list, or none that is too large. */
  const list = (
    owner: string,
    action: ActionOf<"list_flows">,
    report: Report,
  ): Awaitable<Result<Outcome, StoreFailure>> =>
    askHost(owner, { action, marks: NO_MARKS }, (answer) => {
      const decoded = decodeList(action, answer).mapErr((bad) => nonsense(bad, report));
      return decoded.andThen((flows) => (flows === undefined ? err("list_too_large") : ok(flows)));
    });
  //= QUOTA-2
  /** Asks for an action of the route's callers, but for no flow or task above the quota. */
  const askWithin = (
    { owner, report, quota }: { readonly owner: string; readonly report: Report; readonly quota: number | undefined },
    question: Question,
  ): Awaitable<Result<Outcome, StoreFailure>> => {
    const { action } = question;
    const go = (): Awaitable<Result<Outcome, StoreFailure>> => ask(owner, question, report);
    if (quota === undefined || !isBounded(action)) return go();
    const { flows } = bindings.of(owner);
    return withinQuota({ owner, action, quota, flows, go }).catch((error: unknown) => failed(owner, action, error));
  };
  return {
    takesDeliveries: claims !== undefined,
    changes,
    changesElsewhere: true,
    execute: (owner, action, report, given = NO_DELIVERY) => {
      const delivery = given.starts && !canStart() ? { ...given, starts: false } : given;
      const isPlain = delivery.once === undefined && delivery.bind === undefined && !delivery.starts;
      if (action.action === "list_flows") return list(owner, action, report);
      const within = { owner, report, quota: delivery.quota };
      if (claims === undefined || !isRepeatable(action)) return askWithin(within, { action, marks: NO_MARKS });
      const plain = (): Question => ({ action, marks: plainMarks(action, claims.file.now()) });
      if (isPlain) return mapAwaitable(askWithin(within, plain()), noted);
      const forDelivery = (question: Question) => askWithin(within, question);
      return deliver({ owner, action, delivery, report, askHost: forDelivery, onRun }, claims);
    },
    countOpen: counted(async (owner) => {
      const open = await askHost(owner, { action: { action: "list_flows" }, marks: NO_MARKS }, decodeOpen);
      if (open.isErr()) throw new TypeError("the host's list is not what it promises");
      return tallyOpen(open.value);
    }),
    resolveRun: async (row) => {
      const forRun = (question: Question) => ask(row.owner, question, unreported);
      return claims !== undefined && resolveIntent(row, { askHost: forRun, report: unreported }, claims);
    },
  };
};
