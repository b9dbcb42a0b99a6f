// The one document that the operator's page, the Gateway's RPC and its command line show: routes and why some do not live, what
// happened in the last hour, open flows, runs and callbacks. Nothing secret is in it.

import {
  type Config,
  HIDDEN,
  hideSessions,
  holdsKey,
  problemName,
  type RequestEvent,
  type Route,
  routeName,
} from "../../core/index.ts";
import { routeSays } from "../bridge/rule-lines.ts";
import { hideValues } from "../bridge/scrub.ts";
import { shared } from "../bridge/shared.ts";
import { shownPath } from "../bridge/shown-path.ts";
import { linesIn, told, type Told } from "../bridge/told.ts";
import type { Awaitable } from "../flows/awaitable.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { type CountedFlows, createOpenCount, type OpenCount } from "./open-count.ts";
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
  /** Refusals and failures of the last hour by code, the most frequent first. */
  readonly codes: readonly { readonly code: string; readonly count: number }[];
  /** The newest first. */
  readonly latest: readonly RequestEvent[];
  /** Undefined when they cannot be counted; `why` says so. */
  readonly flows: CountedFlows;
  /** Undefined where no agents can run. */
  readonly runs?: readonly RunsStanding[] | undefined;
  /** A line for each route whose callbacks are not delivered. */
  readonly callbacks: readonly string[];
};

export type StatusOptions = {
  readonly config: () => Config;
  readonly activity: Activity;
  readonly store: Pick<FlowStore, "countOpen">;
  /** All that there is to say. Default: the problems of `config`. */
  readonly told?: () => Awaitable<readonly Told[]>;
  readonly callbacks?: () => readonly string[];
  readonly runs?: () => readonly RunsStanding[];
  /** Milliseconds since the epoch, and of a clock that never goes back. */
  readonly now?: () => number;
  readonly clock?: () => number;
};

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Answers that were no success, because a delivery that asks for nothing is one, and has a code. */
const countOf = ({ refused, failed }: Minutes): number => sum(refused) + sum(failed);

/** By route, and of none. */
type Lines = ReadonlyMap<string | undefined, readonly string[]>;

type Hours = ReadonlyMap<string, Minutes>;

const liveOf = (route: Route, lines: Lines, hours: Hours): RouteStanding => {
  const id = routeName(route);
  const hour = hours.get(id);
  return {
    id,
    state: "live",
    path: shownPath(route),
    says: routeSays(route),
    problems: lines.get(route.id) ?? [],
    ...(hour === undefined ? {} : { hour }),
  };
};

/** As problems write them: ids that hold the session key of their route. */
const namesWithKey = ({ routes, problems }: Config): readonly string[] => [
  ...new Set([
    ...problems.flatMap(({ routeId, isKeyInId }) => (isKeyInId && routeId !== undefined ? [problemName(routeId)] : [])),
    ...[...routes.values()].filter((route) => holdsKey(route.id, route.sessionKey)).map(({ id }) => problemName(id)),
  ]),
];

/** The lines without session keys. One names its route, whose id may be a key. */
const withoutKeys = (config: Config, all: readonly Told[]): readonly Told[] => {
  const names = namesWithKey(config);
  const keys = new Map([...config.routes.values()].map(({ id, sessionKey }) => [id, sessionKey]));
  return all.map(({ line, ...whose }) => {
    const key = keys.get(whose.routeId ?? "");
    const hidden = [...(key === undefined ? [] : [key]), ...names.filter((name) => line.includes(name))];
    return { ...whose, line: hideSessions(hideValues(line, hidden), HIDDEN) };
  });
};

/** The lines of each route, those of none, and those of callbacks that nobody gets. */
const sorted = (
  { routes, problems }: Config,
  all: readonly Told[],
): { readonly lines: Lines; readonly untold: readonly string[] } => {
  const live = new Set([...routes.values()].map(({ id }) => id));
  const rows = new Set([...live, ...problems.map(({ routeId }) => routeId)]);
  // a path that is not granted must not hide in the row of a route that lives
  const isGeneral = ({ routeId, effect }: Told): boolean =>
    !rows.has(routeId) || (effect !== "advice" && live.has(routeId ?? ""));
  const others = all.filter(({ effect }) => effect !== "untold");
  const grouped = Map.groupBy(others, (one) => (isGeneral(one) ? undefined : one.routeId));
  return {
    lines: new Map([...grouped].map(([routeId, some]) => [routeId, linesIn(some)])),
    untold: linesIn(all.filter(({ effect }) => effect === "untold")),
  };
};

/** Routes that do not live. One whose problems are all cold lives once its secret resolves. */
const deadOf = ({ routes, problems }: Config, lines: Lines): readonly RouteStanding[] => {
  const live = new Set([...routes.values()].map(({ id }) => id));
  const wrong = problems.filter(({ effect, routeId }) => effect !== "advice" && !live.has(routeId ?? ""));
  const byRoute = Map.groupBy(wrong, ({ routeId }) => routeId);
  return [...byRoute].flatMap(([routeId, faults]): RouteStanding[] => {
    if (routeId === undefined) return [];
    const state = faults.every(({ effect }) => effect === "cold") ? "cold" : "skipped";
    const isHidden = faults.some(({ isKeyInId }) => isKeyInId);
    const id = isHidden ? HIDDEN : hideSessions(problemName(routeId), HIDDEN);
    return [{ id, state, says: [], problems: lines.get(routeId) ?? [] }];
  });
};

const sessionsOf = ({ routes }: Config): readonly string[] => [
  ...new Set([...routes.values()].map(({ sessionKey }) => sessionKey)),
];

//= STATUS-1
const documentOf = async (options: StatusOptions, countFlows: OpenCount): Promise<StatusDocument> => {
  const { activity, callbacks, runs, now = Date.now } = options;
  const config = options.config();
  const counted = countFlows(sessionsOf(config));
  const said = (await options.told?.()) ?? config.problems.map((problem) => told(problem));
  const { all, routes: hours, codes, latest } = activity.read();
  const { lines, untold } = sorted(config, withoutKeys(config, said));
  return {
    at: now(),
    since: activity.since,
    routes: [...[...config.routes.values()].map((route) => liveOf(route, lines, hours)), ...deadOf(config, lines)],
    problems: lines.get(undefined) ?? [],
    hour: all,
    codes: [...codes]
      .map(([code, minutes]) => ({ code, count: countOf(minutes) }))
      .filter(({ count }) => count > 0)
      .toSorted((one, other) => other.count - one.count),
    latest,
    flows: await counted,
    runs: runs?.(),
    //= NOTIFY-9
    callbacks: [...untold, ...(callbacks?.() ?? [])],
  };
};

/** Milliseconds for which one document answers all who ask. */
const SHARED_MS = 2000;

/** Makes the document, once for all who ask within two seconds. Never rejects. */
export const createStatus = (options: StatusOptions): (() => Promise<StatusDocument>) => {
  const countFlows = createOpenCount(options.store.countOpen);
  return shared(() => documentOf(options, countFlows), SHARED_MS, options.clock);
};
