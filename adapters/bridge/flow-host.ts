// Carries a command out: one call of the port for each, under a deadline, and nothing that it throws gets past here.

import { match } from "ts-pattern";
import { err, type Result } from "neverthrow";
import { type Action, type Command, HOST_DEADLINE_MS, type HostFailure, type Outcome } from "../../core/index.ts";
import { type Late, withDeadline } from "./deadline.ts";
import type { FlowHost } from "./exchange.ts";
import type { FlowStore, ManagedFlows, Tell } from "./managed-flows.ts";
import { scrub } from "./scrub.ts";
import { isSound } from "./sound.ts";

export type FlowHostOptions = {
  readonly store: FlowStore;
  /** Told in one printable line of a store that failed or said something unknown. `topic`: the part that recurs. */
  readonly warn: (line: string, topic: string) => void;
  /** Milliseconds. */
  readonly deadlineMs?: number;
};

type Carried = Promise<Result<Outcome, HostFailure>>;

/** A flow without a controller gets the route's. */
const carryOut = (action: Action, controllerId: string, flows: ManagedFlows): Carried =>
  match(action)
    .returnType<Carried>()
    .with({ action: "create_flow" }, ({ action: _, ...asked }) =>
      flows.create({ ...asked, controllerId: asked.controllerId ?? controllerId }),
    )
    .with({ action: "get_flow" }, ({ flowId }) => flows.get(flowId))
    .with({ action: "list_flows" }, () => flows.list())
    .with({ action: "find_latest_flow" }, () => flows.latest())
    .with({ action: "resolve_flow" }, ({ token }) => flows.resolve(token))
    .with({ action: "get_task_summary" }, ({ flowId }) => flows.summary(flowId))
    .with({ action: "set_waiting" }, ({ action: _, ...asked }) => flows.setWaiting(asked))
    .with({ action: "resume_flow" }, ({ action: _, ...asked }) => flows.resume(asked))
    .with({ action: "finish_flow" }, ({ action: _, ...asked }) => flows.finish(asked))
    .with({ action: "fail_flow" }, ({ action: _, ...asked }) => flows.fail(asked))
    .with({ action: "request_cancel" }, ({ action: _, ...asked }) => flows.requestCancel(asked))
    .with({ action: "cancel_flow" }, ({ flowId }) => flows.cancel(flowId))
    .with({ action: "run_task" }, ({ action: _, ...asked }) => flows.runTask(asked))
    .exhaustive();

const STORE_TROUBLE = /sqlite|database is (?:locked|busy)|persist/iu;

/** A store that is locked or full makes some of a host's calls throw, where others answer `persist_failed`. */
const isStoreTrouble = (error: unknown): boolean => {
  try {
    if (!(error instanceof Error)) return false;
    return STORE_TROUBLE.test(`${"code" in error ? String(error.code) : ""} ${error.name} ${error.message}`);
  } catch {
    return false;
  }
};

const failureOf = (late: Late, deadlineMs: number, tell: Tell): HostFailure => {
  if (late.kind === "late") {
    tell("the host did not answer in time", `${String(deadlineMs)} ms`);
    return "outcome_unknown";
  }
  tell("the host failed", late.error);
  return isStoreTrouble(late.error) ? "persist_failed" : "bad_host_answer";
};

//= SCOPE-1, SLOT-4
/** The store as a port of the pipeline. Each command is answered within the deadline; `execute` never rejects. */
export const createFlowHost = ({ store, warn, deadlineMs = HOST_DEADLINE_MS }: FlowHostOptions): FlowHost => ({
  execute: async ({ route, action }: Command) => {
    const tell: Tell = (what, said) => {
      const topic = `route ${scrub(route.id, [])} ${action.action}: ${scrub(what, [route.sessionKey])}`;
      warn(`${topic}: ${scrub(said, [route.sessionKey])}`, topic);
    };
    const work = (): Carried => carryOut(action, route.controllerId, store.bind(route.sessionKey, tell));
    const carried = await withDeadline(work, deadlineMs);
    if (carried.isErr()) return err(failureOf(carried.error, deadlineMs, tell));
    if (isSound(action, carried.value)) return carried.value;
    tell("the host answered nonsense in", "the whole answer");
    return err("bad_host_answer");
  },
});
