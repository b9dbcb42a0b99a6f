// The contract as tests: for whoever keeps flows in an own store, or puts the bridge behind an own HTTP surface.

export { type FlowStore, type ManagedFlows } from "../flows/flow-store.ts";
export { ConformanceError } from "./check.ts";
export { flowStoreSuite, type StoreUnderTest, type TestFunction } from "./flow-store-suite.ts";
export { type AsClient, type Endpoint, type Fetch, httpFlows } from "./http-flows.ts";
export { type Surface, type SurfaceUnderTest, webhookSuite } from "./webhook-suite.ts";
