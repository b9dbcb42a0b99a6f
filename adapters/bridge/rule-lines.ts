// What the log says of a route when it is loaded.

import { explainRoute, HIDDEN, hideSessions, printable, type Route, routeName } from "../../core/index.ts";
import { hideValues } from "./scrub.ts";

//= AUDIT-1
/** What the route takes and what its rules do. A rule may have the session key in it. */
export const ruleLines = (route: Route): readonly string[] =>
  explainRoute(route).map((line) =>
    hideSessions(hideValues(`route ${printable(routeName(route))}: ${line}`, [route.sessionKey]), HIDDEN),
  );
