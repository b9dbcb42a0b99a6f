// The paths at which the Gateway hands requests to this plugin. One prefix route covers all paths below the default one, also
// those of routes that come later. A path elsewhere is a registration of its own, made while the Gateway runs if need be.

import { AsyncLocalStorage } from "node:async_hooks";
import { type Config, DEFAULT_PREFIX, type Problem } from "../../core/index.ts";
import type { HttpHandler, HttpRoute } from "./api.ts";
import type { Ingress, RegisterLate } from "./ingress.ts";

export type GatewayPathsOptions = {
  /** Works during the plugin's registration only; the Gateway takes no path of it back before the plugin is replaced. */
  readonly register: (route: HttpRoute) => void;
  readonly ingress: Promise<Ingress>;
  readonly handler: HttpHandler;
  /** Gets a problem for each route that the Gateway hands no requests of, whenever one comes or goes. */
  readonly onProblems: (problems: readonly Problem[]) => void;
};

const isElsewhere = (path: string): boolean => !path.startsWith(`${DEFAULT_PREFIX}/`) && path !== DEFAULT_PREFIX;

const NOT_GRANTED =
  "is not granted by the Gateway while it runs. Run openclaw plugins reload webhooks, or restart the Gateway; where its log then names a conflict, set another path";

const problemOf = (routeId: string): Problem => ({ effect: "skipped", routeId, field: "path", sentence: NOT_GRANTED });

export class GatewayPaths {
  readonly #options: GatewayPathsOptions;
  readonly #fixed = new Set<string>();
  readonly #late = new Map<string, () => void>();
  #registerLate: RegisterLate | undefined;
  #wanted: Config["paths"] = new Map();
  /** The context of the running service, in which the Gateway knows whose paths they are; undefined while it is stopped. */
  #run: ReturnType<typeof AsyncLocalStorage.snapshot> | undefined;
  #isReady = false;
  #problems: readonly Problem[] = [];

  constructor(options: GatewayPathsOptions) {
    this.#options = options;
    void options.ingress.then(({ registerPluginHttpRoute }) => {
      this.#registerLate = registerPluginHttpRoute;
      this.#isReady = true;
      this.#update();
    });
  }

  /** Registers `paths` during the plugin's registration. The prefix is always taken, so that 10,000 routes are one registration. */
  register(paths: Config["paths"]): void {
    const { register, handler } = this.#options;
    register({ path: DEFAULT_PREFIX, auth: "plugin", match: "prefix", handler });
    for (const path of [...paths.keys()].filter(isElsewhere)) {
      register({ path, auth: "plugin", match: "exact", handler });
      this.#fixed.add(path);
    }
    this.#wanted = paths;
  }

  /** Called within the start of the service. */
  start(): void {
    this.#run = AsyncLocalStorage.snapshot();
    this.#update();
  }

  /** Gives back what was registered since the plugin's registration. */
  stop(): void {
    for (const path of this.#late.keys()) this.#remove(path);
    this.#run = undefined;
  }

  //= RELOAD-2
  /** Takes `paths` for the ones that are wanted now. */
  follow(paths: Config["paths"]): void {
    this.#wanted = paths;
    this.#update();
  }

  #update(): void {
    if (this.#run === undefined || !this.#isReady) return;
    for (const path of this.#late.keys()) if (!this.#wanted.has(path)) this.#remove(path);
    const problems: Problem[] = [];
    for (const [path, routeId] of this.#wanted) {
      if (isElsewhere(path) && !this.#fixed.has(path) && !this.#add(path)) problems.push(problemOf(routeId));
    }
    if (problems.length + this.#problems.length > 0) this.#options.onProblems(problems);
    this.#problems = problems;
  }

  #add(path: string): boolean {
    if (this.#late.has(path)) return true;
    const { handler } = this.#options;
    const owner = { pluginId: "webhooks", source: "openclaw-webhooks", throwOnFailure: true };
    try {
      const remove = this.#run?.(() =>
        this.#registerLate?.({ path, auth: "plugin", match: "exact", handler, ...owner }),
      );
      if (remove === undefined) return false;
      this.#late.set(path, remove);
      return true;
    } catch {
      // the Gateway's message is its own; what to do is the same for all of them
      return false;
    }
  }

  #remove(path: string): void {
    const remove = this.#late.get(path);
    this.#late.delete(path);
    try {
      this.#run?.(() => remove?.());
    } catch {
      // the handler answers nothing at a path that is no route's
    }
  }
}
