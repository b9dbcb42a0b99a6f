// A host's agents and the file of runs, as far as a runner sees them, and the end of a process between any two of its calls.

import { ok, type Result } from "neverthrow";
import type { RunResult, RunRow, Trace } from "../../core/index.ts";
import type { FileFault } from "../../adapters/managed-flows/plugin-file.ts";
import type { Agents, Turn } from "../../adapters/runs/agents.ts";
import type { RunFile } from "../../adapters/runs/run-file.ts";

/** Calls of one process; from the one with number `last` on, nothing is answered and nothing is done any more. */
export class Process {
  calls = 0;
  readonly last: number;
  readonly ended: Promise<void>;
  #end: () => void;

  constructor(last: number = Infinity) {
    this.last = last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  get isDead(): boolean {
    return this.calls >= this.last;
  }

  /** A step that the process takes, unless it has ended. After the last one that it takes it ends, before it hears of it. */
  async step<T>(work: () => T): Promise<T> {
    if (this.isDead) return new Promise(() => undefined);
    const done = work();
    this.calls += 1;
    if (!this.isDead) return done;
    this.#end();
    return new Promise(() => undefined);
  }

  /** The same for a call that answers at once: it throws instead. */
  now<T>(work: () => T): T {
    if (this.isDead) throw new Error("the process has ended");
    const done = work();
    this.calls += 1;
    if (!this.isDead) return done;
    this.#end();
    throw new Error("the process has ended");
  }
}

type Begun = { readonly process: Process; result: RunResult | undefined; isCancelled: boolean };

const CANCELLED: RunResult = { status: "failed", code: "run_failed" };

/** What outlives a process: the runs that were begun, each with its model calls, and the rows of the file. */
export class ModelHost {
  readonly begun = new Map<string, Begun>();
  readonly modelCalls: string[] = [];
  readonly links: string[] = [];
  readonly prompts: string[] = [];
  readonly rows = new Map<number, RunRow>();
  readonly #onCancel = new Map<string, ((result: RunResult) => void)[]>();
  /** What an agent answers, or undefined for one that never does. */
  answer: (turn: Turn) => RunResult | undefined = () => ({ status: "succeeded", reply: "Done.", isCut: false });

  fileOf(process: Process): RunFile {
    const at = <T>(work: () => T): Result<T, FileFault> => ok(process.now(work));
    return {
      list: () => ok([...this.rows.values()].toSorted((a, b) => a.seq - b.seq)),
      save: (row) => at(() => void this.rows.set(row.seq, row)),
      remove: (seq) => at(() => void this.rows.delete(seq)),
      resolve: (row) => process.step(() => void this.rows.delete(row.seq)),
    };
  }

  #isAlive({ process, result }: Begun): boolean {
    return result === undefined && !process.isDead;
  }

  #cancelOf(runId: string): Promise<RunResult> {
    return new Promise((resolve) => {
      this.#onCancel.set(runId, [...(this.#onCancel.get(runId) ?? []), resolve]);
    });
  }

  agentsOf(process: Process): Agents {
    return {
      link: (turn) => process.step(() => this.links.push(turn.runId) > 0),
      start: (turn, message) =>
        process.step(() => {
          const known = this.begun.get(turn.runId);
          if (known !== undefined && known.process === process) return;
          this.modelCalls.push(turn.runId);
          this.prompts.push(message);
          this.begun.set(turn.runId, { process, result: undefined, isCancelled: false });
        }),
      wait: async (turn) => {
        const run = this.begun.get(turn.runId);
        const result = run?.isCancelled === true ? CANCELLED : this.answer(turn);
        // a host answers after `forMs`, too, which no test waits for
        const said = result ?? (await this.#cancelOf(turn.runId));
        return process.step(() => {
          if (run !== undefined) run.result ??= said;
          return run?.result;
        });
      },
      cancel: (turn) =>
        process.step(() => {
          const run = this.begun.get(turn.runId);
          if (run === undefined || !this.#isAlive(run)) return false;
          run.isCancelled = true;
          this.#onCancel.get(turn.runId)?.forEach((tell) => tell(CANCELLED));
          return true;
        }),
      trace: (turn) =>
        process.step((): Trace => {
          const run = this.begun.get(turn.runId);
          if (run === undefined) return { kind: "not_begun" };
          if (run.result !== undefined) return { kind: "ended", result: run.result };
          return this.#isAlive(run) ? { kind: "running" } : { kind: "lost" };
        }),
      fence: (text, isFirst) => `<data${isFirst ? " first" : ""}>${text}</data>`,
    };
  }
}
