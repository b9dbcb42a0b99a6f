// The contract as tests: for a store of your own, for limits of your own, and for an HTTP surface of your own.

export type { FlowStore } from "../flows/flow-store.ts";
export type { Limits } from "../limits/limits.ts";
export { ConformanceError } from "./check.ts";
export { flowStoreSuite } from "./flow-store-suite.ts";
export { type AsClient, type Endpoint, type Fetch, httpFlows } from "./http-flows.ts";
export { limitsSuite } from "./limits-suite.ts";
export type { LimitsUnderTest } from "./limits-under-test.ts";
export { type Surface, type SurfaceUnderTest, webhookSuite } from "./webhook-suite.ts";
export type { StoreUnderTest, TestFunction, Ties } from "./store-under-test.ts";
