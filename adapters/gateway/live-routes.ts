// The routes as the Gateway's live snapshot has them now. A reloaded secret and an edit of the configuration change them
// without a reload of the plugin: the table is made anew when, and only when, the snapshot's block is another object (M-9).

import { type Config, loadConfig, type Problem, problemLine, type Sha256, withWeaknesses } from "../../core/index.ts";
import { newLines, ruleLines } from "../bridge/rule-lines.ts";
import { pluginBlock, UNREADABLE } from "./snapshot.ts";

export type LiveRoutesOptions = {
  readonly sha256: Sha256;
  /** Gets the problems once for each change: all lines that there are now, and which are new or gone. */
  readonly onProblems: (now: readonly string[], added: readonly string[], solved: readonly string[]) => void;
  /** Gets what there is to say of routes that are signed or have rules, as far as it was not said before. */
  readonly onRules: (added: readonly string[]) => void;
  /** Called whenever the snapshot cannot be read and the routes stay as they are. */
  readonly onUnreadable?: () => void;
  /** Called after each change, and once during the construction. */
  readonly onChange?: () => void;
};

const EMPTY: Config = { routes: new Map(), paths: new Map(), problems: [] };

/** Says what brings a route, or its callbacks, to life once the secret is repaired. */
export const liveLine = (problem: Problem): string => {
  const isDue = problem.effect === "cold" || problem.effect === "untold";
  return isDue ? `${problemLine(problem)} Then run: openclaw secrets reload.` : problemLine(problem);
};

const isAdvice = ({ effect }: Problem): boolean => effect === "advice";

//= CONFIG-5, RELOAD-1
export class LiveRoutes {
  readonly #options: LiveRoutesOptions;
  #isDisposed = false;
  /** The block of the snapshot that was seen last. */
  #block: unknown;
  #config: Config = EMPTY;
  #lines: ReadonlySet<string> = new Set();
  #rules: ReadonlySet<string> = new Set();

  /**
   * `block`: the plugin's configuration at registration. `snapshot`: the live one at that time, which is not followed, because it is as
   * old or older: while a reload replaces the plugin, it is the one before until the plugin has started.
   */
  constructor(options: LiveRoutesOptions, block: unknown, snapshot: unknown) {
    this.#options = options;
    this.#load(block);
    this.#block = pluginBlock(snapshot);
  }

  /** The configuration that was taken over last; without routes once it is disposed. */
  get config(): Config {
    return this.#isDisposed ? EMPTY : this.#config;
  }

  /** Takes the routes of the Gateway's live `snapshot` over; keeps the last ones when that is UNREADABLE or no object. */
  follow(snapshot: unknown): void {
    const block = pluginBlock(snapshot);
    if (this.#isDisposed || block === this.#block) return;
    if (block === UNREADABLE) return this.#options.onUnreadable?.();
    this.#block = block;
    this.#load(block);
  }

  /** No path is ours until `resume`. */
  dispose(): void {
    this.#isDisposed = true;
  }

  resume(): void {
    this.#isDisposed = false;
  }

  #load(block: unknown): void {
    this.#config = withWeaknesses(loadConfig(block, this.#options.sha256), block, ["mainSession", "unsigned"]);
    const { problems } = this.#config;
    const lines = new Set(problems.map(liveLine));
    const broken = problems.filter((problem) => !isAdvice(problem)).map(liveLine);
    const before = this.#lines;
    this.#lines = lines;
    this.#options.onProblems(broken, newLines(lines, before), newLines(before, lines));
    const said = this.#rules;
    this.#rules = new Set([...this.#config.routes.values()].flatMap(ruleLines));
    this.#options.onRules(newLines(this.#rules, said));
    this.#options.onChange?.();
  }
}
