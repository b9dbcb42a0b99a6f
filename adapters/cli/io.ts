// What a command uses of its process. A test passes its own.

export type Env = Readonly<Record<string, string | undefined>>;

export type Io = {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Whether standard error takes more: false while nobody reads what waits there. */
  readonly hasRoom?: () => boolean;
  readonly env: Env;
  /** Standard input, to its end. */
  readonly input: () => Promise<Uint8Array>;
  /** Whether standard error is a terminal that a person reads. */
  readonly isTerminal: boolean;
  /** Calls `handle` at the first request to stop and at the second one. Returns a function that ends the watch. */
  readonly onStop: (handle: (isFirst: boolean) => void) => () => void;
  /** Calls `handle` at each request to read the configuration again. Returns a function that ends the watch. */
  readonly onReload?: (handle: () => void) => () => void;
  /** Calls `handle` with what nothing has caught, and goes on. Returns a function that ends that. */
  readonly onDefect?: (handle: (error: unknown) => void) => () => void;
};

/**
 * Exit statuses. `refused`: the server refused, or a check found a problem. `unreachable`: there was no answer. `unsure`:
 * there was no answer, or a failure, to a request that may have been carried out. The others are of `wait`: the flow failed, was
 * cancelled, is lost or not there, or had not come so far in time.
 */
export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  unsure: 4,
  failed: 5,
  cancelled: 6,
  lost: 7,
  timeout: 8,
} as const;
