// A host for tests: the Gateway's flow API as gateway-semantics describes it, on core/lifecycle and a Map. Its records carry
// owners and requesters as the Gateway's do, so that a leak would show. As the Gateway does, it stores times that it is told.

import { randomUUID } from "node:crypto";
import type { BoundFlows, Binding } from "../../adapters/managed-flows/api.ts";
import { createFlow, type FlowEvent, type FlowRecord, isEnded, type Marks, transition } from "../../core/index.ts";

type Stored = { flow: FlowRecord; readonly ownerKey: string };
type Task = {
  readonly [field: string]: unknown;
  readonly parentFlowId: string;
  readonly runtime: string;
  readonly status: string;
};

/** The times that the caller wants stored. */
const marked = ({ createdAt, updatedAt, endedAt, cancelRequestedAt }: Marks): Marks =>
  Object.fromEntries(
    Object.entries({ createdAt, updatedAt, endedAt, cancelRequestedAt }).filter(([, time]) => time !== undefined),
  );

const REASONS: Readonly<Record<string, string>> = {
  not_managed: "Flow does not accept managed child tasks.",
  cancel_requested: "Flow cancellation has already been requested.",
};
const BLANK = { queued: 0, running: 0, succeeded: 0, failed: 0, timed_out: 0, cancelled: 0, lost: 0 };
const NO_RUNTIME = { subagent: 0, acp: 0, cli: 0, cron: 0 };

const isActive = ({ status }: Task): boolean => status === "queued" || status === "running";

export class ModelHost {
  readonly #stored = new Map<string, Stored>();
  readonly #tasks: Task[] = [];
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** All flows as they are stored, for tests that look behind the API. */
  get flows(): readonly FlowRecord[] {
    return [...this.#stored.values()].map(({ flow }) => flow);
  }

  bind(sessionKey: string): Binding {
    const owned = (flowId: string): Stored | undefined => {
      const stored = this.#stored.get(flowId);
      return stored?.ownerKey === sessionKey ? stored : undefined;
    };
    const show = (stored: Stored): object => ({
      ...stored.flow,
      ownerKey: stored.ownerKey,
      requesterOrigin: { channel: sessionKey },
    });
    const all = (): readonly Stored[] =>
      [...this.#stored.values()].filter((stored) => stored.ownerKey === sessionKey).toReversed();
    const newest = (found: readonly Stored[]): object | undefined =>
      found[0] === undefined ? undefined : show(found[0]);
    const mutate = (asked: { flowId: string; expectedRevision: number } & Marks, action: string): object => {
      const stored = owned(asked.flowId);
      if (stored === undefined) return { applied: false, code: "not_found" };
      const result = transition(
        stored.flow,
        { ...asked, action } as FlowEvent,
        this.#active(asked.flowId),
        this.#now(),
      );
      if (result.isErr()) return { applied: false, code: result.error, current: show(stored) };
      stored.flow = { ...result.value.flow, ...marked(asked) };
      return { applied: true, flow: show(stored) };
    };
    const flows: BoundFlows = {
      tryCreateManaged: (asked) => {
        const flow = createFlow(randomUUID(), { ...asked, action: "create_flow" }, asked.createdAt ?? this.#now());
        const stored = { flow, ownerKey: sessionKey };
        this.#stored.set(flow.flowId, stored);
        return show(stored);
      },
      get: (flowId) => newest([owned(flowId)].filter((one) => one !== undefined)),
      list: () => all().map(show),
      findLatest: () => newest(all()),
      resolve: (token) => {
        const byId = owned(token.trim());
        if (byId !== undefined) return show(byId);
        const open = all().filter(({ flow }) => !isEnded(flow));
        return token.trim() === sessionKey ? newest(open.length > 0 ? open : all()) : undefined;
      },
      getTaskSummary: (flowId) => (owned(flowId) === undefined ? undefined : this.#summary(flowId)),
      setWaiting: (asked) => mutate(asked, "set_waiting"),
      resume: (asked) => mutate(asked, "resume_flow"),
      finish: (asked) => mutate(asked, "finish_flow"),
      fail: (asked) => mutate(asked, "fail_flow"),
      requestCancel: (asked) => mutate(asked, "request_cancel"),
      runTask: (asked) => {
        const stored = owned(asked.flowId);
        if (stored === undefined) return { found: false, created: false, reason: "Flow not found." };
        const allowed = transition(stored.flow, { ...asked, action: "run_task" }, 0, this.#now());
        const flow = show(stored);
        if (allowed.isErr()) {
          const reason = REASONS[allowed.error] ?? `Flow is already ${stored.flow.status}.`;
          return { found: true, created: false, reason, flow };
        }
        if (asked.childSessionKey !== undefined) {
          return { found: true, created: false, reason: "Task backing ownership could not be verified.", flow };
        }
        return { found: true, created: true, flow, task: this.#sameRun(asked) ?? this.#addTask(asked, sessionKey) };
      },
    };
    return { flows, canceller: () => ({ cancel: ({ flowId }) => this.#cancel(owned(flowId), show) }) };
  }

  #active(flowId: string): number {
    return this.#tasks.filter((task) => task.parentFlowId === flowId && isActive(task)).length;
  }

  #cancel(stored: Stored | undefined, show: (stored: Stored) => object): object {
    if (stored === undefined) return { found: false, cancelled: false, reason: "Flow not found." };
    const { flowId } = stored.flow;
    const tasks = this.#tasks.filter((task) => task.parentFlowId === flowId).toReversed();
    const result = transition(stored.flow, { action: "cancel_flow", flowId }, this.#active(flowId), this.#now());
    if (result.isErr()) {
      return {
        found: true,
        cancelled: false,
        reason: `Flow is already ${stored.flow.status}.`,
        flow: show(stored),
        tasks,
      };
    }
    stored.flow = result.value.flow;
    const reason = result.value.pending ? { reason: "One or more child tasks are still active." } : {};
    return { found: true, cancelled: !result.value.pending, ...reason, flow: show(stored), tasks };
  }

  /** TASK-1, without the merging of what is missing. */
  #sameRun({ flowId, runId, runtime, label, task }: Parameters<BoundFlows["runTask"]>[0]): Task | undefined {
    return this.#tasks.find(
      (one) =>
        runId !== undefined &&
        [one.parentFlowId, one["runId"], one.runtime].join() === [flowId, runId, runtime].join() &&
        (runtime === "acp" || (one["label"] === label && one["task"] === task)),
    );
  }

  #addTask(asked: Parameters<BoundFlows["runTask"]>[0], ownerKey: string): Task {
    const now = this.#now();
    const { flowId, preferMetadata: _, progressSummary, startedAt, lastEventAt = startedAt ?? now, ...rest } = asked;
    const progress = progressSummary?.replace(/\s+/gu, " ").trim();
    const task: Task = {
      ...rest,
      taskId: randomUUID(),
      ownerKey,
      requesterSessionKey: ownerKey,
      parentFlowId: flowId,
      agentId: asked.agentId ?? "main",
      scopeKind: "session",
      status: asked.status ?? "queued",
      deliveryStatus: "pending",
      notifyPolicy: asked.notifyPolicy ?? "done_only",
      createdAt: Math.min(now, startedAt ?? now, lastEventAt),
      startedAt,
      lastEventAt: Math.max(lastEventAt, startedAt ?? lastEventAt),
      progressSummary: progress,
    };
    this.#tasks.push(task);
    return task;
  }

  #summary(flowId: string): object {
    const byStatus: Record<string, number> = { ...BLANK };
    const byRuntime: Record<string, number> = { ...NO_RUNTIME };
    const tasks = this.#tasks.filter((task) => task.parentFlowId === flowId);
    for (const { status, runtime } of tasks) {
      byStatus[status] = (byStatus[status] ?? 0) + 1;
      byRuntime[runtime] = (byRuntime[runtime] ?? 0) + 1;
    }
    return {
      total: tasks.length,
      active: this.#active(flowId),
      terminal: 0,
      failures: 0,
      byStatus,
      byRuntime,
      warning: "host prose",
    };
  }
}
