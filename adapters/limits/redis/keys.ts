// The names of the keys of one request. All keys of a route have its tag in braces, so that a cluster keeps them in one slot.

import { createHash } from "node:crypto";
import type { Located } from "../../../core/index.ts";

/** Two installations on one server need two prefixes. */
export const DEFAULT_PREFIX = "openclaw-webhooks:";

export type Keys = {
  /** Sorted sets of clients: those that have not shown a secret lately, and those that have. */
  readonly strangers: string;
  readonly known: string;
  /** The bucket that newcomers share while there is no room. */
  readonly overflow: string;
  /** Sorted sets of held slots: of the client, and of the connection's other end. */
  readonly client: string;
  readonly peer: string;
};

/** Ids that stand in a key as they are. No other tag begins like them. */
const PLAIN = /^[\w.-]{1,64}$/u;

const hashOf = (text: string): string => createHash("sha256").update(text, "utf16le").digest("base64url");

/** No two routes have the same one, and none has a brace in it. */
const tagOf = (routeId: string): string => (PLAIN.test(routeId) ? routeId : `~${hashOf(routeId)}`);

/** A key of the core without the route, whose tag stands before it here. */
export const withoutRoute = (key: string, { route }: Located): string => key.slice(0, -1 - route.id.length);

//= LIMIT-16
export const keysOf = (prefix: string, located: Located): Keys => {
  const base = `${prefix}{${tagOf(located.route.id)}}:`;
  return {
    strangers: `${base}strangers`,
    known: `${base}known`,
    overflow: `${base}overflow`,
    client: `${base}client:${withoutRoute(located.clientKey, located)}`,
    peer: `${base}peer:${withoutRoute(located.peerKey, located)}`,
  };
};

/** What the server is tried with: a key of its own. */
export const probeKey = (prefix: string): string => `${prefix}{probe}`;
