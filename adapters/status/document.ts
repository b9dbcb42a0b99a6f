// The one document that the operator's page, the Gateway's RPC and its command line show: routes and why some do not live, what
// happened in the last hour, open flows, runs and callbacks. Nothing secret is in it.

import {
  type Config,
  HIDDEN,
  hideSessions,
  type Problem,
  problemLine,
  problemName,
  type RequestEvent,
  type Route,
  routeName,
} from "../../core/index.ts";
import { routeSays } from "../bridge/rule-lines.ts";
import { hideValues } from "../bridge/scrub.ts";
import { shownPath } from "../bridge/shown-path.ts";
import type { OpenFlows } from "../flows/open-flows.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import type { Activity, Minutes } from "./activity.ts";

/** `live`: it is served. `cold`: it has no secret that opens it. `skipped`: what the operator wrote is wrong. */
export type RouteStanding = {
  readonly id: string;
  readonly state: "live" | "cold" | "skipped";
  /** Only of a live route. */
  readonly path?: string;
  /** What a live route takes, does and allows, where that is not what every route does. */
  readonly says: readonly string[];
  /** Why it does not live, or what is advised. */
  readonly problems: readonly string[];
  readonly hour?: Minutes;
};

/** Flows whose agents wait for their turn or work. `oldestAt`: milliseconds since the epoch. */
export type RunsStanding = { readonly state: string; readonly count: number; readonly oldestAt: number };

export type StatusDocument = {
  /** Milliseconds since the epoch: when it was made, and when counting began. */
  readonly at: number;
  readonly since: number;
  readonly routes: readonly RouteStanding[];
  /** Problems of the configuration that are not one route's. */
  readonly problems: readonly string[];
  readonly hour: Minutes;
  /** Answers of the last hour by code, the most frequent first. Successes have none. */
  readonly codes: readonly { readonly code: string; readonly count: number }[];
  /** The newest first. */
  readonly latest: readonly RequestEvent[];
  /** Undefined when they cannot be counted; `why` says so. */
  readonly flows: { readonly open?: readonly OpenFlows[]; readonly why?: string };
  /** Undefined where no agents can run. */
  readonly runs?: readonly RunsStanding[] | undefined;
  /** A line for each route whose callbacks are not delivered. */
  readonly callbacks: readonly string[];
};

export type StatusOptions = {
  readonly config: () => Config;
  readonly activity: Activity;
  readonly store: Pick<FlowStore, "countOpen">;
  /** How a problem is told. Default: `problemLine`. Undefined: another line says it already. */
  readonly explain?: (problem: Problem) => string | undefined;
  /** What else is wrong, such as secrets that did not resolve. */
  readonly further?: () => readonly string[];
  readonly callbacks?: () => readonly string[];
  readonly runs?: () => readonly RunsStanding[];
  /** Milliseconds since the epoch, and of a clock that never goes back. */
  readonly now?: () => number;
  readonly clock?: () => number;
};

/** Sessions whose flows are counted. */
const MAX_SESSIONS = 256;

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

const countOf = ({ ok, refused, failed }: Minutes): number => sum(ok) + sum(refused) + sum(failed);

type Told = ReadonlyMap<string | undefined, readonly string[]>;

type Hours = ReadonlyMap<string, Minutes>;

const liveOf = (route: Route, told: Told, hours: Hours): RouteStanding => {
  const id = routeName(route);
  const hour = hours.get(id);
  return {
    id,
    state: "live",
    path: shownPath(route),
    says: routeSays(route),
    problems: told.get(route.id) ?? [],
    ...(hour === undefined ? {} : { hour }),
  };
};

/** What is told of each route. A problem names its route, whose id may be a session key. */
const toldOf = ({ routes, problems }: Config, explain: (problem: Problem) => string | undefined): Told => {
  const keys = new Map([...routes.values()].map(({ id, sessionKey }) => [id, sessionKey]));
  const lines = problems.flatMap((problem) => {
    const line = explain(problem);
    const key = keys.get(problem.routeId ?? "");
    return line === undefined
      ? []
      : [{ ...problem, line: hideSessions(hideValues(line, key === undefined ? [] : [key]), HIDDEN) }];
  });
  const grouped = Map.groupBy(lines, ({ routeId }) => routeId);
  return new Map([...grouped].map(([routeId, some]) => [routeId, some.map(({ line }) => line)]));
};

/** Routes that do not live. One whose problems are all cold lives once its secret resolves. */
const deadOf = ({ routes, problems }: Config, told: Told): readonly RouteStanding[] => {
  const live = new Set([...routes.values()].map(({ id }) => id));
  const wrong = problems.filter(({ effect, routeId }) => effect !== "advice" && !live.has(routeId ?? ""));
  const byRoute = Map.groupBy(wrong, ({ routeId }) => routeId);
  return [...byRoute].flatMap(([routeId, faults]): RouteStanding[] => {
    if (routeId === undefined) return [];
    const state = faults.every(({ effect }) => effect === "cold") ? "cold" : "skipped";
    return [{ id: hideSessions(problemName(routeId), HIDDEN), state, says: [], problems: told.get(routeId) ?? [] }];
  });
};

/** What `count` says of the sessions of the live routes, or why it says nothing. Never rejects. */
const flowsOf = async ({ routes }: Config, { countOpen }: StatusOptions["store"]): Promise<StatusDocument["flows"]> => {
  if (countOpen === undefined) return { why: "this store does not count its flows" };
  const owners = [...new Set([...routes.values()].map(({ sessionKey }) => sessionKey))];
  if (owners.length > MAX_SESSIONS) return { why: `the routes have more than ${String(MAX_SESSIONS)} sessions` };
  try {
    return { open: await countOpen(owners) };
  } catch {
    return { why: "the store failed. The log says more" };
  }
};

//= STATUS-1
const documentOf = async (options: StatusOptions): Promise<StatusDocument> => {
  const { activity, store, explain = problemLine, further, callbacks, runs, now = Date.now } = options;
  const config = options.config();
  const { all, routes: hours, codes, latest } = activity.read();
  const told = toldOf(config, explain);
  return {
    at: now(),
    since: activity.since,
    routes: [...[...config.routes.values()].map((route) => liveOf(route, told, hours)), ...deadOf(config, told)],
    problems: [...(told.get(undefined) ?? []), ...(further?.() ?? []).map((line) => hideSessions(line, HIDDEN))],
    hour: all,
    codes: [...codes]
      .map(([code, minutes]) => ({ code, count: countOf(minutes) }))
      .filter(({ count }) => count > 0)
      .toSorted((one, other) => other.count - one.count),
    latest,
    flows: await flowsOf(config, store),
    runs: runs?.(),
    callbacks: callbacks?.() ?? [],
  };
};

/** Milliseconds for which one document answers all who ask. */
const SHARED_MS = 2000;

/** Makes the document, once for all who ask within two seconds. Never rejects. */
export const createStatus = (options: StatusOptions): (() => Promise<StatusDocument>) => {
  const { clock = () => performance.now() } = options;
  let made: { readonly at: number; readonly document: Promise<StatusDocument> } | undefined;
  return () => {
    const at = clock();
    if (made === undefined || at - made.at >= SHARED_MS) made = { at, document: documentOf(options) };
    return made.document;
  };
};
