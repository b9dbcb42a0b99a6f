// What lasts as long as the process: flows, and the counts of the limits.

export type { EmbeddedFlows, EmbeddedOptions } from "../embedded/embedded-flows.ts";
export { memoryFlows } from "./flows.ts";
export { MemoryLimits } from "./limits.ts";
export { startSweeping, type SweeperOptions } from "../embedded/sweeper.ts";
