// Whether answers that were asked for at once can have been given one after the other: a search for an order in which
// the lifecycle gives every one of them, with the host's sweeps wherever the lifecycle lets a sweep write.

import { isDeepStrictEqual } from "node:util";
import type { Action, FlowRecord } from "../../../core/index.ts";
import {
  type Answer,
  answer,
  type Entry,
  type Json,
  marked,
  overtaken,
  type Owner,
  type State,
  swept,
  type Told,
} from "./lifecycle-model.ts";

/** One request, its answer, and the span of time in which it was carried out: milliseconds since the epoch. */
export type Seen = Answer & { readonly action: Action; readonly sent: number; readonly received: number };

/** The state after all; how many flows were swept meanwhile, and how many cancels were seen half done. */
export type Explanation = { readonly state: State; readonly sweeps: number; readonly marks: number };

/** What only a burst can bring about is told by the state in which it began. */
type Burst = { readonly start: State; readonly owner: Owner };

const first = <T, U>(of: readonly T[], find: (one: T) => U | undefined): U | undefined => {
  for (const one of of) {
    const found = find(one);
    if (found !== undefined) return found;
  }
  return undefined;
};

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** The flows that an answer shows. */
const flowsIn = ({ result }: Answer): readonly Json[] => {
  const { flow, current, flows } = result;
  return [flow, current, ...(Array.isArray(flows) ? flows : [])].filter(isJson);
};

const toldBy = (seen: Seen): Told => {
  const flow = flowsIn(seen)[0] ?? {};
  const [task = ""] = Array.isArray(seen.result["task"]) ? seen.result["task"] : [];
  const now = Number(flow["updatedAt"]);
  const intentAt = Number(flow["cancelRequestedAt"] ?? now);
  return { now, intentAt, flowId: String(flow["flowId"]), taskId: String(task).split(" ")[0] ?? "" };
};

/**
 * Written while its request was under way, an intent no later than its write. So times never run backwards from one step
 * to the next; among requests sent at once they may, for the Gateway dates an end before it waits for its turn to write.
 */
const isTimelyWrite = (earlier: FlowRecord | undefined, flow: FlowRecord, { sent, received }: Seen): boolean => {
  const intended = flow.cancelRequestedAt === earlier?.cancelRequestedAt ? [] : [flow.cancelRequestedAt];
  const times = [sent, ...intended, flow.updatedAt, received].map(Number);
  return times.every((time, n) => time >= (times[n - 1] ?? 0));
};

const isTimely = (before: State, after: State, seen: Seen): boolean =>
  [...after].every(([flowId, { flow }]) => {
    const earlier = before.get(flowId)?.flow;
    return flow === earlier || isTimelyWrite(earlier, flow, seen);
  });

const isSaid = (said: Answer, { status, code, result }: Answer): boolean =>
  isDeepStrictEqual([said.status, said.code, said.result], [status, code, result]);

/** Not the lifecycle's word, for there nothing comes between: a cancel_flow that others' writes have overtaken. */
const isOvertaken = (state: State, seen: Seen, { start }: Burst): boolean => {
  const entry = seen.action.action === "cancel_flow" ? state.get(seen.action.flowId) : undefined;
  if (entry === undefined || entry.flow === start.get(entry.flow.flowId)?.flow) return false;
  return isSaid(overtaken(state, entry), seen);
};

/** The state after `seen` in `state`; undefined when it cannot have been answered there. */
const after = (state: State, seen: Seen, burst: Burst): State | undefined => {
  const said = answer(state, seen.action, burst.owner, toldBy(seen));
  if (isSaid(said, seen) && isTimely(state, said.state, seen)) return said.state;
  return isOvertaken(state, seen, burst) ? state : undefined;
};

/** What the answers show of a flow. */
const shownOf = (flowId: string, all: readonly Seen[]): readonly Json[] =>
  all.flatMap(flowsIn).filter((flow) => flow["flowId"] === flowId);

/** When a flow may have been swept: when an answer says that it ended, or, if none shows it, at its last write. */
const sweepTimes = ({ flowId, updatedAt }: FlowRecord, all: readonly Seen[]): readonly number[] => {
  const ends = shownOf(flowId, all).map((flow) => Number(flow["endedAt"] ?? updatedAt));
  const latest = Math.max(...all.map(({ received }) => received));
  return [...new Set(ends)].filter((end) => end >= updatedAt && end <= latest);
};

const put = (state: State, entry: Entry, flow: FlowRecord): State =>
  new Map(state).set(flow.flowId, { ...entry, flow });

/** `state` after a sweep of one flow, in every way that the answers leave open. */
const sweeps = (state: State, all: readonly Seen[]): readonly State[] =>
  [...state.values()].flatMap((entry) =>
    sweepTimes(entry.flow, all).flatMap((now) => {
      const flow = swept(entry, now);
      return flow === undefined ? [] : [put(state, entry, flow)];
    }),
  );

/** The times of an intent and of its write, from an answer that shows just that; else both when the intent was set. */
const markTimes = ({ flowId, revision }: FlowRecord, all: readonly Seen[]): readonly (readonly [number, number])[] =>
  shownOf(flowId, all)
    .filter((flow) => flow["cancelRequestedAt"] !== undefined)
    .map((flow) => {
      const intentAt = Number(flow["cancelRequestedAt"]);
      return [intentAt, flow["revision"] === revision + 1 ? Number(flow["updatedAt"]) : intentAt] as const;
    });

/**
 * `state` after the first of a cancel_flow's two writes, between which the Gateway lets others write and read. For
 * bursts only: a cancel_flow alone must do what the lifecycle says at once.
 */
const marks = (state: State, left: readonly Seen[], all: readonly Seen[]): readonly State[] =>
  left.flatMap(({ action }) => {
    const entry = action.action === "cancel_flow" ? state.get(action.flowId) : undefined;
    if (entry === undefined) return [];
    return markTimes(entry.flow, all).flatMap(([intentAt, now]) => {
      const flow = marked(entry, intentAt, now);
      return flow === undefined ? [] : [put(state, entry, flow)];
    });
  });

type Visit = Explanation & { readonly left: readonly Seen[] };

/** Finds how `atOnce`, in any order, and then `last` were answered, beginning in `start`; undefined when in no way. */
export const explain = (start: State, owner: Owner, atOnce: readonly Seen[], last: Seen): Explanation | undefined => {
  const all = [...atOnce, last];
  const dead = new Set<string>();
  const answered = ({ left, state, ...hidden }: Visit): readonly Visit[] =>
    (left.length > 1 ? left.slice(0, -1) : left).flatMap((seen) => {
      const next = after(state, seen, { start, owner });
      return next === undefined ? [] : [{ ...hidden, state: next, left: left.filter((other) => other !== seen) }];
    });
  const unseen = (at: Visit): readonly Visit[] => [
    ...sweeps(at.state, all).map((state) => ({ ...at, state, sweeps: at.sweeps + 1 })),
    ...(atOnce.length > 1 ? marks(at.state, at.left, all) : []).map((state) => ({ ...at, state, marks: at.marks + 1 })),
  ];
  const visit = (at: Visit): Explanation | undefined => {
    if (at.left.length === 0) return at;
    const key = JSON.stringify([
      at.left.map((seen) => all.indexOf(seen)),
      [...at.state.values()].map(({ flow }) => flow),
    ]);
    if (dead.has(key)) return undefined;
    dead.add(key);
    return first(answered(at), visit) ?? first(unseen(at), visit);
  };
  return visit({ state: start, left: all, sweeps: 0, marks: 0 });
};
