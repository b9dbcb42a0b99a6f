// Runs a store's clean-up as the Gateway does: soon after the start, then once a minute.

import type { Result } from "neverthrow";
import type { Soon } from "./awaitable.ts";
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
export type Sweepable = { readonly sweep: () => Soon<Result<number, StoreFault>> };

/** Who is to be told of a failure and fails himself is not told again. */
const ignore = (): void => undefined;

/** Starts sweeping; the function that comes back stops it, and resolves once no sweep runs any more. */
export const startSweeping = (
  flows: Sweepable,
  { onFault, firstMs = FIRST_MS, everyMs = EVERY_MS }: SweeperOptions,
): (() => Promise<void>) => {
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;
  const sweepOnce = async (): Promise<void> => {
    try {
      const swept = await flows.sweep();
      if (swept.isErr()) onFault(swept.error.error);
    } catch (error) {
      await Promise.resolve(error).then(onFault).catch(ignore);
    }
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
