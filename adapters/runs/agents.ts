// The port to the agents of a host. A call may reject; what became of it is then found out by `trace`.

import type { RunResult, Trace } from "../../core/index.ts";

/** One turn of an agent. */
export type Turn = {
  readonly flowId: string;
  /** The turn's idempotency key and its id in the host. */
  readonly runId: string;
  readonly session: string;
  /** The session that owns the flow. */
  readonly owner: string;
};

export interface Agents {
  /** Links the turn to its flow as a task, before it can end. False: the host refuses that. */
  link(turn: Turn): Promise<boolean>;
  /** Starts the turn; resolves once the host has it. The same turn twice is one turn, as long as the process lives. */
  start(turn: Turn, message: string, tools: boolean): Promise<void>;
  /** The result, or undefined when the turn has none after `forMs` milliseconds. */
  wait(turn: Turn, forMs: number): Promise<RunResult | undefined>;
  /** Ends the turn: its model call is cut off. False: there is nothing to end. */
  cancel(turn: Turn): Promise<boolean>;
  /** What is known of a turn. `isOwn`: this process began it, so that it goes on if the host has it. */
  trace(turn: Turn, isOwn: boolean): Promise<Trace>;
  /** The text as data that came from outside, as the host marks it for agents. `isFirst`: the first of a prompt. */
  fence(text: string, isFirst: boolean): string;
}
