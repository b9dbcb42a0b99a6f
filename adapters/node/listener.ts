// The bridge as a listener of a `node:http` server: as it is, as Express middleware, or behind Fastify.

import type { IncomingMessage, ServerResponse } from "node:http";
import { CONSOLE, createService, type ServiceOptions } from "../bridge/service.ts";
import { readBody } from "./body.ts";
import { printable } from "../../core/index.ts";
import { attribution } from "./client.ts";
import { headOf, targetOf } from "./head.ts";
import { nodePrimitives } from "./primitives.ts";
import { respond } from "./respond.ts";

export type NodeOptions = ServiceOptions & {
  /** Addresses and subnets of proxies whose X-Forwarded-For is believed. Default: none. */
  readonly trustedProxies?: readonly string[];
};

/**
 * Resolves once the answer has left. A path that is no route's goes to `next` when there is one, and is otherwise
 * answered with the 404 `route_not_found`. Rejects with nothing but what `next` throws.
 */
export type NodeListener = (request: IncomingMessage, response: ServerResponse, next?: () => void) => Promise<void>;

/** Limits are counted in this listener: make one for all requests. It reads the body itself: put it before parsers. */
export const createNodeListener = (options: NodeOptions): NodeListener => {
  const { owns, serve } = createService(options, nodePrimitives);
  const { clientOf, refused } = attribution(options.trustedProxies ?? []);
  const logger = options.logger ?? CONSOLE;
  for (const entry of refused) logger.warn(`[webhooks] trustedProxies: ${printable(entry)} is no address or subnet`);
  return async (request, response, next) => {
    if (next !== undefined && !owns(targetOf(request))) return next();
    await serve(
      headOf(request, () => clientOf(request)),
      () => readBody(request),
      ({ reply }) => respond(request, response, reply),
    );
  };
};
