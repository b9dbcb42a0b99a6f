// The Gateway's managed TaskFlows behind the port: one host call for each command, with every answer decoded (M-16).

import { err, ok, type Result } from "neverthrow";
import { type HostFailure, type Outcome } from "../../core/index.ts";
import type { FlowAnswer, FlowStore, ManagedFlows, Tell } from "../flows/flow-store.ts";
import { type Soon, whenThere } from "../flows/awaitable.ts";
import {
  type Decoded,
  decodeCancel,
  decodeCreated,
  decodeFlow,
  decodeFlows,
  decodeMutation,
  decodeSummary,
  decodeTask,
} from "./decode.ts";
import type { Binding, BoundFlows } from "./api.ts";

export type ManagedFlowsOptions = {
  /** Binds the host's flow API to one session; may throw. */
  readonly bind: (sessionKey: string) => Binding;
  /** The host's live configuration, which its `cancel` wants. */
  readonly hostConfig: () => unknown;
};

type Asked<Method extends keyof ManagedFlows> = Parameters<ManagedFlows[Method]>[0];
type Mutation = FlowAnswer<"applied" | "not_applied">;

/** One session's flows, for one command. */
class GatewayFlows implements ManagedFlows {
  readonly #binding: Binding;
  readonly #hostConfig: () => unknown;
  readonly #tell: Tell;

  constructor(binding: Binding, hostConfig: () => unknown, tell: Tell) {
    this.#binding = binding;
    this.#hostConfig = hostConfig;
    this.#tell = tell;
  }

  create({ currentStep, ...asked }: Asked<"create">): FlowAnswer<"created" | "not_created"> {
    const made = this.#flows.tryCreateManaged({ ...asked, currentStep: currentStep ?? undefined });
    return this.#decode(made, decodeCreated);
  }

  get(flowId: string): FlowAnswer<"flow"> {
    return this.#decode(this.#flows.get(flowId), decodeFlow);
  }

  list(): FlowAnswer<"flows"> {
    return this.#decode(this.#flows.list(), decodeFlows);
  }

  latest(): FlowAnswer<"flow"> {
    return this.#decode(this.#flows.findLatest(), decodeFlow);
  }

  resolve(token: string): FlowAnswer<"flow"> {
    return this.#decode(this.#flows.resolve(token), decodeFlow);
  }

  summary(flowId: string): FlowAnswer<"summary"> {
    return this.#decode(this.#flows.getTaskSummary(flowId), decodeSummary);
  }

  setWaiting(asked: Asked<"setWaiting">): Mutation {
    return this.#mutated(this.#flows.setWaiting(asked));
  }

  resume(asked: Asked<"resume">): Mutation {
    return this.#mutated(this.#flows.resume(asked));
  }

  finish(asked: Asked<"finish">): Mutation {
    return this.#mutated(this.#flows.finish(asked));
  }

  fail(asked: Asked<"fail">): Mutation {
    return this.#mutated(this.#flows.fail(asked));
  }

  requestCancel(asked: Asked<"requestCancel">): Mutation {
    return this.#mutated(this.#flows.requestCancel(asked));
  }

  cancel(flowId: string): FlowAnswer<"cancelled" | "not_cancelled"> {
    const done = this.#binding.canceller().cancel({ flowId, cfg: this.#hostConfig() });
    return this.#decode(done, (found) => decodeCancel(found, this.#onProse));
  }

  runTask(asked: Asked<"runTask">): FlowAnswer<"task_created" | "task_not_created"> {
    return this.#decode(this.#flows.runTask(asked), (found) => decodeTask(found, asked.childSessionKey, this.#onProse));
  }

  get #flows(): BoundFlows {
    return this.#binding.flows;
  }

  readonly #onProse = (prose: unknown): void => this.#tell("the host said", prose);

  #mutated(answer: unknown): Mutation {
    return this.#decode(answer, (found) => decodeMutation(found, this.#onProse));
  }

  /** Decodes the host's answer once it is there; nonsense is told to the operator and shown to nobody. */
  #decode<Done extends Outcome>(
    answer: unknown,
    decode: (answer: unknown) => Decoded<Done>,
  ): Soon<Result<Done, HostFailure>> {
    const judge = (found: unknown): Result<Done, HostFailure> => {
      const decoded = decode(found);
      if (decoded.isOk()) return ok(decoded.value);
      this.#tell("the host answered nonsense in", decoded.error.field || "the whole answer");
      return err("bad_host_answer");
    };
    return whenThere(answer, judge);
  }
}

//= SCOPE-1
/** The Gateway as a store of flows. */
export const gatewayFlows = ({ bind, hostConfig }: ManagedFlowsOptions): FlowStore => ({
  bind: (owner, tell) => new GatewayFlows(bind(owner), hostConfig, tell),
});
