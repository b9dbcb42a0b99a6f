// The end of a turn, as its host tells it: asked for once at a time, and again after each look at the turn's flow.

import type { RunResult } from "../../core/index.ts";
import type { Log } from "../bridge/log.ts";
import type { Agents, Turn } from "./agents.ts";
import { LOOK_MS, type RunFlows } from "./run-flows.ts";
import { warnOf } from "./trouble.ts";

export class TurnEnd {
  readonly #turn: Turn;
  readonly #agents: Pick<Agents, "wait">;
  readonly #flows: RunFlows;
  readonly #log: Log;
  #asked: Promise<RunResult | undefined> | undefined;

  constructor(turn: Turn, agents: Pick<Agents, "wait">, flows: RunFlows, log: Log) {
    this.#turn = turn;
    this.#agents = agents;
    this.#flows = flows;
    this.#log = log;
  }

  /** The result; undefined when the flow may have changed, and when it is time for a look at it. */
  async next(): Promise<RunResult | undefined> {
    const look = this.#flows.changeOf(this.#turn.flowId, LOOK_MS);
    // a host that says too soon that there is none, or fails, is not asked again before that
    const result = this.#ask().then((said) => said ?? look.promise);
    return Promise.race([result, look.promise]).finally(look.end);
  }

  /** An answer that takes longer than a look is waited for, because asked again the host would begin anew. */
  #ask(): Promise<RunResult | undefined> {
    this.#asked ??= this.#agents
      .wait(this.#turn, LOOK_MS)
      .catch((error: unknown) => {
        warnOf(this.#log, "the Gateway does not say whether a turn has ended, and is asked again", error);
        return undefined;
      })
      .finally(() => (this.#asked = undefined));
    return this.#asked;
  }
}
