// What the operator is told of callbacks: at most a warning a minute for each route, when a route recovers, and what is wrong now.
// Of an address only the origin is shown, because its path or query may be a secret.

import { type Fate, isoTime, originOf, printable, type Route, routeName } from "../../core/index.ts";
import type { Log } from "../bridge/log.ts";
import type { RouteState } from "../flows/outbox.ts";
import type { Posted } from "./post.ts";
import type { Told } from "./told-routes.ts";

/** Milliseconds after which an event that is not delivered is a problem of its route. */
export const UNDELIVERED_MS = 600_000;

/** How the callbacks of a route stand. `state`: undefined when it has no event. */
export type Standing = { readonly route: Told; readonly isGone: boolean; readonly state: RouteState | undefined };

const nameOf = (route: Route): string => `route ${printable(routeName(route))}`;

const receiverOf = ({ notify }: Told): string => printable(originOf(notify));

const inWords = (milliseconds: number): string =>
  milliseconds < 120_000
    ? `${String(Math.ceil(milliseconds / 1000))} seconds`
    : `${String(Math.ceil(milliseconds / 60_000))} minutes`;

const answerOf = ({ answered, reason }: Posted): string =>
  answered === undefined ? reason : `status ${String(answered.status)}`;

const NEXT: Readonly<Record<Fate["kind"], (fate: Fate) => string>> = {
  taken: () => "",
  later: (fate) => `the next try is in ${inWords(fate.kind === "later" ? fate.waitMs : 0)}`,
  given_up: () => "it is given up, because it is 7 days old",
  gone: () => "nothing more is sent there. Set another notify.url or notify.secret, or remove notify",
};

/** What is wrong, and a word for what kind of thing it is. */
type Wrong = { readonly kind: string; readonly line: string };

const wrongOf = ({ route, isGone, state }: Standing, now: number): Wrong | undefined => {
  const start = `${nameOf(route)} sends no callbacks to ${receiverOf(route)}`;
  if (isGone) return { kind: "gone", line: `${start}, which answered 410: set another notify.url or notify.secret.` };
  if (state === undefined || state.oldestAt > now - UNDELIVERED_MS) return undefined;
  const since = isoTime(state.oldestAt).replace(/\.\d+Z$/u, "Z");
  const line = `${nameOf(route)} has callbacks that ${receiverOf(route)} has not taken, the oldest of ${since}: see to that receiver.`;
  return { kind: "late", line };
};

const isIn = (wrongs: ReadonlyMap<string, Wrong>, [id, { kind }]: readonly [string, Wrong]): boolean =>
  wrongs.get(id)?.kind === kind;

export class Reports {
  readonly #log: Log;
  readonly #onProblems: (lines: readonly string[]) => void;
  /** Routes whose last try failed. */
  readonly #failing = new Set<string>();
  #wrong: ReadonlyMap<string, Wrong> = new Map();
  #oldest: ReadonlyMap<string, number> = new Map();

  /** `onProblems`: gets all lines whenever one comes or goes. */
  constructor(log: Log, onProblems: (lines: readonly string[]) => void = () => undefined) {
    this.#log = log;
    this.#onProblems = onProblems;
  }

  //= NOTIFY-9
  /** A line for each route whose callbacks are not delivered. */
  problems(): readonly string[] {
    return [...this.#wrong.values()].map(({ line }) => line);
  }

  /** When the oldest event that waits happened, milliseconds since the epoch, by the name of its route; as of the last look. */
  oldest(): ReadonlyMap<string, number> {
    return this.#oldest;
  }

  //= AUDIT-1, AUDIT-3
  tried(route: Told, posted: Posted, fate: Fate): void {
    if (fate.kind === "taken") {
      if (this.#failing.delete(route.id))
        this.#log.write("info", `${nameOf(route)}: ${receiverOf(route)} takes callbacks again`);
      return;
    }
    this.#failing.add(route.id);
    const line = `${nameOf(route)}: a callback to ${receiverOf(route)} failed (${answerOf(posted)}); ${NEXT[fate.kind](fate)}`;
    this.#log.warnSometimes(line, `callback ${fate.kind} ${route.id}`);
  }

  dropped(route: Told, count: number): void {
    const line = `${nameOf(route)}: too many callbacks wait for ${receiverOf(route)}; the oldest gave way, ${String(count)} of them`;
    this.#log.warnSometimes(line, `callback dropped ${route.id}`);
  }

  failed(what: string, error: unknown): void {
    this.#log.warnSometimes(`${what}: ${printable(error instanceof Error ? error.message : String(error), 200)}`, what);
  }

  stand(standings: readonly Standing[], now: number): void {
    this.#oldest = new Map(
      standings.flatMap(({ route, state }) => (state === undefined ? [] : [[routeName(route), state.oldestAt]])),
    );
    const before = this.#wrong;
    const wrongs = standings.flatMap((one): readonly (readonly [string, Wrong])[] => {
      const wrong = wrongOf(one, now);
      return wrong === undefined ? [] : [[one.route.id, wrong]];
    });
    this.#wrong = new Map(wrongs);
    const added = wrongs.filter((one) => !isIn(before, one));
    const solved = [...before].filter((one) => !isIn(this.#wrong, one));
    for (const [, { line }] of added) this.#log.write("warn", line);
    for (const [, { line }] of solved) this.#log.write("info", `solved: ${line}`);
    if (added.length + solved.length > 0) this.#onProblems(this.problems());
  }
}
