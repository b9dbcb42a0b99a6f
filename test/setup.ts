import fc from "fast-check";
import { RUNS } from "./support/runs.ts";

/** The seed is fixed, so that a failing run can be repeated. FC_SEED and FC_RUNS change it for longer campaigns. */
fc.configureGlobal({
  seed: Number(process.env["FC_SEED"] ?? 1),
  numRuns: RUNS,
  endOnFailure: process.env["FC_NO_SHRINK"] !== undefined,
});
