// The turns that are under way, and what the agent of each may do with its flow.

import {
  actionOfTool,
  beginningOf,
  type FlowToolCall,
  type FlowView,
  isConflict,
  type KnownRun,
  readFlowToolCall,
  stringifyJson,
} from "../../core/index.ts";
import type { Log } from "../bridge/log.ts";
import type { Agents } from "./agents.ts";
import { MAX_WRITES, type RunFlows } from "./run-flows.ts";
import { warnOf } from "./trouble.ts";

export class Turns {
  readonly #flows: RunFlows;
  readonly #agents: Pick<Agents, "fence">;
  readonly #log: Log;
  /** By the number of their run. */
  readonly #underWay = new Map<number, { readonly session: string; readonly row: KnownRun }>();

  constructor(flows: RunFlows, agents: Pick<Agents, "fence">, log: Log) {
    this.#flows = flows;
    this.#agents = agents;
    this.#log = log;
  }

  begin(row: KnownRun, session: string): void {
    this.#underWay.set(row.seq, { session, row });
  }

  end(seq: number): void {
    this.#underWay.delete(seq);
  }

  /** The one run whose turn is under way in the session; undefined when there is none, or another one. */
  runAt(session: string): KnownRun | undefined {
    const [one, ...more] = [...this.#underWay.values()].filter((turn) => turn.session === session);
    return more.length === 0 ? one?.row : undefined;
  }

  //= RUN-9
  /** What the agent of a session is told about its flow, after what it asks for was done. Never rejects. */
  async useTool(session: string, parameters: unknown): Promise<string> {
    const row = this.runAt(session);
    const asked = readFlowToolCall(parameters);
    if (row === undefined) return "No flow is worked on in this session.";
    if (asked.isErr()) return asked.error;
    try {
      return await this.#used(row, asked.value);
    } catch (error) {
      warnOf(this.#log, "an agent's use of its flow failed", error);
      return "The flow cannot be reached at the moment. Try again.";
    }
  }

  async #used(row: KnownRun, call: FlowToolCall): Promise<string> {
    for (let tries = 0; tries < MAX_WRITES; tries += 1) {
      const flow = await this.#flows.flowOf(row);
      if (flow === null || beginningOf(flow) === "drop")
        return "The flow is over, or is to be cancelled. End your work.";
      const action = actionOfTool(call, flow);
      if (action === undefined) return this.#shown(flow);
      const outcome = await this.#flows.ask(row.owner, action);
      if (outcome.kind === "applied") return this.#shown(outcome.flow);
      if (!isConflict(outcome)) break;
    }
    return "The flow was not changed. Read it, and try again.";
  }

  /** The state may hold words from outside. */
  #shown(flow: FlowView): string {
    return this.#agents.fence(stringifyJson(flow.json) ?? "", false);
  }
}
