// The public names of the core, in reading order: each file imports only from those above it. First what answers are
// made of: the package brings its own copy, so a store or a surface takes it from here.

export { err, ok, type Result } from "neverthrow";
export * from "./text.ts";
export * from "./session-key.ts";
export * from "./own.ts";
export * from "./json.ts";
export * from "./rejection.ts";
export * from "./path.ts";
export * from "./network.ts";
export * from "./secret.ts";
export * from "./primitives.ts";
export * from "./route.ts";
export * from "./window.ts";
export * from "./slot.ts";
export * from "./request-head.ts";
export * from "./authenticate.ts";
export * from "./admit.ts";
export * from "./flow.ts";
export * from "./action.ts";
export * from "./accept.ts";
export * from "./view.ts";
export * from "./lifecycle.ts";
export * from "./task.ts";
export * from "./outcome.ts";
export * from "./flow-command.ts";
export * from "./reply.ts";
export * from "./audit.ts";
export * from "./answer.ts";
export * from "./placeholder.ts";
export * from "./configured-path.ts";
export * from "./route-config.ts";
export * from "./config.ts";
