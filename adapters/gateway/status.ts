// What this plugin can say of itself to an operator. Nothing secret is in it, and no session.

import { type Config, HIDDEN, hideSessions, problemLine, problemName, routeName } from "../../core/index.ts";
import { hideValues } from "../bridge/scrub.ts";
import type { Health } from "./health.ts";

const shown = (line: string, sessionKey: string = ""): string => hideSessions(hideValues(line, [sessionKey]), HIDDEN);

/** Problems that are not live routes' own make their route cold if nothing else is wrong with it. */
const deadOf = ({ routes, problems }: Config): readonly unknown[] => {
  const live = new Set([...routes.values()].map(({ id }) => id));
  const wrong = problems.filter(
    ({ effect, routeId }) => effect !== "advice" && routeId !== undefined && !live.has(routeId),
  );
  return [...Map.groupBy(wrong, ({ routeId }) => routeId)].map(([routeId = "", faults]) => ({
    id: shown(problemName(routeId)),
    state: faults.every(({ effect }) => effect === "cold") ? "cold" : "skipped",
    problems: faults.map((fault) => shown(problemLine(fault))),
  }));
};

//= GATEWAY-1
/** Routes with their state and what is to be said of them, what is no route's, and callbacks that are not delivered. */
export const statusOf = (config: Config, health: Health): unknown => {
  const { routes, problems } = config;
  const told = Map.groupBy(problems, ({ routeId }) => routeId);
  const linesOf = (id?: string, sessionKey?: string): readonly string[] =>
    (told.get(id) ?? []).map((problem) => shown(problemLine(problem), sessionKey));
  const live = [...routes.values()].map((route) => ({
    id: shown(problemName(routeName(route))),
    state: "live",
    path: shown(route.path, route.sessionKey),
    problems: linesOf(route.id, route.sessionKey),
  }));
  return {
    at: Date.now(),
    routes: [...live, ...deadOf(config)],
    problems: [...linesOf(), ...health.of("paths").map((line) => shown(line))],
    callbacks: health.of("callbacks").map((line) => shown(line)),
  };
};
