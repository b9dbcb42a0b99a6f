// The addresses of many clients behind one proxy.

/** Different for each number up to 2^24. */
export const addressOf = (n: number): string =>
  `10.${String((n >> 16) & 255)}.${String((n >> 8) & 255)}.${String(n & 255)}`;

/** Prime, so that it has no common divisor with the number of clients. */
const STRIDE = 7919;

/** Who sends the request of this turn: each client once before any comes again, in no order of their addresses. */
export const clientOf = (turn: number, clients: number): string => addressOf((turn * STRIDE) % clients);
