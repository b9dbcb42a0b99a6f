// The bridge in pieces, for hosts that neither `fetch` nor `node` fits.

export type { Awaitable } from "../flows/awaitable.ts";
export { type ChangeListener, type ChangeSource, FlowChanges } from "../flows/changes.ts";
export { createEmbeddedStore, type EmbeddedFlows, type EmbeddedOptions } from "../flows/embedded-store.ts";
export type { Decided, FlowEngine, StoreFault } from "../flows/engine.ts";
export type { Claimed, FlowEvents, Outbox, OutboxState, RouteState, Settlement, Target } from "../flows/outbox.ts";
export type { FlowStore, Report } from "../flows/flow-store.ts";
export type { Limits } from "../limits/limits.ts";
export { MemoryLimits } from "../limits/memory.ts";
export {
  type Bridge,
  type BridgeOptions,
  createBridge,
  type Deliver,
  isOurs,
  type Location,
  type OnGone,
  type ReadBody,
} from "./bridge.ts";
export { bridgeFromConfig, type EmbedOptions } from "./from-config.ts";
export { Log, type Logger } from "./log.ts";
