// The port to the file of runs.

import type { Result } from "neverthrow";
import type { RunRow } from "../../core/index.ts";
import type { FileFault } from "../managed-flows/plugin-file.ts";

export interface RunFile {
  /** All runs, in the order of creation. */
  list(): Result<readonly RunRow[], FileFault>;
  save(row: RunRow): Result<unknown, FileFault>;
  remove(seq: number): Result<unknown, FileFault>;
  /** Finds out whether an intended run's flow was made; then the run is queued, else it is removed. May reject. */
  resolve(row: RunRow): Promise<unknown>;
}
