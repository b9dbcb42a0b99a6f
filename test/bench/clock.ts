// Clocks that jump ahead a window every hundred requests: a measured client sends more in a second than any client may in
// a minute. Both plugins read the same clocks.

const realNow = performance.now.bind(performance);
const realDate = Date.now.bind(Date);

/** Milliseconds; not skewed, for the measuring itself. */
export const stopwatch = realNow;

const WINDOW_MS = 61_000;
const REQUESTS = 100;

let skew = 0;
let requests = 0;

/** Called for each request. */
export const tick = (): void => {
  requests += 1;
  if (requests % REQUESTS === 0) skew += WINDOW_MS;
};

export const skewClocks = (): void => {
  performance.now = () => realNow() + skew;
  Date.now = () => realDate() + skew;
};
