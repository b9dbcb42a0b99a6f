// What lasts as long as the process: flows, and the counts of the limits.

export type { EmbeddedFlows, EmbeddedOptions } from "../embedded-store.ts";
export { memoryFlows } from "./store.ts";
export { MemoryLimits } from "../../limits/memory.ts";
export { startSweeping, type SweeperOptions } from "../sweeper.ts";
