// What core/lifecycle says that a session's flows are and what each request is answered. Everything about a flow is
// computed by createFlow, transition and isEnded; the little about tasks that they need is counted here.

import {
  type Action,
  type ActionOf,
  createFlow,
  type FlowRecord,
  isEnded,
  isRevisionChecked,
  type RevisionChecked,
  transition,
  viewFlow,
} from "../../../core/index.ts";

export type Json = { readonly [field: string]: unknown };
export type Task = { readonly runtime: string; readonly status: string };
export type Entry = { readonly flow: FlowRecord; readonly tasks: ReadonlyMap<string, Task> };

/** A session's flows by id, in the order in which they were made. */
export type State = ReadonlyMap<string, Entry>;

export type Owner = { readonly sessionKey: string; readonly controllerId: string };

/** A Gateway takes the time of a write before the write has its turn, so it may be before that of the last one (not FLOW-7). */
const inGateway: typeof transition = (flow, event, activeTasks, now) =>
  transition(now < flow.updatedAt ? { ...flow, updatedAt: now } : flow, event, activeTasks, now);

/** What the store alone decides and an answer tells: the times of a write and the ids of what is new. */
export type Told = {
  readonly now: number;
  /** The Gateway asks its clock once for a cancel intent and again for the write; the lifecycle knows one time. */
  readonly intentAt: number;
  readonly flowId: string;
  readonly taskId: string;
};

export type Answer = { readonly status: number; readonly code: string | undefined; readonly result: Json };
export type Said = Answer & { readonly state: State };

/** As JSON shows it: absent and undefined are the same. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const shown = (flow: FlowRecord | undefined): unknown =>
  flow === undefined ? null : plain(viewFlow(flow)._unsafeUnwrap().json);

const says = (state: State, result: Json, status: number = 200, code?: string): Said => ({
  status,
  code,
  result,
  state,
});

const put = (state: State, entry: Entry): State => new Map(state).set(entry.flow.flowId, entry);

const isActive = ({ status }: Task): boolean => status === "queued" || status === "running";
const activeIn = ({ tasks }: Entry): number => [...tasks.values()].filter(isActive).length;

/** OpenClaw 2026.9 orders flows of one millisecond by id (gateway-semantics §4); 2026.8.2 as they were made. */
const tie: (a: FlowRecord, b: FlowRecord) => number =
  process.env["GATEWAY_HOST"] === "host-oldest" ? () => 0 : (a, b) => byId(a, b);

const listed = (state: State): readonly FlowRecord[] =>
  [...state.values()].map(({ flow }) => flow).toSorted((a, b) => b.createdAt - a.createdAt || tie(a, b));

const byId = (a: FlowRecord, b: FlowRecord): number => (a.flowId < b.flowId ? -1 : 1);

/** The whole list, or a page of it; pages are in the order of creation and then of ids on every host. */
const listFor = (state: State, action: ActionOf<"list_flows">): Json => {
  const { limit, cursor, status, controllerId, updatedAfter = -1 } = action;
  const found = listed(state).filter(
    (flow) =>
      (status === undefined || flow.status === status) &&
      (controllerId === undefined || flow.controllerId === controllerId) &&
      flow.updatedAt > updatedAfter,
  );
  if (limit === undefined && cursor === undefined) return { flows: found.map(shown) };
  const [, at = "", id = ""] = /^(\d+)~(.*)$/su.exec(cursor ?? `${String(Number.MAX_SAFE_INTEGER)}~`) ?? [];
  const behind = found
    .toSorted((a, b) => b.createdAt - a.createdAt || byId(a, b))
    .filter(({ createdAt, flowId }) => createdAt < Number(at) || (createdAt === Number(at) && flowId > id));
  const page = behind.slice(0, limit ?? 500);
  const last = behind.length > page.length ? page.at(-1) : undefined;
  return { flows: page.map(shown), nextCursor: last === undefined ? null : `${String(last.createdAt)}~${last.flowId}` };
};

/** By id, or by the session's key: the newest that has not ended, else the newest (gateway-semantics §4). */
const resolved = (state: State, token: string, { sessionKey }: Owner): FlowRecord | undefined => {
  const flows = listed(state);
  if (token === sessionKey) return flows.find((flow) => !isEnded(flow)) ?? flows[0];
  return state.get(token)?.flow;
};

const STATUSES = ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"];
const RUNTIMES = ["subagent", "acp", "cli", "cron"];

const counted = (names: readonly string[], found: readonly string[]): Json =>
  Object.fromEntries(names.map((name) => [name, found.filter((one) => one === name).length]));

/** Nothing over HTTP ends a task that no session backs (gateway-semantics §6), so all of them stay active. */
const summaryOf = (entry: Entry | undefined): unknown => {
  if (entry === undefined) return null;
  const tasks = [...entry.tasks.values()];
  const byStatus = counted(
    STATUSES,
    tasks.map(({ status }) => status),
  );
  const byRuntime = counted(
    RUNTIMES,
    tasks.map(({ runtime }) => runtime),
  );
  return { total: tasks.length, active: activeIn(entry), terminal: 0, failures: 0, byStatus, byRuntime };
};

/** The entry with the flow that the lifecycle made of it; an intent that is set now, and no other, gets its own time. */
const moved = (entry: Entry, flow: FlowRecord, { now, intentAt }: Told): Entry => {
  const isSet = flow.cancelRequestedAt === now && entry.flow.cancelRequestedAt !== now;
  return { ...entry, flow: isSet ? { ...flow, cancelRequestedAt: intentAt } : flow };
};

const changed = (state: State, asked: RevisionChecked, told: Told): Said => {
  const entry = state.get(asked.flowId);
  if (entry === undefined) return says(state, { applied: false, code: "not_found" }, 404, "not_found");
  return inGateway(entry.flow, asked, activeIn(entry), told.now).match(
    ({ flow }) => {
      const next = moved(entry, flow, told);
      return says(put(state, next), { applied: true, flow: shown(next.flow) });
    },
    (code) => says(state, { applied: false, code, current: shown(entry.flow) }, 409, code),
  );
};

/** A set of tasks as the comparison sees it: by id, for their order and texts are not the lifecycle's. */
export const taskList = (tasks: readonly (readonly [id: string, task: Task])[]): unknown =>
  tasks.map(([id, { runtime, status }]) => `${id} ${runtime} ${status}`).toSorted();

const cancelled = (state: State, asked: ActionOf<"cancel_flow">, told: Told): Said => {
  const entry = state.get(asked.flowId);
  if (entry === undefined) return says(state, { found: false, cancelled: false }, 404, "not_found");
  const tasks = taskList([...entry.tasks]);
  return inGateway(entry.flow, asked, activeIn(entry), told.now).match(
    ({ flow, pending }) => {
      const next = moved(entry, flow, told);
      const result = { found: true, cancelled: !pending, flow: shown(next.flow), tasks };
      return pending ? says(put(state, next), result, 202, "cancel_pending") : says(put(state, next), result);
    },
    (code) => says(state, { found: true, cancelled: false, flow: shown(entry.flow), tasks }, 409, code),
  );
};

/** A cancel_flow that found the flow changed between its own steps, as it now is (gateway-semantics §6). Writes nothing. */
export const overtaken = (state: State, { flow, tasks }: Entry): Said => {
  const result = { found: true, cancelled: false, flow: shown(flow), tasks: taskList([...tasks]) };
  return says(state, result, 409, "revision_conflict");
};

/** With a runId a task may be one that is there already, which keeps its status (gateway-semantics §6): its id tells. */
const taskOf = (entry: Entry, { runtime, runId, status = "queued" }: ActionOf<"run_task">, { taskId }: Told): Task =>
  (runId === undefined ? undefined : entry.tasks.get(taskId)) ?? { runtime, status };

const ran = (state: State, asked: ActionOf<"run_task">, told: Told): Said => {
  const entry = state.get(asked.flowId);
  if (entry === undefined) return says(state, { found: false, created: false }, 404, "not_found");
  return inGateway(entry.flow, asked, activeIn(entry), told.now).match(
    ({ flow }) => {
      const task = taskOf(entry, asked, told);
      const next = { flow, tasks: new Map(entry.tasks).set(told.taskId, task) };
      return says(put(state, next), { created: true, flow: shown(flow), task: taskList([[told.taskId, task]]) });
    },
    (code) => says(state, { found: true, created: false, flow: shown(entry.flow) }, 409, code),
  );
};

const created = (state: State, asked: ActionOf<"create_flow">, { controllerId }: Owner, told: Told): Said => {
  const flow = createFlow(told.flowId, { ...asked, controllerId: asked.controllerId ?? controllerId }, told.now);
  return says(put(state, { flow, tasks: new Map() }), { created: true, flow: shown(flow) });
};

/** What `action` is answered in `state`, and the state after it. */
export const answer = (state: State, action: Action, owner: Owner, told: Told): Said => {
  if (isRevisionChecked(action)) return changed(state, action, told);
  switch (action.action) {
    case "create_flow":
      return created(state, action, owner, told);
    case "cancel_flow":
      return cancelled(state, action, told);
    case "run_task":
      return ran(state, action, told);
    case "get_flow":
      return says(state, { flow: shown(state.get(action.flowId)?.flow) });
    case "list_flows":
      return says(state, listFor(state, action));
    case "find_latest_flow":
      return says(state, { flow: shown(listed(state)[0]) });
    case "resolve_flow":
      return says(state, { flow: shown(resolved(state, action.token, owner)) });
    case "get_task_summary":
      return says(state, { summary: summaryOf(state.get(action.flowId)) });
  }
};

/** The flow after a sweep at `now`; undefined when a sweep leaves it alone. */
export const swept = (entry: Entry, now: number): FlowRecord | undefined => {
  const { flow } = inGateway(entry.flow, { action: "sweep" }, activeIn(entry), now)._unsafeUnwrap();
  return flow === entry.flow ? undefined : flow;
};

/** The flow with the intent that a cancel_flow writes before anything else; undefined when it writes none. */
export const marked = ({ flow }: Entry, intentAt: number, now: number): FlowRecord | undefined => {
  if (isEnded(flow) || flow.cancelRequestedAt !== undefined) return undefined;
  const asked = { action: "request_cancel", flowId: flow.flowId, expectedRevision: flow.revision } as const;
  return { ...inGateway(flow, asked, 0, now)._unsafeUnwrap().flow, cancelRequestedAt: intentAt };
};

/** The flows that the next sweep ends. */
export const owed = (state: State): readonly Entry[] =>
  [...state.values()].filter((entry) => swept(entry, entry.flow.updatedAt) !== undefined);
