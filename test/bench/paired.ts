// Paired timing: the contestants take turns in one process, batch by batch, and what counts is the ratio of two batches
// that ran side by side. A machine that is slow for a moment is slow for both.

import { stopwatch } from "./clock.ts";

export type Contestant = {
  readonly name: string;
  /** Makes ready what so many runs need; not timed. */
  readonly prepare?: (times: number) => void;
  readonly run: () => unknown;
};

/** Median of the paired ratios, with the middle half of them. */
export type Ratio = { readonly median: number; readonly low: number; readonly high: number };

/** In a column. */
export const show = ({ median, low, high }: Ratio): string =>
  `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`.padEnd(24);

export const quantile = (sorted: readonly number[], at: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN;

/** The one in the middle. */
export const medianOf = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

export const ratioOf = (paired: readonly (readonly [number, number])[]): Ratio => {
  const ratios = paired.map(([ours, theirs]) => ours / theirs).toSorted((a, b) => a - b);
  return { median: quantile(ratios, 0.5), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) };
};

/** Moves what was made ready out of the way: the garbage of a batch is then its own. */
const tidy = (): void => {
  for (let times = 0; times < 2; times += 1) void globalThis.gc?.({ type: "minor" });
};

const timeOf = async ({ prepare, run }: Contestant, times: number): Promise<number> => {
  prepare?.(times);
  tidy();
  const started = stopwatch();
  for (let index = 0; index < times; index += 1) await run();
  return (stopwatch() - started) / times;
};

/** Milliseconds that one batch of a contestant should take, and for which each runs before it is timed. */
const BATCH_MS = 12;
const WARM_UP_MS = 1500;

/** So that the garbage of one run does not fall to another contestant's batch. */
const LEAST_RUNS = 4;

const runsOf = (cost: number): number => Math.max(LEAST_RUNS, Math.round(BATCH_MS / cost));

/** Milliseconds for one run of each contestant, round by round, after a warm-up. */
export const takeTurns = async (
  contestants: readonly Contestant[],
  rounds: number,
): Promise<readonly (readonly number[])[]> => {
  const batches: number[] = [];
  for (const one of contestants) {
    const ends = stopwatch() + WARM_UP_MS;
    let cost = await timeOf(one, 3);
    while (stopwatch() < ends) cost = await timeOf(one, runsOf(cost));
    batches.push(runsOf(cost));
  }
  const taken: number[][] = [];
  for (let round = 0; round < rounds; round += 1) {
    const times: number[] = [];
    for (const [index, one] of contestants.entries()) times.push(await timeOf(one, batches[index] ?? 1));
    taken.push(times);
  }
  return taken;
};
