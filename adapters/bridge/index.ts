// The bridge in pieces, for hosts that neither `fetch` nor `node` fits.

export { type Bridge, type Deliver, exchange, type FlowHost, type ReadBody } from "./exchange.ts";
export { createFlowHost, type FlowHostOptions } from "./execute.ts";
export type { Logger } from "./log.ts";
export type { FlowAnswer, FlowStore, ManagedFlows, Tell } from "../flows/flow-store.ts";
export { createService, type Serve, type Service, type ServiceOptions } from "./service.ts";
