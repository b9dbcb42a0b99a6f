// The one document that the operator's page, the Gateway's RPC and its command line show: routes and why some do not live, what
// happened in the last hour, open flows, runs and callbacks. Nothing secret is in it.

import {
  type Config,
  type Effect,
  HIDDEN,
  hideSessions,
  holdsKey,
  type Problem,
  problemLine,
  problemName,
  type RequestEvent,
  type Route,
  routeName,
} from "../../core/index.ts";
import { routeSays } from "../bridge/rule-lines.ts";
import { hideValues } from "../bridge/scrub.ts";
import { shared } from "../bridge/shared.ts";
import { shownPath } from "../bridge/shown-path.ts";
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

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Answers that were no success, because a delivery that asks for nothing is one, and has a code. */
const countOf = ({ refused, failed }: Minutes): number => sum(refused) + sum(failed);

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

/** A line of the document, and whose it is. */
type Line = { readonly routeId: string | undefined; readonly effect: Effect | undefined; readonly line: string };

const NAMED = /^route (?<name>.*?) (?<word>skipped|cold|without callbacks|advice): /su;

const WORDS: ReadonlyMap<string | undefined, Effect> = new Map<string, Effect>([
  ["skipped", "skipped"],
  ["cold", "cold"],
  ["without callbacks", "untold"],
  ["advice", "advice"],
]);

/** Lines that are not of `config` and name one of its routes are that route's. */
const namedLines = ({ routes, problems }: Config, lines: readonly string[]): readonly Line[] => {
  if (lines.length === 0) return [];
  const known = [...[...routes.values()].map(({ id }) => id), ...problems.flatMap(({ routeId }) => routeId ?? [])];
  const byName = new Map(known.map((id) => [problemName(id), id]));
  return lines.map((line) => {
    const { name = "", word } = NAMED.exec(line)?.groups ?? {};
    return { routeId: byName.get(name), effect: WORDS.get(word), line };
  });
};

/** As problems write them: ids that hold the session key of their route. */
const namesWithKey = ({ routes, problems }: Config): readonly string[] => [
  ...new Set([
    ...problems.flatMap(({ routeId, isKeyInId }) => (isKeyInId && routeId !== undefined ? [problemName(routeId)] : [])),
    ...[...routes.values()].filter((route) => holdsKey(route.id, route.sessionKey)).map(({ id }) => problemName(id)),
  ]),
];

/** All that there is to say, without session keys. A line names its route, whose id may be one. */
const linesOf = (
  config: Config,
  explain: NonNullable<StatusOptions["explain"]>,
  further: readonly string[],
): readonly Line[] => {
  const names = namesWithKey(config);
  const keys = new Map([...config.routes.values()].map(({ id, sessionKey }) => [id, sessionKey]));
  const told = config.problems.flatMap((problem): Line[] => {
    const line = explain(problem);
    return line === undefined ? [] : [{ routeId: problem.routeId, effect: problem.effect, line }];
  });
  return [...told, ...namedLines(config, further)].map(({ line, ...whose }) => {
    const key = keys.get(whose.routeId ?? "");
    const hidden = [...(key === undefined ? [] : [key]), ...names.filter((name) => line.includes(name))];
    return { ...whose, line: hideSessions(hideValues(line, hidden), HIDDEN) };
  });
};

/** The lines of each route, those of none, and those of callbacks that nobody gets. */
const sorted = (
  { routes }: Config,
  lines: readonly Line[],
): { readonly told: Told; readonly untold: readonly string[] } => {
  const live = new Set([...routes.values()].map(({ id }) => id));
  // a path that is not granted must not hide in the row of a route that lives
  const isGeneral = ({ routeId, effect }: Line): boolean => effect !== "advice" && live.has(routeId ?? "");
  const others = lines.filter(({ effect }) => effect !== "untold");
  const grouped = Map.groupBy(others, (line) => (isGeneral(line) ? undefined : line.routeId));
  return {
    told: new Map([...grouped].map(([routeId, some]) => [routeId, some.map(({ line }) => line)])),
    untold: lines.filter(({ effect }) => effect === "untold").map(({ line }) => line),
  };
};

/** Routes that do not live. One whose problems are all cold lives once its secret resolves. */
const deadOf = ({ routes, problems }: Config, told: Told): readonly RouteStanding[] => {
  const live = new Set([...routes.values()].map(({ id }) => id));
  const wrong = problems.filter(({ effect, routeId }) => effect !== "advice" && !live.has(routeId ?? ""));
  const byRoute = Map.groupBy(wrong, ({ routeId }) => routeId);
  return [...byRoute].flatMap(([routeId, faults]): RouteStanding[] => {
    if (routeId === undefined) return [];
    const state = faults.every(({ effect }) => effect === "cold") ? "cold" : "skipped";
    const isHidden = faults.some(({ isKeyInId }) => isKeyInId);
    const id = isHidden ? HIDDEN : hideSessions(problemName(routeId), HIDDEN);
    return [{ id, state, says: [], problems: told.get(routeId) ?? [] }];
  });
};

const sessionsOf = ({ routes }: Config): readonly string[] => [
  ...new Set([...routes.values()].map(({ sessionKey }) => sessionKey)),
];

//= STATUS-1
const documentOf = async (options: StatusOptions, countFlows: OpenCount): Promise<StatusDocument> => {
  const { activity, explain = problemLine, further, callbacks, runs, now = Date.now } = options;
  const config = options.config();
  const { all, routes: hours, codes, latest } = activity.read();
  const { told, untold } = sorted(config, linesOf(config, explain, further?.() ?? []));
  return {
    at: now(),
    since: activity.since,
    routes: [...[...config.routes.values()].map((route) => liveOf(route, told, hours)), ...deadOf(config, told)],
    problems: told.get(undefined) ?? [],
    hour: all,
    codes: [...codes]
      .map(([code, minutes]) => ({ code, count: countOf(minutes) }))
      .filter(({ count }) => count > 0)
      .toSorted((one, other) => other.count - one.count),
    latest,
    flows: await countFlows(sessionsOf(config)),
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
