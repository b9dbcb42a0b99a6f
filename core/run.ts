// The run of a flow: the agent turns that a new flow starts, from the queue to the flow's end. A run is a row of a file; each
// function says what becomes of the row, given what was seen of the flow and of the host. Between any two steps the process may
// end. Whoever has the file, the flows and the agents does as it is told here.

import * as z from "zod";
import type { ActionOf } from "./action.ts";
import { isOpenFlow, type Plan } from "./claim.ts";
import { type JsonValue, parseJson } from "./json.ts";
import { isObject } from "./own.ts";
import type { Run } from "./route.ts";
import { agentOf } from "./task.ts";
import { shortened } from "./text.ts";
import type { FlowView } from "./view.ts";

/**
 * `intended`: a flow may have been made. `queued`: waits for its turn. `starting`: the host is being asked. `running`: the host has
 * it. `ending`: the result is known, and the flow is to be told. `waiting`: the agent has said that the flow waits.
 */
export const RUN_STATES = ["intended", "queued", "starting", "running", "ending", "waiting"] as const;

export type RunState = (typeof RUN_STATES)[number];

/** Why a run failed, as the flow and its callers are told. */
export const RUN_FAULTS = {
  run_failed: "The agent's turn failed.",
  run_cancelled: "The agent's turn was cancelled in the Gateway.",
  run_timed_out: "The agent took longer than the route allows, and was stopped.",
  run_lost: "The Gateway ended while the agent was at work.",
  run_refused: "The Gateway did not start the agent.",
  run_removed: "The route does not start agents any more.",
} as const;

export type RunFault = keyof typeof RUN_FAULTS;

export type RunResult =
  | { readonly status: "succeeded"; readonly reply: string; readonly isCut: boolean }
  | { readonly status: "failed"; readonly code: RunFault };

/** What the file holds of a run. */
export type RunRow = {
  /** Rises in the order of creation. */
  readonly seq: number;
  readonly routeId: string;
  readonly owner: string;
  /** The time of the claim that made the flow, and what it planned. */
  readonly stamp: number;
  readonly plan: Plan | undefined;
  /** Undefined while it is intended. */
  readonly flowId: string | undefined;
  readonly state: RunState;
  /** The number of the agent's turn: 1 for the first. */
  readonly turn: number;
  /** How often this turn was begun. */
  readonly tries: number;
  /** The process that began it. */
  readonly boot: string | undefined;
  /** Milliseconds since the epoch: when the turn was begun. */
  readonly at: number;
  readonly result: RunResult | undefined;
};

/** A run whose flow is known. */
export type KnownRun = RunRow & { readonly flowId: string };

export const isKnown = (row: RunRow): row is KnownRun => row.flowId !== undefined && row.state !== "intended";

/** UTF-16 units of a reply that a flow keeps. */
export const MAX_REPLY = 65_536;

/** Times that one turn is begun, when nothing shows that it has begun. */
const MAX_TRIES = 2;

//= RUN-2, RUN-8
/**
 * The idempotency key of the turn that was begun last, which is its id in the host, too: the flow's id for the first one. A turn
 * that is begun again has a key of its own, because a Gateway does not know a key again once it was restarted.
 */
export const runIdOf = ({ flowId, turn, tries }: KnownRun): string => {
  if (tries > 1) return `${flowId}.${String(turn)}.${String(tries)}`;
  return turn === 1 ? flowId : `${flowId}.${String(turn)}`;
};

//= RUN-6, RUN-7
/** The session of the run: nothing from outside is in it but the flow's id, which the host made. */
export const runSession = (run: Run | undefined, owner: string, flowId: string): string =>
  run?.session ?? `agent:${agentOf(owner)}:subagent:webhooks-${flowId}`.toLowerCase();

/** The session under which the host files the runs of an agent. */
export const mainSession = (session: string): string => `agent:${agentOf(session)}:main`;

/** Milliseconds for which a run that fails again and again keeps its place, beside those of a turn that may be at work. */
const STUCK_MS = 60_000;

//= RUN-4
/** For how long a run that fails again and again keeps its place. */
export const placeMs = ({ state }: RunRow, timeoutMs: number): number =>
  state === "starting" || state === "running" ? timeoutMs + STUCK_MS : STUCK_MS;

const OCCUPIED: ReadonlySet<RunState> = new Set(["starting", "running", "ending"]);

//= RUN-4
/** The runs that may begin now: of each route the oldest, as many as it has room for. */
export const readyRuns = (rows: readonly RunRow[], concurrencyOf: (routeId: string) => number): readonly KnownRun[] => {
  const free = new Map<string, number>();
  const roomOf = (routeId: string): number => {
    const room = free.get(routeId) ?? concurrencyOf(routeId);
    free.set(routeId, room);
    return room;
  };
  for (const { routeId, state } of rows) {
    if (OCCUPIED.has(state)) free.set(routeId, roomOf(routeId) - 1);
  }
  return rows.filter(isKnown).filter(({ routeId, state }) => {
    if (state !== "queued" || roomOf(routeId) <= 0) return false;
    free.set(routeId, roomOf(routeId) - 1);
    return true;
  });
};

/** Whether nothing more is to be done for the flow. */
const isOver = (flow: FlowView): boolean => !isOpenFlow(flow) || flow.json["cancelRequestedAt"] !== undefined;

const waits = ({ json }: FlowView): boolean => json["status"] === "waiting" || json["status"] === "blocked";

/** What a run whose turn it is does, given its flow. */
export type Beginning = "begin" | "wait" | "drop";

//= RUN-5
/** A flow that waits is not worked on before it is resumed; one that is over, or is to be cancelled, is not worked on at all. */
export const beginningOf = (flow: FlowView | null): Beginning => {
  if (flow === null || isOver(flow)) return "drop";
  return waits(flow) ? "wait" : "begin";
};

//= RUN-2
/** The turn is begun: written down before the host is asked. */
export const begun = (row: KnownRun, boot: string, now: number): KnownRun => ({
  ...row,
  state: "starting",
  tries: row.tries + 1,
  boot,
  at: now,
});

export const ended = (row: KnownRun, result: RunResult): KnownRun => ({ ...row, state: "ending", result });

export const failedResult = (code: RunFault): RunResult => ({ status: "failed", code });

export const failedRun = (row: KnownRun, code: RunFault): KnownRun => ended(row, failedResult(code));

/** The reply as it is kept. */
export const succeeded = (reply: string): RunResult => ({
  status: "succeeded",
  reply: shortened(reply, MAX_REPLY),
  isCut: reply.length > MAX_REPLY,
});

/**
 * What the host tells of a run that another process began. `not_begun`: no sign of it, neither of the run nor of its message.
 * `lost`: it had begun, and it does not go on.
 */
export type Trace =
  | { readonly kind: "not_begun" }
  | { readonly kind: "running" }
  | { readonly kind: "ended"; readonly result: RunResult }
  | { readonly kind: "lost" };

//= RUN-2, RUN-8
/** What becomes of a run that a process which has ended was about to begin, or had begun. */
export const afterCrash = (row: KnownRun, trace: Trace): KnownRun => {
  switch (trace.kind) {
    case "ended":
      return ended(row, trace.result);
    case "running":
      return { ...row, state: "running" };
    case "lost":
      return failedRun(row, "run_lost");
    case "not_begun":
      return row.tries < MAX_TRIES ? { ...row, state: "queued" } : failedRun(row, "run_lost");
  }
};

/** Whether the run is another process's that has ended. */
export const isOrphan = ({ state, boot: by }: RunRow, boot: string): boolean =>
  (state === "starting" || state === "running") && by !== boot;

/** What a run in the host does, given its flow and the time. */
export type Watching = "go_on" | "stop" | "time_out";

//= RUN-5
/** A run ends with its flow, with a request to cancel it, and with its time. `flow`: undefined when it cannot be read. */
export const watchingOf = (
  row: KnownRun,
  flow: FlowView | null | undefined,
  timeoutMs: number,
  now: number,
): Watching => {
  if (flow !== undefined && (flow === null || isOver(flow))) return "stop";
  return now - row.at >= timeoutMs ? "time_out" : "go_on";
};

/** What the flow's state holds of the run. */
const told = (result: RunResult): JsonValue =>
  result.status === "succeeded"
    ? { status: result.status, reply: result.reply, ...(result.isCut ? { isCut: true } : {}) }
    : { status: result.status, code: result.code, error: RUN_FAULTS[result.code] };

const hasMembers = (state: JsonValue): state is { readonly [member: string]: JsonValue } => isObject(state);

//= RUN-3
/** All that the state holds, with the run at `run`. A state that is not an object is kept as `state`. */
const withRun = (state: JsonValue | undefined, result: RunResult): JsonValue => {
  const run = told(result);
  if (state === undefined || state === null) return { run };
  return hasMembers(state) ? { ...state, run } : { state, run };
};

/** What is done with the flow of a run that has ended. `wait`: the agent has left the flow waiting. */
export type Ending =
  | { readonly kind: "drop" }
  | { readonly kind: "wait" }
  | { readonly kind: "tell"; readonly action: ActionOf<"finish_flow"> | ActionOf<"fail_flow"> };

//= RUN-2, RUN-3
/** The flow is finished with the reply in its state, or failed with the code; one that is over keeps what it has. */
export const endingOf = ({ result }: KnownRun, flow: FlowView | null): Ending => {
  if (flow === null || isOver(flow) || result === undefined) return { kind: "drop" };
  if (result.status === "succeeded" && waits(flow)) return { kind: "wait" };
  const { flowId, revision, stateJson } = flow.json;
  const action = result.status === "succeeded" ? "finish_flow" : "fail_flow";
  const about = { flowId: String(flowId), expectedRevision: Number(revision) };
  return { kind: "tell", action: { action, ...about, stateJson: withRun(stateJson, result) } };
};

//= RUN-9
/** The agent waits for a resume. */
export const waiting = (row: KnownRun): KnownRun => ({ ...row, state: "waiting", result: undefined });

//= RUN-5, RUN-9
/** What a run that waits does, given its flow. */
export const resumptionOf = (flow: FlowView | null): "next_turn" | "wait" | "drop" => {
  if (flow === null || isOver(flow)) return "drop";
  return waits(flow) ? "wait" : "next_turn";
};

//= RUN-9
/** The next turn of the same flow, at its old place in the queue. A flow that was made waiting has had none. */
export const nextTurn = (row: KnownRun): KnownRun => ({
  ...row,
  state: "queued",
  turn: row.tries === 0 ? row.turn : row.turn + 1,
  tries: 0,
  boot: undefined,
});

const RESULT = z.discriminatedUnion("status", [
  z.strictObject({ status: z.literal("succeeded"), reply: z.string(), isCut: z.boolean() }),
  z.strictObject({
    status: z.literal("failed"),
    code: z.custom<RunFault>((code) => typeof code === "string" && Object.hasOwn(RUN_FAULTS, code)),
  }),
]);

/** A result from a file; undefined when it is none. */
export const readRunResult = (text: string): RunResult | undefined => {
  const parsed = RESULT.safeParse(parseJson(text).unwrapOr(null));
  return parsed.success ? parsed.data : undefined;
};
