// What an agent can do with the flow that it works on: read it, say how far it is, or leave it waiting. The agent names no flow: its
// session does.

import { err, ok, type Result } from "neverthrow";
import * as z from "zod";
import type { ActionOf } from "./action.ts";
import { checkRequestJson, JSON_FAULTS, type JsonValue } from "./json.ts";
import type { FlowView } from "./view.ts";

const json = z.custom<JsonValue>(() => true).optional();

/** `step`: where the work is; `state`: takes the place of the flow's state; `waitFor`: what the flow waits for. */
const CALL = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("read") }),
  z.strictObject({ do: z.literal("progress"), step: z.string().trim().min(1).optional(), state: json }),
  z.strictObject({ do: z.literal("wait"), step: z.string().trim().min(1).optional(), state: json, waitFor: json }),
]);

export type FlowToolCall = z.infer<typeof CALL>;

/** The tool's parameters for a model, as JSON Schema. */
export const FLOW_TOOL_PARAMETERS = {
  type: "object",
  properties: {
    do: {
      type: "string",
      enum: ["read", "progress", "wait"],
      description:
        "read: the flow as it is. progress: says how far the work is. wait: leaves the flow waiting, then end your turn.",
    },
    step: { type: "string", description: "The current step, in a few words." },
    state: { description: "JSON that takes the place of the flow's state." },
    waitFor: { description: "With wait: JSON that says what the flow waits for, such as an approval." },
  },
  required: ["do"],
  additionalProperties: false,
} as const;

//= RUN-9
/** What an agent asks for. Errs with a sentence for the agent. */
export const readFlowToolCall = (parameters: unknown): Result<FlowToolCall, string> => {
  const parsed = CALL.safeParse(parameters);
  if (!parsed.success)
    return err('Give do: "read", "progress" or "wait"; with the last two step and state, with wait also waitFor.');
  const checked = checkRequestJson(parsed.data);
  return checked.isOk() ? ok(parsed.data) : err(`${JSON_FAULTS[checked.error]}.`);
};

//= RUN-9
/** The action on the flow, at the revision that it has; undefined when it is only read. */
export const actionOfTool = (
  call: FlowToolCall,
  { json: { flowId, revision } }: FlowView,
): ActionOf<"set_waiting" | "resume_flow"> | undefined => {
  if (call.do === "read") return undefined;
  const about = {
    flowId: String(flowId),
    expectedRevision: Number(revision),
    currentStep: call.step,
    stateJson: call.state,
  };
  return call.do === "wait"
    ? { action: "set_waiting", ...about, waitJson: call.waitFor }
    : { action: "resume_flow", ...about, status: "running" };
};
