// Exchanges what a running server serves, all or nothing: what is read anew takes effect as a whole, or not at all.

import type { Result } from "neverthrow";
import { isoTime, problemName, problemStart, UNSERVED } from "../../../core/index.ts";
import type { Logger } from "../../bridge/log.ts";
import { newLines, ruleLines } from "../../bridge/rule-lines.ts";
import { linesIn, type Told } from "../../bridge/told.ts";
import type { RunningServer } from "../../server/server.ts";
import type { Prints } from "../watch.ts";
import type { ReadFault, Served } from "./served.ts";

export type ReloadOptions = {
  /** Reads all files anew. Must not reject. */
  readonly read: () => Promise<Result<Served, ReadFault>>;
  readonly renew: RunningServer["renew"];
  readonly logger: Logger;
};

/** The line of a route that a start would skip, in words that are true while the route is still served. */
const reasonOf = ({ line, routeId, effect }: Told): string => {
  if (effect === undefined) return line.replace(UNSERVED, "");
  const name = routeId === undefined ? "" : `Route ${problemName(routeId)}: `;
  return `${name}${line.slice(problemStart(effect, routeId).length)}`.replace(UNSERVED, "");
};

const refusedLine = (at: number, why: string): string => {
  const [first = ""] = why.split("\n");
  const time = isoTime(at).replace(/\.\d+Z$/u, "Z");
  return `the configuration was not taken over at ${time}: ${first} What was served before is still served.`;
};

const rulesOf = ({ config }: Served): ReadonlySet<string> => new Set([...config.routes.values()].flatMap(ruleLines));

/** What there is to say of rules that are new, and of those that are gone. */
const changes = (before: ReadonlySet<string>, now: ReadonlySet<string>): readonly string[] => [
  ...newLines(before, now).map((line) => `no longer: ${line}`),
  ...newLines(now, before),
];

/** What is served at the moment. */
export class Live {
  readonly #now: () => number;
  #served: Served;
  /** Why the files were not taken over when they were last read. */
  #refused: string | undefined;
  #prints: Prints;
  #isReading = false;
  #isWanted = false;
  #hasEnded = false;

  /** `now`: milliseconds since the epoch. */
  constructor(served: Served, now: () => number = Date.now) {
    this.#now = now;
    this.#served = served;
    this.#prints = served.prints;
  }

  get served(): Served {
    return this.#served;
  }

  //= STATUS-4
  /** A line that says since when the files are not what is served, and why; undefined while they are. */
  get refused(): string | undefined {
    return this.#refused;
  }

  /** The files as they were before they were last read, taken over or not; undefined while they are being read. */
  get prints(): Prints | undefined {
    return this.#isReading ? undefined : this.#prints;
  }

  /** Reads and exchanges; a call while that goes on makes it happen once more. */
  async reload(options: ReloadOptions): Promise<void> {
    this.#isWanted = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#isWanted && !this.#hasEnded) {
      this.#isWanted = false;
      const read = await options.read();
      if (!this.#hasEnded) this.#take(read, options);
    }
    this.#isReading = false;
  }

  //= SERVE-2
  /** Nothing more is read, and what is being read is not taken over. */
  end(): void {
    this.#hasEnded = true;
  }

  //= SERVE-3
  /** A line that is there already was known when the rest was taken; a new one means that a file is broken. */
  #take(read: Result<Served, ReadFault>, { renew, logger }: ReloadOptions): void {
    const keep = (why: string): void => {
      this.#refused = refusedLine(this.#now(), why);
      logger.error(`not reloaded; what was served before is still served. ${why}`);
    };
    this.#prints = (read.isOk() ? read.value : read.error).prints;
    if (read.isErr()) return keep(read.error.sentence);
    const before = this.#served;
    const { broken, advice, tls, config, idle } = read.value;
    const known = new Set(linesIn([...before.broken, ...before.advice]));
    const isNew = ({ line }: Told): boolean => !known.has(line);
    const faults = broken.filter(isNew);
    if (faults.length > 0) return keep(faults.map(reasonOf).join(" "));
    if (tls !== undefined && renew(tls).isErr()) return keep("The certificate cannot be used. Give both files as PEM.");
    this.#served = read.value;
    this.#refused = undefined;
    for (const { line } of advice.filter(isNew)) logger.warn(line);
    logger.info(`reloaded: ${String(config.routes.size)} route${config.routes.size === 1 ? "" : "s"}`);
    for (const line of changes(rulesOf(before), rulesOf(read.value))) logger.info(line);
    if (idle !== undefined) logger.warn(idle);
  }
}
