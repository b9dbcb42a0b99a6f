// Which changes of flows are events, and what is said of them to a route that wants to know.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import * as z from "zod";
import { FLOW_STATUSES, type FlowRecord, isEnded } from "./flow.ts";
import { isoTime } from "./iso-time.ts";
import { stringifyJson } from "./json.ts";
import type { EventKind } from "./route.ts";
import { viewFlow } from "./view.ts";

/** What decides about events. The whole record is shown, but nothing else of it is looked at. */
export type TellableFlow = Pick<FlowRecord, "flowId" | "revision" | "status" | "endedAt" | "updatedAt">;

const tellable = z.looseObject({
  flowId: z.string().min(1),
  revision: z.number(),
  status: z.enum(FLOW_STATUSES),
  endedAt: z.number().optional(),
  updatedAt: z.number(),
});

/** A host's record of a flow, of any shape; undefined when it lacks what decides. */
export const tellableFlow = (record: unknown): TellableFlow | undefined => {
  try {
    return tellable.safeParse(record).data;
  } catch {
    // reading a host's record may run its code
    return undefined;
  }
};

/** What a callback can tell of a flow as it is; undefined of one that is queued or running. */
const kindOf = (flow: TellableFlow): EventKind | undefined => {
  if (isEnded(flow)) return "ended";
  return flow.status === "waiting" || flow.status === "blocked" ? flow.status : undefined;
};

/** Equal for two records of one flow between which there is no event. */
export const standingOf = (flow: TellableFlow): string => `${kindOf(flow) ?? "open"} ${flow.status}`;

//= NOTIFY-1
/**
 * The event that a flow's change is, if it is one: it has ended, waits or is blocked, and did not so before. `before`: the
 * `standingOf` the flow had; undefined of a flow that is new.
 */
export const eventOf = (before: string | undefined, after: TellableFlow): EventKind | undefined =>
  before === standingOf(after) ? undefined : kindOf(after);

/** One event for one route. `body`: what is sent, as it was when it happened; `at`: milliseconds since the epoch. */
export type CallbackEvent = {
  readonly eventId: string;
  readonly routeId: string;
  readonly body: string;
  readonly at: number;
};

/** A route that wants to know. `name`: what the event calls it. */
export type Subscription = { readonly routeId: string; readonly name: string; readonly on: ReadonlySet<EventKind> };

/** Hexadecimal digits of a hash that name an event. */
const ID_LENGTH = 32;

//= NOTIFY-3
/** The same for each observer of the same change, because receivers tell repeats by it. It says nothing of the session. */
const eventIdOf = (routeId: string, { flowId, revision }: TellableFlow, kind: EventKind): string => {
  const name = JSON.stringify([routeId, flowId, revision, kind]);
  return `evt_${bytesToHex(sha256(utf8ToBytes(name))).slice(0, ID_LENGTH)}`;
};

//= NOTIFY-2
/** What is said: the view that get_flow shows. Undefined when the record cannot be shown. */
const bodyOf = (name: string, flow: TellableFlow, kind: EventKind): string | undefined =>
  viewFlow(flow)
    .map(({ json }) =>
      stringifyJson({ type: `flow.${kind}`, timestamp: isoTime(flow.updatedAt), data: { routeId: name, flow: json } }),
    )
    .unwrapOr(undefined);

//= NOTIFY-1, NOTIFY-2
/** The events of one change, one for each subscription that wants it. `now`: milliseconds since the epoch. */
export const eventsOf = (
  before: string | undefined,
  after: TellableFlow,
  subscriptions: readonly Subscription[],
  now: number,
): readonly CallbackEvent[] => {
  const kind = eventOf(before, after);
  if (kind === undefined) return [];
  return subscriptions.flatMap(({ routeId, name, on }) => {
    const body = on.has(kind) ? bodyOf(name, after, kind) : undefined;
    return body === undefined ? [] : [{ eventId: eventIdOf(routeId, after, kind), routeId, body, at: now }];
  });
};
