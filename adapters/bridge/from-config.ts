// A bridge from what an embedding host brings: a configuration, a store of flows, and where to log.

import { err } from "neverthrow";
import {
  canonicalPath,
  emptiness,
  loadConfig,
  type Primitives,
  type Problem,
  problemLine,
  type RequestEvent,
  type Routes,
  SECRET_FAULTS,
  withoutAgents,
} from "../../core/index.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import type { Limits } from "../limits/limits.ts";
import { MemoryLimits } from "../limits/memory.ts";
import { type Bridge, type BridgeOptions, createBridge } from "./bridge.ts";
import { Log, type Logger } from "./log.ts";
import { checkOptions, hasMethods, isFunction, isText, type Shapes } from "./options.ts";

export type EmbedOptions = {
  /** `{ routes: { <id>: { sessionKey, secret, … } } }`, as in the Gateway's configuration; secrets as texts. */
  readonly config: unknown;
  readonly flows: FlowStore;
  /** The path below which your host serves the routes, such as `/api`. Default: none. */
  readonly basePath?: string;
  /** What the log says of a problem, if anything. Default: its route, its field and what to do. */
  readonly explain?: (problem: Problem) => string | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: Logger;
  /** Default: in memory, for this handler alone. */
  readonly limits?: Limits;
  /** Gets one event for each answer, before the answer leaves: for access logs and metrics. */
  readonly onEvent?: ((event: RequestEvent) => void) | undefined;
};

/** Warnings and errors; a host that wants more brings its own logger. */
export const CONSOLE: Logger = { info: () => undefined, warn: console.warn, error: console.error };

/** Monotonic milliseconds. */
export const clock = (): number => performance.now();

/** What an embedding program can do, which resolves SecretRefs itself. */
const SECRETS: ReadonlyMap<string, string> = new Map([
  [SECRET_FAULTS.missing, "is missing or not a string. Pass a long random string, for example from the environment"],
  [SECRET_FAULTS.unresolved, "is empty or a SecretRef, so callers get 404. Resolve it and pass the secret as a string"],
]);

/** Sentences about half a SecretRef are as many as its faults; a host has one answer to them. */
const kindOf = (sentence: string): string =>
  sentence.startsWith(SECRET_FAULTS.malformed) ? SECRET_FAULTS.missing : sentence;

const explainToHost = (problem: Problem): string =>
  problemLine({ ...problem, sentence: SECRETS.get(kindOf(problem.sentence)) ?? problem.sentence });

const NO_ROUTE: Routes = new Map();

const NO_BASE = 'basePath must start with a slash, as in "/api". No route is served';

/** A host, or the start of a query or a fragment, also when it is percent-encoded. */
const NOT_A_PATH = /^[^/]|[?#]|%(?:25)*(?:3f|23)/iu;

//= ROUTE-4
/** Undefined unless `basePath` is a path and nothing else, because a query or a host would be dropped in silence. */
const mounted = (routes: Routes, basePath: string): Routes | undefined =>
  (NOT_A_PATH.test(basePath) ? err("malformed" as const) : canonicalPath(basePath))
    .map((base) => (base === "/" ? "" : base))
    .map((base) => new Map([...routes].map(([path, route]) => [base + path, { ...route, path: base + path }])))
    .unwrapOr(undefined);

type LiveParts = Pick<EmbedOptions, "flows" | "limits" | "onEvent"> & Pick<BridgeOptions, "whenKept">;

/** A bridge whose routes may be others with each request. A request that has begun keeps its route. */
export const liveBridge = (
  routes: () => Routes,
  { flows, limits = new MemoryLimits(), onEvent, whenKept }: LiveParts,
  log: Log,
  primitives: Primitives,
): Bridge => createBridge({ routes, store: flows, limits, primitives, clock, log, onEvent, whenKept });

const NO_EVENTS =
  "is there, but the store keeps no events, so no callback is sent. Use a store that has events, or remove it";

/** A line for each route whose callbacks a store without `events` cannot keep. */
export const lacksEvents = (routes: Routes): readonly string[] =>
  [...routes.values()].flatMap(({ id: routeId, notify }) =>
    notify === undefined ? [] : [problemLine({ effect: "advice", routeId, field: "notify", sentence: NO_EVENTS })],
  );

const NO_COUNT =
  "has maxFlows or maxTasks, but the store takes no deliveries, so nothing is counted. Use a store that takes them, or remove the two";

//= QUOTA-1
/** A line for each route whose quotas a store that takes no deliveries does not keep. */
const lacksQuotas = (routes: Routes): readonly string[] =>
  [...routes.values()].flatMap(({ id: routeId, limits }) =>
    limits?.maxFlows === undefined && limits?.maxTasks === undefined
      ? []
      : [problemLine({ effect: "advice", routeId, field: "limits", sentence: NO_COUNT })],
  );

const SHAPES: Shapes = {
  config: [() => true, ""],
  flows: [hasMethods("execute"), "must be a store, such as openSqliteFlows of openclaw-webhooks/sqlite gives"],
  basePath: [isText, 'must be a text such as "/api"'],
  explain: [isFunction, "must be a function"],
  logger: [hasMethods("info", "warn", "error"), "must have the functions info, warn and error"],
  limits: [hasMethods("admit", "confirm", "release"), "must have the functions admit, confirm and release"],
  onEvent: [isFunction, "must be a function"],
};

/**
 * Problems of the configuration are logged once, here; a route with one is not served (CONFIG-1). `further`: options of
 * the surface. Throws a Misuse when an option is missing or is not what it must be.
 */
export const bridgeFromConfig = (options: EmbedOptions, primitives: Primitives, further: Shapes = {}): Bridge => {
  const unknown = checkOptions(options, { ...SHAPES, ...further });
  const { config, explain = explainToHost, logger = CONSOLE, basePath = "/" } = options;
  const log = new Log(logger, clock);
  for (const line of unknown) log.write("error", line);
  const { routes: configured, problems } = withoutAgents(loadConfig(config, primitives.sha256));
  const routes = mounted(configured, basePath);
  const lines = problems.map(explain).filter((line) => line !== undefined);
  for (const line of lines) log.write("warn", line);
  if (routes === undefined) log.write("warn", NO_BASE);
  if (options.flows.events === undefined) for (const line of lacksEvents(configured)) log.write("warn", line);
  if (options.flows.takesDeliveries !== true) for (const line of lacksQuotas(configured)) log.write("warn", line);
  if (configured.size === 0 && problems.length === 0) log.write("warn", `${emptiness(config)}.`);
  return liveBridge(() => routes ?? NO_ROUTE, options, log, primitives);
};
