// Flows in PostgreSQL, for embedding. Needs the package `pg`.

export type { EmbeddedFlows, EmbeddedOptions } from "../embedded-store.ts";
export { startSweeping, type SweeperOptions } from "../sweeper.ts";
export { isPostgresUrl } from "./address.ts";
export { openPostgresFlows, type PostgresFault, type PostgresFlows, type PostgresOptions } from "./postgres-flows.ts";
