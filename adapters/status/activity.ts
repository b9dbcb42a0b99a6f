// What the routes did in the last hour, from the events of their answers: counted by minute, by route and by code, and the
// latest events themselves. Bounded: a row of counters for each route and code, and a fixed number of events.

import type { RequestEvent } from "../../core/index.ts";

/** Minutes that are kept. */
export const MINUTES = 60;

/** The latest events that are kept. */
export const LATEST = 50;

/** Rows of one table. Routes beyond them are counted in the total alone. */
const MAX_ROWS = 10_000;

const MINUTE_MS = 60_000;

/** How a request ended: carried out, refused, or failed. */
const ENDS = ["ok", "refused", "failed"] as const;

type End = (typeof ENDS)[number];

/** One number for each of the last 60 minutes, the present one last. */
export type Minutes = Readonly<Record<End, readonly number[]>>;

const endOf = (status: number): End => {
  if (status < 400) return "ok";
  return status < 500 ? "refused" : "failed";
};

/** Counters of the last 60 minutes. Minutes never go back. */
class Row {
  readonly #counts = new Uint32Array(MINUTES * ENDS.length);
  #minute: number;

  constructor(minute: number) {
    this.#minute = minute;
  }

  add(minute: number, end: End): void {
    this.#turnTo(minute);
    const place = this.#placeOf(this.#minute, end);
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
  }

  read(minute: number): Minutes {
    this.#turnTo(minute);
    const first = this.#minute - MINUTES + 1;
    const of = (end: End): readonly number[] =>
      Array.from({ length: MINUTES }, (_, passed) => this.#counts[this.#placeOf(first + passed, end)] ?? 0);
    return { ok: of("ok"), refused: of("refused"), failed: of("failed") };
  }

  isIdle(minute: number): boolean {
    this.#turnTo(minute);
    return this.#counts.every((count) => count === 0);
  }

  #placeOf(minute: number, end: End): number {
    return (((minute % MINUTES) + MINUTES) % MINUTES) * ENDS.length + ENDS.indexOf(end);
  }

  #turnTo(minute: number): void {
    for (let left = Math.min(minute - this.#minute, MINUTES); left > 0; left -= 1) {
      const place = this.#placeOf(minute - left + 1, "ok");
      this.#counts.fill(0, place, place + ENDS.length);
    }
    this.#minute = minute;
  }
}

/** Rows by name. When it is full, those without a request in the last hour give way. */
class Table {
  readonly #rows = new Map<string, Row>();

  add(name: string, minute: number, end: End): void {
    const row = this.#rows.get(name) ?? this.#made(name, minute);
    row?.add(minute, end);
  }

  read(minute: number): ReadonlyMap<string, Minutes> {
    return new Map([...this.#rows].map(([name, row]) => [name, row.read(minute)]));
  }

  #made(name: string, minute: number): Row | undefined {
    if (this.#rows.size >= MAX_ROWS) this.#forgetIdle(minute);
    if (this.#rows.size >= MAX_ROWS) return undefined;
    const row = new Row(minute);
    this.#rows.set(name, row);
    return row;
  }

  #forgetIdle(minute: number): void {
    for (const [name, row] of this.#rows) if (row.isIdle(minute)) this.#rows.delete(name);
  }
}

const ALL = "";

//= STATUS-2
export class Activity {
  readonly #now: () => number;
  readonly #all = new Table();
  readonly #routes = new Table();
  readonly #codes = new Table();
  readonly #latest: RequestEvent[] = [];
  #next = 0;
  /** The latest minute that was reached. */
  #minute = 0;
  readonly since: number;

  /** `now`: milliseconds since the epoch. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.since = now();
  }

  /** Takes the event of one answer. */
  readonly add = (event: RequestEvent): void => {
    const minute = this.#reached(this.#now());
    const end = endOf(event.status);
    this.#all.add(ALL, minute, end);
    if (event.routeId !== undefined) this.#routes.add(event.routeId, minute, end);
    if (event.code !== undefined) this.#codes.add(event.code, minute, end);
    this.#latest[this.#next] = event;
    this.#next = (this.#next + 1) % LATEST;
  };

  /** `routes`: by the name that the log gives them. `codes`: answers other than a plain success. `latest`: newest first. */
  read(): {
    readonly all: Minutes;
    readonly routes: ReadonlyMap<string, Minutes>;
    readonly codes: ReadonlyMap<string, Minutes>;
    readonly latest: readonly RequestEvent[];
  } {
    const minute = this.#reached(this.#now());
    const all = this.#all.read(minute).get(ALL) ?? new Row(minute).read(minute);
    const latest = [...this.#latest.slice(this.#next), ...this.#latest.slice(0, this.#next)].toReversed();
    return { all, routes: this.#routes.read(minute), codes: this.#codes.read(minute), latest };
  }

  #reached(at: number): number {
    this.#minute = Math.max(this.#minute, Math.floor(at / MINUTE_MS));
    return this.#minute;
  }
}
