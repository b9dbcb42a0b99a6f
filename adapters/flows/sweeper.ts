// Runs a store's clean-up as the Gateway does: soon after the start, then once a minute.

import type { Result } from "neverthrow";
import type { Awaitable } from "./awaitable.ts";
import type { StoreFault } from "./engine.ts";

const FIRST_MS = 5000;
const EVERY_MS = 60_000;

export type SweeperOptions = {
  /** Told of a sweep that failed; the next one tries again. */
  readonly onFault: (error: unknown) => void;
  readonly firstMs?: number;
  readonly everyMs?: number;
};

/** A store that can be swept, at once or by a promise. */
export type Sweepable = { readonly sweep: () => Awaitable<Result<number, StoreFault>> };

/** A handler of faults that fails itself is not told again. */
const ignore = (): void => undefined;

/** Sweeps once; a sweep that throws is a fault as well. */
const sweepFault = async (flows: Sweepable): Promise<StoreFault | undefined> => {
  try {
    const swept = await flows.sweep();
    return swept.isErr() ? swept.error : undefined;
  } catch (error) {
    return { error };
  }
};

/** Starts sweeping; the function that comes back stops it, and resolves once no sweep runs any more. */
export const startSweeping = (
  flows: Sweepable,
  { onFault, firstMs = FIRST_MS, everyMs = EVERY_MS }: SweeperOptions,
): (() => Promise<void>) => {
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;
  const sweepOnce = async (): Promise<void> => {
    const fault = await sweepFault(flows);
    if (fault !== undefined) await Promise.resolve(fault.error).then(onFault).catch(ignore);
    if (!isStopped) timer = setTimeout(sweep, everyMs);
  };
  const sweep = (): void => {
    running = sweepOnce();
  };
  let timer = setTimeout(sweep, firstMs);
  return () => {
    isStopped = true;
    clearTimeout(timer);
    return running;
  };
};
