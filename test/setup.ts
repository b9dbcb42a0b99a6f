import fc from "fast-check";
import { RUNS } from "./support/runs.ts";

/** Fixed by default so that a red run can be repeated; FC_SEED and FC_RUNS vary it for longer campaigns. */
fc.configureGlobal({
  seed: Number(process.env["FC_SEED"] ?? 1),
  numRuns: RUNS,
  endOnFailure: process.env["FC_NO_SHRINK"] !== undefined,
});
