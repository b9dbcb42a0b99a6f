// The bridge behind a `node:http` server, whole or in pieces.

export type { Logger } from "../bridge/log.ts";
export { MemoryLimits } from "../limits/memory.ts";
export type { Callbacks } from "../notify/callbacks.ts";
export { startCallbacks, type StartCallbacksOptions } from "../notify/start.ts";
export { bodyReader, readBody } from "./body.ts";
export { type ClientOf, type ForwardedClient, forwardedClient } from "./client.ts";
export { isBehindClose, isGone, onGone } from "./connection.ts";
export { headOf } from "./head.ts";
export { bridgeListener, createNodeListener, type NodeListener, type NodeOptions } from "./listener.ts";
export { nodePrimitives } from "./primitives.ts";
export { respond } from "./respond.ts";
