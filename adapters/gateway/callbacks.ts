// Callbacks in a Gateway: the flows of the sessions are watched, what is found is written into the plugin's own file, and sent from there.
// Nothing runs, and no file is made, while no route has `notify`.

import type { Config } from "../../core/index.ts";
import type { Log } from "../bridge/log.ts";
import type { FlowChanges } from "../flows/changes.ts";
import type { Binding } from "../managed-flows/api.ts";
import { FlowWatcher } from "../managed-flows/flow-watcher.ts";
import type { PluginFile } from "../managed-flows/plugin-file.ts";
import { PluginOutbox } from "../managed-flows/plugin-outbox.ts";
import { nodePrimitives } from "../node/index.ts";
import { Reports } from "../notify/reports.ts";
import { Sender } from "../notify/sender.ts";
import { ToldRoutes } from "../notify/told-routes.ts";
import { TIMEOUT_MS } from "../notify/callbacks.ts";

export type GatewayCallbacksOptions = {
  /** The configuration as it was followed last. */
  readonly config: () => Config;
  /** Follows the Gateway's live configuration, also while no request comes. */
  readonly refresh: () => void;
  readonly bind: (sessionKey: string) => Binding;
  readonly file: PluginFile;
  readonly changes?: FlowChanges | undefined;
  readonly log: Log;
  /** Gets a line for each route whose callbacks are not delivered, whenever one comes or goes. */
  readonly onProblems: (lines: readonly string[]) => void;
  /** Milliseconds since the epoch, and from one look to the next. For tests. */
  readonly now?: () => number;
  readonly everyMs?: number;
};

type Running = { readonly watcher: FlowWatcher; readonly sender: Sender; readonly reports: Reports };

/** Whether a route has `notify`, also one whose secret does not resolve yet. */
const isWanted = ({ routes, problems }: Config): boolean =>
  [...routes.values()].some(({ notify }) => notify !== undefined) || problems.some(({ effect }) => effect === "untold");

export class GatewayCallbacks {
  readonly #options: GatewayCallbacksOptions;
  #running: Running | undefined;
  #isStarted = false;
  #stopped: Promise<void> = Promise.resolve();

  constructor(options: GatewayCallbacksOptions) {
    this.#options = options;
  }

  /** May send from now on, as soon as a route wants it. */
  start(): void {
    this.#isStarted = true;
    this.follow();
  }

  /** Begins once the configuration has a route with `notify`. */
  follow(): void {
    if (!this.#isStarted || this.#running !== undefined || !isWanted(this.#options.config())) return;
    const running = this.#made();
    this.#running = running;
    void this.#stopped.then(() => {
      if (this.#running !== running) return;
      running.watcher.start();
      running.sender.wake();
    });
  }

  /** A line for each route whose callbacks are not delivered. */
  problems(): readonly string[] {
    return this.#running?.reports.problems() ?? [];
  }

  /** Resolves once nothing uses the file any more. */
  async stop(): Promise<void> {
    this.#isStarted = false;
    const running = this.#running;
    this.#running = undefined;
    if (running !== undefined) {
      const before = this.#stopped;
      this.#stopped = Promise.all([before, running.watcher.stop(), running.sender.stop()]).then(() => undefined);
    }
    await this.#stopped;
  }

  #made(): Running {
    const { config, refresh, bind, file, changes, log, onProblems, now = Date.now, everyMs } = this.#options;
    const told = new ToldRoutes(() => config().routes, nodePrimitives.hmacSha256);
    const reports = new Reports(log, onProblems);
    const outbox = new PluginOutbox(file);
    const hmac = nodePrimitives.hmacSha256;
    const sender = new Sender({ told, outbox, reports, hmac, now, chance: Math.random, timeoutMs: TIMEOUT_MS });
    const watcher = new FlowWatcher({
      subscriptions: () => {
        refresh();
        return told.subscriptions;
      },
      bind,
      outbox,
      changes,
      onEvents: () => sender.wake(),
      onFault: (what, error) => reports.failed(what, error),
      now,
      ...(everyMs === undefined ? {} : { everyMs }),
    });
    return { watcher, sender, reports };
  }
}
