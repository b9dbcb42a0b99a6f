// A bridge from what an embedding host brings: a configuration, a store of flows, and where to log.

import {
  type AuditEvent,
  loadConfig,
  type Primitives,
  type Problem,
  problemLine,
  type RequestHead,
  resolveRoute,
} from "../../core/index.ts";
import { MemoryLimits } from "../limits/memory.ts";
import { type Bridge, type Deliver, exchange, type ReadBody } from "./exchange.ts";
import { createFlowHost } from "./execute.ts";
import { Log, type Logger } from "./log.ts";
import type { FlowStore } from "../flows/flow-store.ts";
import { HostMistake } from "./misuse.ts";
import { scrub } from "./scrub.ts";

export type ServiceOptions = {
  /** `{ routes: { <id>: { sessionKey, secret, … } } }`, as in the Gateway's configuration; secrets as texts. */
  readonly config: unknown;
  readonly flows: FlowStore;
  /** What the log says of a problem, if anything. Default: its route, its field and what to do. */
  readonly explain?: (problem: Problem) => string | undefined;
  /** Default: warnings and errors to the console. */
  readonly logger?: Logger;
  /** Told of every answer, for access logs and metrics. */
  readonly onAnswer?: (event: AuditEvent) => void;
};

/** Answers one request, once. Never rejects. */
export type Serve = (head: RequestHead, readBody: ReadBody, deliver: Deliver) => Promise<void>;

export type Service = {
  /** Whether a request target is a route's; all others may be somebody else's. */
  readonly owns: (target: string) => boolean;
  readonly serve: Serve;
};

/** Warnings and errors; a host that wants more brings its own. */
export const CONSOLE: Logger = { info: () => undefined, warn: console.warn, error: console.error };

const now = (): number => performance.now();

const NO_ROUTES = "no route is configured: config is to hold routes: { <id>: { sessionKey, secret } }";

/** The operator's side of an answer must not cost the caller his. */
const tellOf =
  (onAnswer: ServiceOptions["onAnswer"], log: Log) =>
  (event: AuditEvent): void => {
    log.audit(event);
    const failed = (error: unknown): void => log.warnSometimes(`onAnswer failed: ${scrub(error, [])}`, "onAnswer");
    try {
      // a promise in spite of the type, as of an async function
      void Promise.resolve(onAnswer?.(event)).catch(failed);
    } catch (error) {
      failed(error);
    }
  };

/** Problems of the configuration are logged once, here; a route with one is not served (CONFIG-1). */
export const createService = (options: ServiceOptions, primitives: Primitives): Service => {
  const log = new Log(options.logger ?? CONSOLE, now);
  const { routes, problems } = loadConfig(options.config, primitives.sha256);
  const shown = problems.map(options.explain ?? problemLine).filter((line) => line !== undefined);
  for (const line of shown) log.write("warn", line);
  if (routes.size === 0 && problems.length === 0) log.write("warn", NO_ROUTES);
  const bridge: Bridge = {
    limits: new MemoryLimits(),
    host: createFlowHost({ store: options.flows, warn: (line, topic) => log.warnSometimes(line, topic) }),
    primitives,
    now,
    onDefect: (error) => {
      const whose = error instanceof HostMistake ? "mistake in this host" : "defect, please report it";
      log.write("error", `${whose}: ${scrub(error, [])}`);
    },
  };
  const tell = tellOf(options.onAnswer, log);
  const serve: Serve = (head, readBody, deliver) =>
    exchange(bridge, routes, head, readBody, (answer) => {
      tell(answer.audit);
      return deliver(answer);
    });
  return { owns: (target) => resolveRoute(routes, target).isOk(), serve };
};
