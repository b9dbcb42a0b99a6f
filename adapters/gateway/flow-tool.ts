// The tool by which an agent reads and moves the flow that it works on. The Gateway makes tools in an evaluation of the plugin of
// its own, so that the runner is found through the process.

import { FLOW_TOOL_PARAMETERS } from "../../core/index.ts";
import { FLOW_TOOL } from "./agents.ts";

/** Whoever has the runs. */
export type FlowToolHost = {
  /** Whether a turn is under way in the session. */
  readonly has: (session: string) => boolean;
  /** What the agent is told. Never rejects. */
  readonly use: (session: string, parameters: unknown) => Promise<string>;
};

const HOST = Symbol.for("openclaw-webhooks.flow-tool.1");

const process_: { [HOST]?: FlowToolHost; readonly Symbol: unknown } = globalThis;

/** From now on `host` answers, until the function that comes back is called. */
export const offerFlowTool = (host: FlowToolHost): (() => void) => {
  process_[HOST] = host;
  return () => {
    if (process_[HOST] === host) delete process_[HOST];
  };
};

/** What the Gateway says of the session that a tool is for. */
export type ToolContext = { readonly sessionKey?: string | undefined };

const DESCRIPTION =
  "Reads the flow that this turn works on, says how far the work is, or leaves the flow waiting for something from outside. When it is resumed, you get another turn.";

const told = (text: string) => ({ content: [{ type: "text" as const, text }], details: undefined });

const NO_RUN = "No flow is worked on in this session.";

/** Null for every session but those of runs. */
export const flowTool = ({ sessionKey }: ToolContext) => {
  const session = sessionKey?.toLowerCase();
  if (session === undefined || process_[HOST]?.has(session) !== true) return null;
  return {
    name: FLOW_TOOL,
    label: "Webhook flow",
    description: DESCRIPTION,
    // by default a Gateway hides tools of plugins behind a search
    catalogMode: "direct-only" as const,
    parameters: FLOW_TOOL_PARAMETERS,
    execute: async (_id: string, parameters: unknown) =>
      told((await process_[HOST]?.use(session, parameters)) ?? NO_RUN),
  };
};
