// Carries a command out: one call of the port for each, under a deadline, and nothing that it throws gets past here.

import { err, type Result } from "neverthrow";
import { type Action, type Command, HOST_DEADLINE_MS, type HostFailure, type Outcome } from "../../core/index.ts";
import { type Late, withDeadline } from "./deadline.ts";
import type { FlowHost } from "./exchange.ts";
import type { FlowStore, ManagedFlows, Tell } from "../flows/flow-store.ts";
import { scrub } from "./scrub.ts";
import { type Soon, whenThere } from "../flows/awaitable.ts";
import { soundAnswer } from "./check-outcome.ts";

export type FlowHostOptions = {
  readonly store: FlowStore;
  /** Told in one printable line of a store that failed or said something unknown. `topic`: the part that recurs. */
  readonly warn: (line: string, topic: string) => void;
  /** Milliseconds. */
  readonly deadlineMs?: number;
};

type Carried = Result<Outcome, HostFailure>;

/** What a command asks, without its name. */
const askedOf = <Named extends Action>({ action: _, ...rest }: Named): Omit<Named, "action"> => rest;

/**
 * A switch and no `match`, for every command passes here; the parts of the action that are the command's go to the store.
 * A flow without a controller gets the route's.
 */
const carryOut = (command: Action, controllerId: string, flows: ManagedFlows): Soon<Carried> => {
  switch (command.action) {
    case "create_flow":
      return flows.create({ ...askedOf(command), controllerId: command.controllerId ?? controllerId });
    case "get_flow":
      return flows.get(command.flowId);
    case "list_flows":
      return flows.list();
    case "find_latest_flow":
      return flows.latest();
    case "resolve_flow":
      return flows.resolve(command.token);
    case "get_task_summary":
      return flows.summary(command.flowId);
    case "set_waiting":
      return flows.setWaiting(askedOf(command));
    case "resume_flow":
      return flows.resume(askedOf(command));
    case "finish_flow":
      return flows.finish(askedOf(command));
    case "fail_flow":
      return flows.fail(askedOf(command));
    case "request_cancel":
      return flows.requestCancel(askedOf(command));
    case "cancel_flow":
      return flows.cancel(command.flowId);
    case "run_task":
      return flows.runTask(askedOf(command));
  }
};

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
/** The store as a port of the pipeline. Each command is answered within the deadline; `execute` never throws or rejects. */
export const createFlowHost = ({ store, warn, deadlineMs = HOST_DEADLINE_MS }: FlowHostOptions): FlowHost => ({
  execute: ({ route, action }: Command) => {
    const tell: Tell = (what, said) => {
      const topic = `route ${scrub(route.id, [])} ${action.action}: ${scrub(what, [route.sessionKey])}`;
      try {
        warn(`${topic}: ${scrub(said, [route.sessionKey])}`, topic);
      } catch {
        // the request matters more than its log line
      }
    };
    const judge = (carried: Result<Carried, Late>): Carried => {
      if (carried.isErr()) return err(failureOf(carried.error, deadlineMs, tell));
      const answer = soundAnswer(action, carried.value);
      if (answer === undefined) tell("the host answered nonsense in", "the whole answer");
      return answer ?? err("bad_host_answer");
    };
    const work = (): Soon<Carried> => carryOut(action, route.controllerId, store.bind(route.sessionKey, tell));
    return whenThere(withDeadline(work, deadlineMs), judge);
  },
});
