// A store of flows of one's own: core/lifecycle and core/task over the rows of an engine, one transaction a command.

import { err, ok, type Result } from "neverthrow";
import {
  createFlow,
  type FlowRecord,
  type FlowView,
  type HostFailure,
  isExpired,
  type Outcome,
  RETENTION_MS,
  type RevisionChecked,
  runTask,
  summarizeTasks,
  transition,
  viewAll,
  viewFlow,
  viewSummary,
  viewTask,
} from "../../core/index.ts";
import type { FlowAnswer, FlowStore, ManagedFlows, Tell } from "./flow-store.ts";
import { whenThere } from "./awaitable.ts";
import type { FlowEngine, FlowTables, StoreFault } from "./engine.ts";

export type EmbeddedOptions = {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A new id, never the same twice. */
  readonly newId: () => string;
};

/** A store that this process runs, and its clean-up. */
export interface EmbeddedFlows extends FlowStore {
  //= FLOW-6, STORE-3
  /** Ends flows with a cancel intent and removes those that ended 7 days ago; says how many. */
  sweep(): Promise<Result<number, StoreFault>>;
}

/** Most flows that one transaction of a sweep touches, so that requests get their turn in between. */
const SWEEP_BATCH = 200;

/** A record that cannot be shown was not written by this store. */
const unreadable = (): HostFailure => "bad_host_answer";

const shown = <T>(record: FlowRecord, use: (view: FlowView) => T): Result<T, HostFailure> =>
  viewFlow(record).map(use).mapErr(unreadable);

type Kind = Outcome["kind"];
type Done<K extends Kind> = Extract<Outcome, { readonly kind: K }>;
type Carried<K extends Kind> = Result<Done<K>, HostFailure>;
type Work<K extends Kind> = (tables: FlowTables) => Carried<K>;

class OwnedFlows implements ManagedFlows {
  readonly #engine: FlowEngine;
  readonly #options: EmbeddedOptions;
  readonly #owner: string;
  readonly #tell: Tell;

  constructor(engine: FlowEngine, options: EmbeddedOptions, owner: string, tell: Tell) {
    this.#engine = engine;
    this.#options = options;
    this.#owner = owner;
    this.#tell = tell;
  }

  create(asked: Parameters<ManagedFlows["create"]>[0]): FlowAnswer<"created"> {
    const { newId, now } = this.#options;
    const flow = createFlow(newId(), { ...asked, action: "create_flow" }, asked.controllerId, now());
    return this.#write<"created">((tables) => {
      tables.insert(this.#owner, flow);
      return shown(flow, (view) => ({ kind: "created", flow: view }));
    });
  }

  get(flowId: string): FlowAnswer<"flow"> {
    return this.#readFlow((tables) => tables.find(this.#owner, flowId));
  }

  list(): FlowAnswer<"flows"> {
    return this.#read<"flows">((tables) =>
      viewAll(tables.list(this.#owner), viewFlow)
        .map((flows) => ({ kind: "flows" as const, flows }))
        .mapErr(unreadable),
    );
  }

  latest(): FlowAnswer<"flow"> {
    return this.#readFlow((tables) => tables.newest(this.#owner, "any"));
  }

  resolve(token: string): FlowAnswer<"flow"> {
    return this.#readFlow((tables) => {
      const byId = tables.find(this.#owner, token);
      if (byId !== undefined || token !== this.#owner) return byId;
      return tables.newest(this.#owner, "open") ?? tables.newest(this.#owner, "any");
    });
  }

  summary(flowId: string): FlowAnswer<"summary"> {
    return this.#read<"summary">((tables) => {
      if (tables.find(this.#owner, flowId) === undefined) return ok({ kind: "summary", summary: null });
      return viewSummary(summarizeTasks(tables.tasks(flowId)))
        .map((summary) => ({ kind: "summary" as const, summary }))
        .mapErr(unreadable);
    });
  }

  setWaiting(asked: Parameters<ManagedFlows["setWaiting"]>[0]): FlowAnswer<"applied" | "not_applied"> {
    return this.#change({ ...asked, action: "set_waiting" });
  }

  resume(asked: Parameters<ManagedFlows["resume"]>[0]): FlowAnswer<"applied" | "not_applied"> {
    return this.#change({ ...asked, action: "resume_flow" });
  }

  finish(asked: Parameters<ManagedFlows["finish"]>[0]): FlowAnswer<"applied" | "not_applied"> {
    return this.#change({ ...asked, action: "finish_flow" });
  }

  fail(asked: Parameters<ManagedFlows["fail"]>[0]): FlowAnswer<"applied" | "not_applied"> {
    return this.#change({ ...asked, action: "fail_flow" });
  }

  requestCancel(asked: Parameters<ManagedFlows["requestCancel"]>[0]): FlowAnswer<"applied" | "not_applied"> {
    return this.#change({ ...asked, action: "request_cancel" });
  }

  cancel(flowId: string): FlowAnswer<"cancelled" | "not_cancelled"> {
    return this.#write<"cancelled" | "not_cancelled">((tables) => {
      const before = tables.find(this.#owner, flowId);
      if (before === undefined) return ok({ kind: "not_cancelled", refusal: "not_found" });
      const stored = tables.tasks(flowId).toReversed();
      const views = viewAll(
        stored.toSorted((a, b) => b.createdAt - a.createdAt),
        viewTask,
      ).mapErr(unreadable);
      const asked = { action: "cancel_flow", flowId } as const;
      const done = transition(before, asked, stored.length, this.#options.now());
      const after = done.isOk() ? done.value.flow : before;
      if (after !== before) tables.update(after);
      return views.andThen((tasks) =>
        shown(after, (flow): Done<"cancelled" | "not_cancelled"> => {
          if (done.isErr()) return { kind: "not_cancelled", refusal: "terminal", ended: after.status, flow, tasks };
          if (done.value.pending) return { kind: "not_cancelled", refusal: "cancel_pending", flow, tasks };
          return { kind: "cancelled", flow, tasks };
        }),
      );
    });
  }

  runTask(asked: Parameters<ManagedFlows["runTask"]>[0]): FlowAnswer<"task_created" | "task_not_created"> {
    const { newId, now } = this.#options;
    return this.#write<"task_created" | "task_not_created">((tables) => {
      const flow = tables.find(this.#owner, asked.flowId);
      if (flow === undefined) return ok({ kind: "task_not_created", refusal: "not_found" });
      const origin = { taskId: newId(), sessionKey: this.#owner, now: now() };
      const made = runTask(flow, { ...asked, action: "run_task" }, tables.tasks(flow.flowId), origin);
      if (made.isErr()) {
        const refusal = made.error === "revision_conflict" ? "task_not_created" : made.error;
        return shown(flow, (view) => ({ kind: "task_not_created", refusal, ended: flow.status, flow: view }));
      }
      tables.putTask(made.value);
      return viewTask(made.value)
        .mapErr(unreadable)
        .andThen((task) => shown(flow, (view) => ({ kind: "task_created" as const, flow: view, task })));
    });
  }

  //= STORE-1
  #change(asked: RevisionChecked): FlowAnswer<"applied" | "not_applied"> {
    return this.#write<"applied" | "not_applied">((tables) => {
      const before = tables.find(this.#owner, asked.flowId);
      if (before === undefined) return ok({ kind: "not_applied", refusal: "not_found" });
      const done = transition(before, asked, 0, this.#options.now());
      if (done.isErr()) {
        const refusal = done.error === "not_managed" ? "not_managed" : "revision_conflict";
        return shown(before, (current) => ({ kind: "not_applied", refusal, current }));
      }
      tables.update(done.value.flow);
      return shown(done.value.flow, (flow) => ({ kind: "applied", flow }));
    });
  }

  #readFlow(find: (tables: FlowTables) => FlowRecord | undefined): FlowAnswer<"flow"> {
    return this.#read<"flow">((tables) => {
      const record = find(tables);
      return record === undefined
        ? ok({ kind: "flow", flow: null })
        : shown(record, (flow) => ({ kind: "flow", flow }));
    });
  }

  #read<K extends Kind>(work: Work<K>): FlowAnswer<K> {
    return whenThere(this.#engine.read(work), (done) => this.#settle(done));
  }

  #write<K extends Kind>(work: Work<K>): FlowAnswer<K> {
    return whenThere(this.#engine.write(work), (done) => this.#settle(done));
  }

  #settle<K extends Kind>(done: Result<Carried<K>, StoreFault>): Carried<K> {
    if (done.isOk()) return done.value;
    this.#tell("the store failed", done.error.error);
    return err("persist_failed");
  }
}

/** Lets everything else that waits have its turn. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** One batch of a sweep: how many flows it changed. */
const sweepOnce = (tables: FlowTables, now: number): number => {
  const due = tables.due(now - RETENTION_MS, SWEEP_BATCH);
  let changed = 0;
  for (const flow of due) {
    const after = transition(flow, { action: "sweep" }, 0, now).unwrapOr({ flow, pending: false }).flow;
    if (isExpired(flow, 0, now)) tables.remove(flow.flowId);
    else if (after !== flow) tables.update(after);
    else continue;
    changed += 1;
  }
  return changed;
};

/** The flows that `engine` keeps, behind the port. */
export const createEmbeddedFlows = (engine: FlowEngine, options: EmbeddedOptions): EmbeddedFlows => {
  const sweep = async (): Promise<Result<number, StoreFault>> => {
    for (let total = 0; ;) {
      const swept = await engine.write((tables) => sweepOnce(tables, options.now()));
      if (swept.isErr()) return swept;
      total += swept.value;
      if (swept.value < SWEEP_BATCH) return ok(total);
      await turn();
    }
  };
  return { bind: (owner, tell) => new OwnedFlows(engine, options, owner, tell), sweep };
};
