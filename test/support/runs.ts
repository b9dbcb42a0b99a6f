// How often a property is tried. FC_RUNS is the number for an ordinary property, 100 unless told otherwise; a property
// that needs more says so as a multiple, so that one setting makes a campaign longer or a mutation run shorter.

export const RUNS = Number(process.env["FC_RUNS"] ?? 100);

/** `usual` runs at the ordinary setting. */
export const runs = (usual: number): number => Math.max(1, Math.round((usual * RUNS) / 100));
