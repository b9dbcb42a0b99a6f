// The Gateway's managed TaskFlows as a FlowHost: one host call for each command, under a deadline, with every answer
// decoded (M-16).

import type { Result } from "neverthrow";
import { type Command, HOST_DEADLINE_MS, type HostFailure, type Outcome } from "../../core/index.ts";
import { type Late, withDeadline } from "../bridge/deadline.ts";
import type { FlowHost } from "../bridge/exchange.ts";
import { callHost } from "./call.ts";
import { decodeAnswer } from "./decode.ts";
import type { Binding } from "./host.ts";
import { scrub } from "./scrub.ts";

export type ManagedFlowsOptions = {
  /** Binds the host's flow API to one session; may throw. */
  readonly bind: (sessionKey: string) => Binding;
  /** The host's live configuration, which its `cancel` wants. */
  readonly hostConfig: () => unknown;
  /** Told in one printable line of a host that failed or said something unknown. `topic`: the part that recurs. */
  readonly warn: (line: string, topic: string) => void;
  readonly deadlineMs?: number;
};

const STORE_TROUBLE = /sqlite|database is (?:locked|busy)|persist/iu;

/** A store that is locked or full makes some of the host's calls throw, where others answer `persist_failed`. */
const isStoreTrouble = (error: unknown): boolean => {
  try {
    if (!(error instanceof Error)) return false;
    return STORE_TROUBLE.test(`${"code" in error ? String(error.code) : ""} ${error.name} ${error.message}`);
  } catch {
    return false;
  }
};

const failureOf = (late: Late): HostFailure => {
  if (late.kind === "late") return "outcome_unknown";
  return isStoreTrouble(late.error) ? "persist_failed" : "bad_host_answer";
};

//= SCOPE-1, SLOT-4
/** The host as a port. Each command is answered within the deadline, milliseconds; nothing it throws gets past here. */
export const createManagedFlows = (options: ManagedFlowsOptions): FlowHost => {
  const { bind, hostConfig, warn, deadlineMs = HOST_DEADLINE_MS } = options;

  const execute = async ({ route, action }: Command): Promise<Result<Outcome, HostFailure>> => {
    const tell = (what: string, said: unknown): void => {
      const topic = `route ${scrub(route.id, [])} ${action.action}: ${what}`;
      warn(`${topic}: ${scrub(said, [route.sessionKey])}`, topic);
    };
    const work = (): unknown => callHost(action, route.controllerId, bind(route.sessionKey), hostConfig);
    const answered = (await withDeadline(work, deadlineMs)).mapErr((late) => {
      if (late.kind === "late") tell("the host did not answer in time", `${String(deadlineMs)} ms`);
      else tell("the host failed", late.error);
      return failureOf(late);
    });
    return answered.andThen((answer) =>
      decodeAnswer(action, answer, (prose) => tell("the host said", prose)).mapErr(({ field }): HostFailure => {
        tell("the host answered nonsense in", field || "the whole answer");
        return "bad_host_answer";
      }),
    );
  };

  return { execute };
};
