// A route's path as operators see it.

import { DEFAULT_PREFIX, HIDDEN, holdsKey, type Route } from "../../core/index.ts";
import { scrub } from "./scrub.ts";

//= AUDIT-1
/** A path may hold the session key, as the default one does that is made from such an id. */
export const shownPath = ({ path, sessionKey }: Pick<Route, "path" | "sessionKey">): string => {
  const prefix = path.startsWith(`${DEFAULT_PREFIX}/`) ? `${DEFAULT_PREFIX}/` : "";
  const told = scrub(path.slice(prefix.length), [sessionKey]);
  return prefix + (holdsKey(told, sessionKey) ? HIDDEN : told);
};
