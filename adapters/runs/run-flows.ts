// The flows of runs: asked for and written through the store, watched by session, and waited for.

import type { Result } from "neverthrow";
import type { FlowAction, FlowView, KnownRun, Outcome, StoreFailure } from "../../core/index.ts";
import type { FlowChanges } from "../flows/changes.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { flowsInTime, HostTrouble } from "./trouble.ts";

/** Milliseconds between two looks at a run's flow, which others may have changed, and at what waits. */
export const LOOK_MS = 5000;

/** Times that a flow is written, against other writers. */
export const MAX_WRITES = 8;

/** `promise` resolves when the flow may have changed, when the time is over, and at once when the runs are let go. */
export type FlowChange = { readonly promise: Promise<undefined>; readonly end: () => void };

const outcomeOf = (answer: Result<Outcome, StoreFailure>): Outcome => {
  if (answer.isErr()) throw new HostTrouble(`the Gateway's flows answered ${answer.error}`);
  return answer.value;
};

export class RunFlows {
  readonly #flows: FlowStore;
  readonly #changes: FlowChanges;
  readonly #stopped: AbortSignal;
  /** By session. */
  readonly #unwatch = new Map<string, () => void>();
  /** Woken by a change of their flow. */
  readonly #wakers = new Map<string, () => void>();

  /** `stopped`: the runs are let go. */
  constructor(flows: FlowStore, changes: FlowChanges, stopped: AbortSignal) {
    this.#flows = flows;
    this.#changes = changes;
    this.#stopped = stopped;
    stopped.addEventListener("abort", () => this.#stop());
  }

  async ask(owner: string, action: FlowAction): Promise<Outcome> {
    return outcomeOf(await this.#answer(owner, action));
  }

  #answer(owner: string, action: FlowAction): Promise<Result<Outcome, StoreFailure>> {
    return flowsInTime(() => this.#flows.execute(owner, action, () => undefined));
  }

  async flowOf({ owner, flowId }: KnownRun): Promise<FlowView | null> {
    const answer = await this.ask(owner, { action: "get_flow", flowId });
    if (answer.kind !== "flow") throw new HostTrouble("the Gateway's flows answered nonsense");
    return answer.flow;
  }

  /** By their id; undefined when they are too many for one list. */
  async listOf(owner: string): Promise<ReadonlyMap<unknown, FlowView> | undefined> {
    const answer = await this.#answer(owner, { action: "list_flows" });
    if (answer.isErr() && answer.error === "list_too_large") return undefined;
    const listed = outcomeOf(answer);
    if (listed.kind !== "flows") throw new HostTrouble("the Gateway's flows answered nonsense");
    return new Map(listed.flows.map((flow) => [flow.json["flowId"], flow]));
  }

  /** From now on the flows of these sessions are watched, and of no others. `onChange`: after any change. */
  watch(owners: ReadonlySet<string>, onChange: () => void): void {
    for (const [owner, unwatch] of this.#unwatch) {
      if (owners.has(owner)) continue;
      unwatch();
      this.#unwatch.delete(owner);
    }
    for (const owner of owners) {
      if (this.#unwatch.has(owner) || this.#stopped.aborted) continue;
      const unwatch = this.#changes.watch(owner, (flowId) => {
        this.#changed(flowId);
        onChange();
      });
      this.#unwatch.set(owner, unwatch);
    }
  }

  changeOf(flowId: string, forMs: number): FlowChange {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const wake = (): void => resolve(undefined);
    this.#wakers.set(flowId, wake);
    if (this.#stopped.aborted) wake();
    const timer = setTimeout(wake, forMs);
    timer.unref();
    const end = (): void => {
      clearTimeout(timer);
      this.#wakers.delete(flowId);
    };
    return { promise, end };
  }

  /** Ends sooner when the runs are let go, or when the flow changes. */
  async pause(flowId: string, forMs: number): Promise<void> {
    const change = this.changeOf(flowId, forMs);
    await change.promise;
    change.end();
  }

  /** `flowId`: undefined for all. */
  #changed(flowId?: string): void {
    if (flowId === undefined) for (const waker of this.#wakers.values()) waker();
    else this.#wakers.get(flowId)?.();
  }

  #stop(): void {
    for (const unwatch of this.#unwatch.values()) unwatch();
    this.#unwatch.clear();
    this.#changed();
  }
}
