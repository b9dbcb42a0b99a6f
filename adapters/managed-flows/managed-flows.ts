// The Gateway's managed TaskFlows behind the port: one host call for each command, with every answer decoded (M-16).

import type { Result } from "neverthrow";
import type { BadRecord, HostFailure, Outcome } from "../../core/index.ts";
import type { FlowStore, ManagedFlows, Tell } from "../bridge/managed-flows.ts";
import {
  type Decoded,
  decodeCancel,
  decodeCreated,
  decodeFlow,
  decodeFlows,
  decodeMutation,
  decodeSummary,
  decodeTask,
  viewOnly,
} from "./decode.ts";
import type { Binding } from "./host.ts";
import { viewFlow } from "../../core/index.ts";

export type ManagedFlowsOptions = {
  /** Binds the host's flow API to one session; may throw. */
  readonly bind: (sessionKey: string) => Binding;
  /** The host's live configuration, which its `cancel` wants. */
  readonly hostConfig: () => unknown;
};

type Ask = <Done extends Outcome>(
  answer: unknown,
  decode: (answer: unknown) => Decoded<Done>,
) => Promise<Result<Done, HostFailure>>;

/** Waits for the host's answer and decodes it; nonsense is told to the operator and shown to nobody. */
const askOf =
  (tell: Tell): Ask =>
  async (answer, decode) =>
    decode(await answer).mapErr(({ field }: BadRecord): HostFailure => {
      tell("the host answered nonsense in", field || "the whole answer");
      return "bad_host_answer";
    });

//= SCOPE-1
const flowsOf = ({ flows, canceller }: Binding, hostConfig: () => unknown, tell: Tell): ManagedFlows => {
  const ask = askOf(tell);
  const onProse = (prose: unknown): void => tell("the host said", prose);
  const mutate = (flowId: string, answer: unknown) =>
    ask(answer, (found) => decodeMutation(found, viewOnly(flowId), onProse));
  return {
    create: ({ currentStep, ...asked }) =>
      ask(flows.tryCreateManaged({ ...asked, currentStep: currentStep ?? undefined }), decodeCreated),
    get: (flowId) => ask(flows.get(flowId), (found) => decodeFlow(found, viewOnly(flowId))),
    list: () => ask(flows.list(), decodeFlows),
    latest: () => ask(flows.findLatest(), (found) => decodeFlow(found, viewFlow)),
    resolve: (token) => ask(flows.resolve(token), (found) => decodeFlow(found, viewFlow)),
    summary: (flowId) => ask(flows.getTaskSummary(flowId), decodeSummary),
    setWaiting: (asked) => mutate(asked.flowId, flows.setWaiting(asked)),
    resume: (asked) => mutate(asked.flowId, flows.resume(asked)),
    finish: (asked) => mutate(asked.flowId, flows.finish(asked)),
    fail: (asked) => mutate(asked.flowId, flows.fail(asked)),
    requestCancel: (asked) => mutate(asked.flowId, flows.requestCancel(asked)),
    cancel: (flowId) =>
      ask(canceller.cancel({ flowId, cfg: hostConfig() }), (found) => decodeCancel(found, viewOnly(flowId), onProse)),
    runTask: (asked) =>
      ask(flows.runTask(asked), (found) => decodeTask(found, viewOnly(asked.flowId), asked.childSessionKey, onProse)),
  };
};

/** The Gateway as a store of flows. */
export const gatewayFlows = ({ bind, hostConfig }: ManagedFlowsOptions): FlowStore => ({
  bind: (owner, tell) => flowsOf(bind(owner), hostConfig, tell),
});
