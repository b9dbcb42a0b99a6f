// The bridge as a Fetch handler: for Hono, Bun, Deno, Workers, Next route handlers and all that speaks Request.

import type { RequestHead } from "../../core/index.ts";
import type { Deliver, OnGone, ReadBody } from "../bridge/bridge.ts";
import { bridgeFromConfig, type EmbedOptions } from "../bridge/from-config.ts";
import { readBody } from "./body.ts";
import { webPrimitives } from "./primitives.ts";
import { responseOf } from "./respond.ts";

/** What a Request does not say: who sent it. Without `client` all callers of a route share one rate limit. */
export type Sender = {
  /** The client's address, as your platform attributes it. */
  readonly client?: string | undefined;
  /** The address at the other end of the connection; by default the client's. */
  readonly peer?: string | undefined;
};

/**
 * Always resolves; a path that is not a route's is answered with the 404 `route_not_found`. A long answer keeps a slot until
 * its body was read or cancelled, for at most 20 seconds.
 */
export type FetchHandler = (request: Request, sender?: Sender) => Promise<Response>;

/** Platforms pass various things as a handler's second argument; only a text is an address. */
const addressIn = (sender: unknown, name: "client" | "peer"): string | undefined => {
  if (typeof sender !== "object" || sender === null) return undefined;
  const address: unknown = Object.getOwnPropertyDescriptor(sender, name)?.value;
  return typeof address === "string" ? address : undefined;
};

//= LIMIT-8
const headOf = (request: Request, sender: unknown): RequestHead => {
  const client = addressIn(sender, "client");
  return {
    method: request.method,
    target: request.url,
    header: (name) => request.headers.get(name) ?? undefined,
    client,
    peer: addressIn(sender, "peer") ?? client,
  };
};

//= WAIT-5
const onGone: OnGone<Request> = ({ signal }, listener) => {
  signal.addEventListener("abort", listener);
  if (signal.aborted) listener();
  return () => signal.removeEventListener("abort", listener);
};

export type { Logger } from "../bridge/log.ts";
export { MemoryLimits } from "../limits/memory.ts";
export type { EmbedOptions } from "../bridge/from-config.ts";
export type { Callbacks } from "../notify/callbacks.ts";
export { startCallbacks, type StartCallbacksOptions } from "../notify/start.ts";

//= REPLY-4
/** Limits are counted in this handler: make one, not one for each request. */
export const createFetchHandler = (options: EmbedOptions): FetchHandler => {
  const { locate, handle } = bridgeFromConfig(options, webPrimitives);
  return (request, sender) =>
    new Promise((resolve) => {
      const deliver: Deliver = ({ reply }) => {
        const { response, sent } = responseOf(reply);
        resolve(response);
        return sent;
      };
      const read: ReadBody = (limits, ticket) => readBody(request, limits, ticket);
      void handle(locate(headOf(request, sender)), read, deliver, request, onGone);
    });
};
