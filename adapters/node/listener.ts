// The bridge as a listener of a `node:http` server: as it is, as Express middleware, or behind Fastify.

import type { IncomingMessage, ServerResponse } from "node:http";
import { isOurs } from "../bridge/bridge.ts";
import { bridgeFromConfig, CONSOLE, type EmbedOptions } from "../bridge/from-config.ts";
import { readBody } from "./body.ts";
import { forwardedClient, refusedProxy } from "./client.ts";
import { headOf } from "./head.ts";
import { nodePrimitives } from "./primitives.ts";
import { respond } from "./respond.ts";

export type NodeOptions = EmbedOptions & {
  /** Addresses and subnets of proxies whose X-Forwarded-For is believed. Default: none. */
  readonly trustedProxies?: readonly string[];
};

/**
 * Resolves once the answer has left. A path that is not a route's goes to `next` when there is one, and is otherwise
 * answered with the 404 `route_not_found`. Rejects only with what `next` throws.
 */
export type NodeListener = (request: IncomingMessage, response: ServerResponse, next?: () => void) => Promise<void>;

/** Limits are counted in this listener: make one for all requests. It reads the body itself: put it before parsers. */
export const createNodeListener = (options: NodeOptions): NodeListener => {
  const { locate, handle } = bridgeFromConfig(options, nodePrimitives);
  const { clientOf, refused } = forwardedClient(options.trustedProxies ?? []);
  const logger = options.logger ?? CONSOLE;
  for (const entry of refused) logger.warn(`[webhooks] ${refusedProxy(entry)}`);
  return async (request, response, next) => {
    const location = locate(headOf(request, () => clientOf(request)));
    if (next !== undefined && !isOurs(location)) return next();
    await handle(
      location,
      () => readBody(request),
      ({ reply }) => respond(request, response, reply),
    );
  };
};
