// Callbacks for an embedding host, from its configuration and its store.

import { loadConfig, type Routes, sha256 } from "../../core/index.ts";
import { clock, CONSOLE, type EmbedOptions, lacksEvents } from "../bridge/from-config.ts";
import { Log } from "../bridge/log.ts";
import { checkOptions, hasMethods, isFunction, type Shapes } from "../bridge/options.ts";
import { type Callbacks, runCallbacks } from "./callbacks.ts";

/** As the handler of requests gets them, and the clock. */
export type StartCallbacksOptions = Pick<EmbedOptions, "config" | "flows" | "logger"> & {
  /** Milliseconds since the epoch by the clock that all have who share the store, as `openPostgresFlows` gives it. Default: the system's. */
  readonly now?: () => number;
};

const SHAPES: Shapes = {
  config: [() => true, ""],
  flows: [hasMethods("execute"), "must be a store, such as openSqliteFlows of openclaw-webhooks/sqlite gives"],
  logger: [hasMethods("info", "warn", "error"), "must have the functions info, warn and error"],
  now: [isFunction, "must be a function that gives milliseconds"],
};

const NOTHING: Callbacks = {
  problems: () => [],
  oldest: () => new Map(),
  wake: () => undefined,
  stop: () => Promise.resolve(),
};

/**
 * Sends the callbacks of the routes with `notify`, from now until `stop`. From now on the store keeps their events, so call it before you serve,
 * in each process that serves. Problems of the configuration are the handler's to log. Throws a Misuse when an option is missing or is
 * not what it must be.
 */
export const startCallbacks = (options: StartCallbacksOptions): Callbacks => {
  const unknown = checkOptions(options, SHAPES);
  const { config, flows, logger = CONSOLE, now } = options;
  const log = new Log(logger, clock);
  for (const line of unknown) log.write("error", line);
  const routes: Routes = loadConfig(config, sha256).routes;
  const isNeeded = [...routes.values()].some(({ notify }) => notify !== undefined);
  if (!isNeeded) return NOTHING;
  if (flows.events !== undefined)
    return runCallbacks(flows.events, { routes: () => routes, log, ...(now === undefined ? {} : { now }) });
  for (const line of lacksEvents(routes)) log.write("warn", line);
  return NOTHING;
};
