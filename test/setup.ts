import fc from "fast-check";

/** Fixed by default so that a red run can be repeated; FC_SEED and FC_RUNS vary it for longer campaigns. */
fc.configureGlobal({ seed: Number(process.env["FC_SEED"] ?? 1), numRuns: Number(process.env["FC_RUNS"] ?? 100) });
