// What a command may touch of its process, so that a test can run it in its own.

export type Io = {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** All that is waiting on standard input. */
  readonly input: () => Promise<string>;
  /** Whether standard error is a terminal that a person reads. */
  readonly isTerminal: boolean;
  /** Called at the first request to stop, then at the second; the function that comes back ends the watch. */
  readonly onStop: (handle: (isFirst: boolean) => void) => () => void;
};

/** Exit statuses. `refused`: the answer is no, or a check found something. `unreachable`: nobody answered. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 3 } as const;
