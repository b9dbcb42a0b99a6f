// Runs commands against a store and notes what came back, without what differs from store to store: ids become numbers,
// times that the store chose become `time`.

import type { Delivery, FlowAction, Outcome, Shown, StoreFailure } from "../../core/index.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { check, ConformanceError } from "./check.ts";
import { type Command, NAMED_TIMES } from "./commands.ts";

/** An outcome as plain JSON: its kind, its refusal, and what it shows. */
export type Plain = {
  readonly kind: string;
  readonly refusal?: string | undefined;
  readonly ended?: string | undefined;
  readonly flow?: Shown | null | undefined;
  readonly flows?: readonly Shown[];
  readonly task?: Shown;
  readonly tasks?: readonly Shown[] | undefined;
  readonly summary?: Shown | null;
};

const plainOf = (outcome: Outcome): Plain => {
  switch (outcome.kind) {
    case "flow":
      return { kind: "flow", flow: outcome.flow?.json ?? null };
    case "flows":
      return { kind: "flows", flows: outcome.flows.map((flow) => flow.json) };
    case "summary":
      return { kind: "summary", summary: outcome.summary?.json ?? null };
    case "created":
    case "existing":
    case "applied":
      return { kind: outcome.kind, flow: outcome.flow.json };
    case "ignored":
    case "over_quota":
      return { kind: outcome.kind };
    case "not_created":
      return { kind: "not_created", refusal: outcome.refusal };
    case "not_applied":
      return { kind: "not_applied", refusal: outcome.refusal, flow: outcome.current?.json };
    case "task_created":
      return { kind: "task_created", flow: outcome.flow.json, task: outcome.task.json };
    case "task_not_created":
      return {
        kind: outcome.kind,
        refusal: outcome.refusal,
        ended: outcome.refusal === "terminal" ? outcome.ended : undefined,
        flow: outcome.flow?.json,
      };
    case "cancelled":
      return { kind: "cancelled", flow: outcome.flow?.json, tasks: outcome.tasks?.map((task) => task.json) };
    case "not_cancelled":
      return {
        kind: outcome.kind,
        refusal: outcome.refusal,
        ended: outcome.ended,
        flow: outcome.flow?.json,
        tasks: outcome.tasks?.map((task) => task.json),
      };
  }
};

/** Carries one owner's action out. A failure of the store fails the suite. */
export type Ask = (action: FlowAction) => Promise<Plain>;

const noReport = (): void => undefined;

/** What the store answers. A failure of it fails the suite. */
export const outcomeAs =
  (store: FlowStore, owner: string) =>
  async (action: FlowAction): Promise<Outcome> => {
    const result = await store.execute(owner, action, noReport);
    if (result.isErr()) throw new ConformanceError(`the store failed: ${result.error}`);
    return result.value;
  };

export const askAs =
  (store: FlowStore, owner: string): Ask =>
  async (action) =>
    plainOf(await outcomeAs(store, owner)(action));

/** Carries one owner's delivery out; the failure when the store refuses it. */
export type AskDelivery = (action: FlowAction, delivery: Delivery) => Promise<Plain | StoreFailure>;

export const deliverAs =
  (store: FlowStore, owner: string): AskDelivery =>
  async (action, delivery) => {
    const result = await store.execute(owner, action, noReport, delivery);
    return result.isOk() ? plainOf(result.value) : result.error;
  };

/** A flow as a caller sees it. */
export type Seen = { readonly flowId: string; readonly revision: number; readonly view: Shown };

export const seenIn = (view: Shown | null | undefined): Seen => {
  const flowId = view?.["flowId"];
  const revision = view?.["revision"];
  check(typeof flowId === "string" && typeof revision === "number", "a flow's view has a flowId and a revision");
  return { flowId: String(flowId), revision: Number(revision), view: view ?? {} };
};

const TIMES = new Set(["createdAt", "updatedAt", "endedAt", "cancelRequestedAt", "startedAt", "lastEventAt"]);

/** Anonymous: ids by their order of appearance, times that no request named as `time`. */
class Names {
  readonly #numbers = new Map<string, string>();

  #nameOf(id: string, kind: string): string {
    const name = this.#numbers.get(id) ?? `${kind}${String(this.#numbers.size)}`;
    this.#numbers.set(id, name);
    return name;
  }

  hide(field: string, value: Shown[string]): Shown[string] {
    if (field === "flowId" || field === "parentFlowId") return this.#nameOf(String(value), "flow");
    if (field === "taskId") return this.#nameOf(String(value), "task");
    return TIMES.has(field) && !NAMED_TIMES.includes(Number(value)) ? "time" : value;
  }

  record(shown: Shown): Shown {
    return Object.fromEntries(Object.entries(shown).map(([field, value]) => [field, this.hide(field, value)]));
  }
}

const maybe = <T, U>(value: T | null | undefined, use: (value: T) => U): U | null =>
  value === undefined || value === null ? null : use(value);

/** Tasks of one millisecond are in no order that all stores share. */
const anonymous = ({ flow, task, tasks, ...rest }: Plain, names: Names): object => ({
  ...rest,
  flow: maybe(flow, (one) => names.record(one)),
  task: maybe(task, (one) => names.record(one)),
  tasks: maybe(tasks, (all) => all.map((one) => String(one["taskId"])).length),
});

/** Runs one owner's commands, one after the other. */
export class Actor {
  readonly #ask: Ask;
  readonly #names = new Names();
  readonly #made: string[] = [];
  readonly #revisions = new Map<string, number>();

  constructor(store: FlowStore, owner: string) {
    this.#ask = askAs(store, owner);
  }

  /** The flows that this actor made, oldest first. */
  get made(): readonly string[] {
    return this.#made;
  }

  /** What came back, without what differs from store to store. */
  async run({ name, flow, drift, action }: Command): Promise<object> {
    const flowId = this.#made[flow] ?? "no-such-flow";
    const expectedRevision = Math.max(0, (this.#revisions.get(flowId) ?? 0) + drift);
    const plain = await this.#ask(action({ flowId, expectedRevision }));
    for (const shown of [plain.flow ?? []].flat()) this.#learn(seenIn(shown), plain.kind === "created");
    return { name, ...anonymous(plain, this.#names) };
  }

  #learn({ flowId, revision, view }: Seen, isNew: boolean): void {
    if (isNew) this.#made.push(flowId);
    const before = this.#revisions.get(flowId) ?? 0;
    check(revision >= before, "a revision never falls");
    check(Number(view["updatedAt"]) >= Number(view["createdAt"]), "updatedAt is not before createdAt");
    this.#revisions.set(flowId, revision);
  }
}
