// The columns of a flow's row that are written and read, each by its name: of a statement that reads all of them a connection can
// make no use any more once a newer version has added one.

import { CHANGING, LASTING } from "../rows.ts";

export const WRITTEN = [...LASTING, ...CHANGING, "weight"];

/** As they stand in a SELECT. */
export const READ = [...WRITTEN, "made"].map((name) => `flows.${name}`).join(", ");
