// Flows that last as long as the process.

export type { EmbeddedFlows, EmbeddedOptions } from "../embedded-store.ts";
export { startSweeping, type SweeperOptions } from "../sweeper.ts";
export { memoryFlows } from "./store.ts";
