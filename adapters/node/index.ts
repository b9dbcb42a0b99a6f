// The bridge behind a `node:http` server, whole or in pieces.

export type { Logger } from "../bridge/log.ts";
export { readBody } from "./body.ts";
export { type ClientOf, forwardedClient } from "./client.ts";
export { headOf } from "./head.ts";
export { createNodeListener, type NodeListener, type NodeOptions } from "./listener.ts";
export { nodePrimitives } from "./primitives.ts";
export { respond } from "./respond.ts";
