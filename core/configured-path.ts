// The paths that an operator may give a route: reachable by a request, and not used by the Gateway.

import { err, ok, type Result } from "neverthrow";
import { canonicalPath } from "./path.ts";

/** The path of a route without a `path` is its id below this prefix (M-4). */
export const DEFAULT_PREFIX = "/plugins/webhooks";

/** The operator's page in a Gateway. A route there would take it away: the Gateway grants no path in two kinds of authentication. */
export const STATUS_PATH = "/plugins/webhooks-status";

/** What is wrong with a configured path, and what to do. */
export const PATH_FAULTS = {
  unusable: "must start with one / and contain only letters, digits and plain punctuation. Set another path",
  reserved: "belongs to the Gateway. Set another path",
} as const;

export type PathFault = keyof typeof PATH_FAULTS;

/** Paths that the Gateway serves. */
const RESERVED = [
  "/",
  "/api",
  "/favicon.ico",
  "/favicon.svg",
  "/hooks",
  "/hooks/agent",
  "/hooks/wake",
  "/index.html",
  "/plugins",
  "/tools",
];
/** Paths that the Gateway, or this plugin for its operators, serves with everything below them. */
const RESERVED_TREES = [
  "/__openclaw",
  "/__openclaw__",
  "/api/artifacts",
  "/api/channels",
  "/assets",
  "/chat",
  "/health",
  "/healthz",
  "/ready",
  "/readyz",
  "/sessions",
  "/settings",
  "/startup",
  "/startupz",
  "/tools/invoke",
  "/v1",
  STATUS_PATH,
];

const CHARACTERS = /^\/(?!\/)[\x21-\x7e]*$/u;
const CONFUSING = /[%?#\\]|\/\.{1,2}(?:\/|$)/u;

const isReserved = (path: string): boolean =>
  RESERVED.includes(path) || RESERVED_TREES.some((tree) => path === tree || path.startsWith(`${tree}/`));

//= CONFIG-4
/** The canonical form of a path that is absolute printable ASCII, without anything to decode or resolve. */
export const configuredPath = (written: string): Result<string, PathFault> => {
  if (!CHARACTERS.test(written) || CONFUSING.test(written)) return err("unusable");
  return canonicalPath(written)
    .mapErr((): PathFault => "unusable")
    .andThen((path) => (isReserved(path) ? err("reserved" as const) : ok(path)));
};
