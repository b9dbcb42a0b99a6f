// The port to the file of runs. A fault is a sentence for the operator.

import type { Result } from "neverthrow";
import type { RunRow } from "../../core/index.ts";

export type RunFileFault = { readonly advice: string };

export interface RunFile {
  /** All runs, in the order of creation. */
  list(): Result<readonly RunRow[], RunFileFault>;
  save(row: RunRow): Result<unknown, RunFileFault>;
  remove(seq: number): Result<unknown, RunFileFault>;
  /** Finds out whether an intended run's flow was made; then the run is queued, else it is removed. May reject. */
  resolve(row: RunRow): Promise<unknown>;
}
