// Clocks that jump ahead a window before any client has used its own up: a measured client sends more in a second than it
// may in a minute. Both plugins read the same clocks.

const realNow = performance.now.bind(performance);
const realDate = Date.now.bind(Date);

/** Milliseconds; not skewed, for the measuring itself. */
export const stopwatch = realNow;

const WINDOW_MS = 61_000;

/** Requests of each client in one window, of the 120 that it may send. */
const REQUESTS_OF_A_CLIENT = 100;

let skew = 0;
let requests = 0;

/** Called for each request, of which `clients` send equally many. */
export const tick = (clients: number): void => {
  requests += 1;
  if (requests < REQUESTS_OF_A_CLIENT * clients) return;
  requests = 0;
  skew += WINDOW_MS;
};

export const skewClocks = (): void => {
  performance.now = () => realNow() + skew;
  Date.now = () => realDate() + skew;
};
