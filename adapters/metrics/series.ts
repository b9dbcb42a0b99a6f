// Numbers about requests, by attributes that are few: kept here rather than by a library, because those cost a request as much
// as its line in the audit file, and set no bound to the number of series.

/** Names and values, such as `["http.route", "zapier"]`, in the order in which they are written. */
export type Attributes = readonly (readonly [name: string, value: string])[];

/** Seconds, as OpenTelemetry advises for HTTP. */
export const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const;

/** How long requests took: in each place those above the boundary before it and up to its own, in the last one all longer ones. */
export class Histogram {
  readonly attributes: Attributes;
  readonly counts: number[] = [...BOUNDARIES.map(() => 0), 0];
  count = 0;
  sum = 0;

  constructor(attributes: Attributes) {
    this.attributes = attributes;
  }

  record(seconds: number): void {
    let place = 0;
    while (seconds > (BOUNDARIES[place] ?? Number.POSITIVE_INFINITY)) place += 1;
    this.counts[place] = (this.counts[place] ?? 0) + 1;
    this.count += 1;
    this.sum += seconds;
  }
}

export class Counter {
  readonly attributes: Attributes;
  count = 0;

  constructor(attributes: Attributes) {
    this.attributes = attributes;
  }
}

/** As many as OpenTelemetry allows a metric. */
export const MAX_SERIES = 2000;

/** Stands for all series that came when there was no place left. */
const OVERFLOW: Attributes = [["otel.metric.overflow", "true"]];

//= METRIC-2
/** The series of one metric, by a key of their attributes. */
export class Series<One> {
  readonly #made = new Map<string, One>();
  readonly #make: (attributes: Attributes) => One;
  readonly #most: number;
  #overflow: One | undefined;

  constructor(make: (attributes: Attributes) => One, most = MAX_SERIES) {
    this.#make = make;
    this.#most = most;
  }

  /** `attributesOf` is called when the key is new. */
  of(key: string, attributesOf: () => Attributes): One {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    if (this.#made.size >= this.#most - 1) return (this.#overflow ??= this.#make(OVERFLOW));
    const made = this.#make(attributesOf());
    this.#made.set(key, made);
    return made;
  }

  get all(): readonly One[] {
    return [...this.#made.values(), ...(this.#overflow === undefined ? [] : [this.#overflow])];
  }
}
