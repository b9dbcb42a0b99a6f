// What the log says of a route when it is loaded.

import { explainRoute, HIDDEN, hideSessions, printable, type Route, routeName } from "../../core/index.ts";
import { hideValues } from "./scrub.ts";

/** Lines of `now` that were not there before. */
export const newLines = (now: ReadonlySet<string>, before: ReadonlySet<string>): readonly string[] =>
  [...now].filter((line) => !before.has(line));

const shown = (text: string, { sessionKey }: Route): string => hideSessions(hideValues(text, [sessionKey]), HIDDEN);

//= AUDIT-1
/** What the route takes and what its rules do. A rule may have the session key in it. */
export const routeSays = (route: Route): readonly string[] => explainRoute(route).map((line) => shown(line, route));

/** The same, each line with the name of the route. */
export const ruleLines = (route: Route): readonly string[] =>
  explainRoute(route).map((line) => shown(`route ${printable(routeName(route))}: ${line}`, route));
