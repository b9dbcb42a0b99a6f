// How many callbacks are under way. A route is fast once a try of it was taken within a second; the others share half of all places,
// with one each, so that receivers that hang keep no fast one waiting.

/** Callbacks under way in all, of one fast route, and of all others together, which have one each. */
const ALL = 16;
const OF_FAST = 4;
const OF_SLOW = 8;

/** Milliseconds. A try that took longer, or failed, makes its route a slow one. */
export const FAST_MS = 1000;

/** `turn`: the number of the route's last try; 0 before the first. */
type Use = { busy: number; isFast: boolean; turn: number };

const UNUSED: Use = { busy: 0, isFast: false, turn: 0 };

export class Places {
  readonly #uses = new Map<string, Use>();
  #busy = 0;
  #slowBusy = 0;
  #turns = 0;

  //= NOTIFY-8
  /** Places that the route may take now. */
  free(routeId: string): number {
    const { busy, isFast } = this.#uses.get(routeId) ?? UNUSED;
    const most = isFast ? OF_FAST - busy : Math.min(1 - busy, OF_SLOW - this.#slowBusy);
    return Math.max(0, Math.min(most, ALL - this.#busy));
  }

  /** Which of two routes comes first: the one with fewer under way, then the one whose last try was longer ago. */
  compare(one: string, other: string): number {
    const [a, b] = [this.#uses.get(one) ?? UNUSED, this.#uses.get(other) ?? UNUSED];
    return a.busy - b.busy || a.turn - b.turn;
  }

  take(routeId: string): void {
    const use = this.#uses.get(routeId) ?? { ...UNUSED };
    this.#turns += 1;
    use.turn = this.#turns;
    this.#uses.set(routeId, use);
    this.#change(use, 1, use.isFast);
  }

  leave(routeId: string, isFast: boolean): void {
    const use = this.#uses.get(routeId);
    if (use !== undefined) this.#change(use, -1, isFast);
  }

  /** Forgets what it knows of routes that are no more and have nothing under way. */
  keepOnly(isRoute: (routeId: string) => boolean): void {
    for (const [routeId, { busy }] of this.#uses) if (busy === 0 && !isRoute(routeId)) this.#uses.delete(routeId);
  }

  #change(use: Use, by: number, isFast: boolean): void {
    this.#slowBusy -= use.isFast ? 0 : use.busy;
    use.busy += by;
    use.isFast = isFast;
    this.#slowBusy += isFast ? 0 : use.busy;
    this.#busy += by;
  }
}
