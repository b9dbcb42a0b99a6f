// The number of runs of a property. FC_RUNS is the number for an ordinary property, by default 100. A property that
// needs more uses a multiple of it, so that one setting makes a campaign longer or a mutation run shorter.

export const RUNS = Number(process.env["FC_RUNS"] ?? 100);

/** The number of runs: `usual`, unless FC_RUNS scales it. */
export const runs = (usual: number): number => Math.max(1, Math.round((usual * RUNS) / 100));
