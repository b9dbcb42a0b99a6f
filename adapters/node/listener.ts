// The bridge as a listener of a `node:http` server: as it is, as Express middleware, or behind Fastify.

import type { IncomingMessage, ServerResponse } from "node:http";
import { type Bridge, type Deliver, isOurs } from "../bridge/bridge.ts";
import { bridgeFromConfig, CONSOLE, type EmbedOptions } from "../bridge/from-config.ts";
import { isText } from "../bridge/options.ts";
import { bodyReader } from "./body.ts";
import { type ClientOf, forwardedClient, refusedProxy, wideProxy } from "./client.ts";
import { isBehindClose, isGone, onGone } from "./connection.ts";
import { headOf } from "./head.ts";
import { nodePrimitives } from "./primitives.ts";
import { respond } from "./respond.ts";

export type NodeOptions = EmbedOptions & {
  /** Addresses and subnets of proxies whose X-Forwarded-For is believed. Default: none. */
  readonly trustedProxies?: readonly string[];
};

/**
 * Resolves once the answer has left, or when nobody can get one any more. A path that is not a route's goes to `next` when
 * there is one, and is otherwise answered with the 404 `route_not_found`. Rejects only with what `next` throws.
 */
export type NodeListener = (request: IncomingMessage, response: ServerResponse, next?: () => void) => Promise<void>;

/** Answers by a bridge of the host's own, whose routes and clients may change from request to request. */
export const bridgeListener =
  ({ locate, handle }: Bridge, clientOf: ClientOf): NodeListener =>
  async (request, response, next) => {
    if (isBehindClose(response)) return;
    const location = locate(headOf(request, () => clientOf(request)));
    if (next !== undefined && !isOurs(location)) return next();
    if (isGone(request)) return void request.socket.destroy();
    const deliver: Deliver = ({ reply }) => respond(request, response, reply);
    await handle(location, bodyReader(request, response), deliver, response, onGone);
  };

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

/** Limits are counted in this listener: make one for all requests. It reads the body itself: put it before parsers. */
export const createNodeListener = (options: NodeOptions): NodeListener => {
  const bridge = bridgeFromConfig(options, nodePrimitives, { trustedProxies: [isTexts, "must be a list of texts"] });
  const { clientOf, refused, wide } = forwardedClient(options.trustedProxies ?? []);
  const logger = options.logger ?? CONSOLE;
  for (const line of [...refused.map(refusedProxy), ...wide.map(wideProxy)]) logger.warn(`[webhooks] ${line}`);
  return bridgeListener(bridge, clientOf);
};
