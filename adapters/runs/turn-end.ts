// The end of a turn, as its host tells it: asked for once at a time, and again after each look at the turn's flow.

import type { RunResult } from "../../core/index.ts";
import type { Agents, Turn } from "./agents.ts";
import { LOOK_MS, type RunFlows } from "./run-flows.ts";

export class TurnEnd {
  readonly #turn: Turn;
  readonly #agents: Pick<Agents, "wait">;
  readonly #flows: RunFlows;
  #asked: Promise<RunResult | undefined> | undefined;

  constructor(turn: Turn, agents: Pick<Agents, "wait">, flows: RunFlows) {
    this.#turn = turn;
    this.#agents = agents;
    this.#flows = flows;
  }

  /** The result; undefined when the flow may have changed, and when it is time for a look at it. */
  async next(): Promise<RunResult | undefined> {
    const look = this.#flows.changeOf(this.#turn.flowId, LOOK_MS);
    // a host that has no result and says so too soon is not asked again before that
    const result = this.#ask().then((said) => said ?? look.promise);
    return Promise.race([result, look.promise]).finally(look.end);
  }

  /** An answer that takes longer than a look is waited for, because asked again the host would begin anew. */
  #ask(): Promise<RunResult | undefined> {
    this.#asked ??= this.#agents.wait(this.#turn, LOOK_MS).finally(() => (this.#asked = undefined));
    return this.#asked;
  }
}
