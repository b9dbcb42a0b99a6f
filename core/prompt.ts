// What an agent is asked to do with a flow: the operator's own words, and between them what came from outside. The two stay apart
// until the host fences what came from outside as data.

import { type JsonValue, stringifyJson } from "./json.ts";
import type { Run } from "./route.ts";
import { shortened } from "./text.ts";
import { type Source, textOf, valueOf } from "./template.ts";
import type { FlowView } from "./view.ts";

/** `own`: as the operator wrote it. `outside`: data, never instructions. */
export type PromptPart = { readonly kind: "own" | "outside"; readonly text: string };

/** UTF-16 units of one part from outside. A configuration bounds how many parts there are. */
export const MAX_PROMPT_PART = 65_536;

/** What stands for a member that the flow does not have. */
const NOTHING = "(none)";

/** A view leaves out what is undefined. */
const sourceOf = ({ json }: FlowView): Source => {
  const payload: { [field: string]: JsonValue } = {};
  for (const [field, value] of Object.entries(json)) if (value !== undefined) payload[field] = value;
  return { payload, header: () => undefined };
};

/** The first line of each prompt: nothing that follows can be a command, and lists that show how a message begins show this. */
const FIRST_LINE: PromptPart = {
  kind: "own",
  text: "This turn works on a flow of the webhooks plugin. The operator of this Gateway asks for the following.\n\n",
};

//= RUN-6
/** The parts of the prompt in their order. A value that is not there is `(none)`, which is the operator's word. */
export const promptOf = ({ message }: Run, flow: FlowView): readonly PromptPart[] => {
  const source = sourceOf(flow);
  const parts = message.map((part): PromptPart => {
    if (typeof part === "string") return { kind: "own", text: part };
    const value = valueOf(part, source);
    const text = value === undefined || value === null ? undefined : textOf(value);
    return text === undefined
      ? { kind: "own", text: NOTHING }
      : { kind: "outside", text: shortened(text, MAX_PROMPT_PART) };
  });
  return [FIRST_LINE, ...parts];
};

/** Fields of a flow that an agent is told at a later turn. */
const RESUMED = ["goal", "currentStep", "stateJson"] as const;

//= RUN-6
/** What the agent is told when its flow has been resumed. */
export const resumePrompt = ({ json }: FlowView): readonly PromptPart[] => {
  const shown = Object.fromEntries(
    RESUMED.flatMap((field) => (json[field] === undefined ? [] : [[field, json[field]]])),
  );
  const text = stringifyJson(shown) ?? NOTHING;
  return [
    FIRST_LINE,
    { kind: "own", text: "The work that you had left waiting was resumed. Go on with it. This is what it holds now:" },
    { kind: "outside", text: shortened(text, MAX_PROMPT_PART) },
  ];
};
