// The public names of the core, in reading order: each file imports only from those above it.

export * from "./text.ts";
export * from "./json.ts";
export * from "./rejection.ts";
export * from "./path.ts";
export * from "./network.ts";
export * from "./secret.ts";
export * from "./route.ts";
export * from "./window.ts";
export * from "./slot.ts";
export * from "./request-head.ts";
export * from "./authenticate.ts";
export * from "./action.ts";
export * from "./view.ts";
export * from "./lifecycle.ts";
export * from "./task.ts";
export * from "./outcome.ts";
export * from "./reply.ts";
export * from "./audit.ts";
export * from "./pipeline.ts";
export * from "./configured-path.ts";
export * from "./route-config.ts";
export * from "./config.ts";
