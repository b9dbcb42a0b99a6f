// The Node pieces for whoever puts the bridge behind a `node:http` server.

export { readBody } from "./body.ts";
export { headOf } from "./head.ts";
export { nodePrimitives } from "./primitives.ts";
export { respond } from "./respond.ts";
