// A bridge from what an embedding host brings: a configuration, a store of flows, and where to log.

import {
  type AuditEvent,
  loadConfig,
  type Primitives,
  type Problem,
  problemLine,
  type Routes,
} from "../../core/index.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import type { Limits } from "../limits/limits.ts";
import { MemoryLimits } from "../limits/memory.ts";
import { type Bridge, createBridge } from "./bridge.ts";
import { Log, type Logger } from "./log.ts";

export type EmbedOptions = {
  /** `{ routes: { <id>: { sessionKey, secret, … } } }`, as in the Gateway's configuration; secrets as texts. */
  readonly config: unknown;
  readonly flows: FlowStore;
  /** What the log says of a problem, if anything. Default: its route, its field and what to do. */
  readonly explain?: (problem: Problem) => string | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: Logger;
  /** Default: in memory, for this handler alone. */
  readonly limits?: Limits;
  /** Gets one event for each answer, for access logs and metrics. */
  readonly onEvent?: (event: AuditEvent) => void;
};

/** Warnings and errors; a host that wants more brings its own logger. */
export const CONSOLE: Logger = { info: () => undefined, warn: console.warn, error: console.error };

/** Monotonic milliseconds. */
export const clock = (): number => performance.now();

const NO_ROUTES = "no route is configured: config must hold routes: { <id>: { sessionKey, secret } }";

/** A bridge whose routes may be others with each request. A request that has begun keeps its route. */
export const liveBridge = (
  routes: () => Routes,
  { flows, limits = new MemoryLimits(), onEvent }: Pick<EmbedOptions, "flows" | "limits" | "onEvent">,
  log: Log,
  primitives: Primitives,
): Bridge => createBridge({ routes, store: flows, limits, primitives, clock, log, onEvent });

/** Problems of the configuration are logged once, here; a route with one is not served (CONFIG-1). */
export const bridgeFromConfig = (options: EmbedOptions, primitives: Primitives): Bridge => {
  const { config, explain = problemLine, logger = CONSOLE } = options;
  const log = new Log(logger, clock);
  const { routes, problems } = loadConfig(config, primitives.sha256);
  const lines = problems.map(explain).filter((line) => line !== undefined);
  for (const line of lines) log.write("warn", line);
  if (routes.size === 0 && problems.length === 0) log.write("warn", NO_ROUTES);
  return liveBridge(() => routes, options, log, primitives);
};
