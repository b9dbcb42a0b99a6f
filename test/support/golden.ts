// Steps of recorded traces that this product answers otherwise on purpose, in every host: fields that the bundled plugin refuses as
// unknown, and that mean something here.

/** list_flows takes a limit and a status (LIST-1, LIST-2). */
const TAKEN: readonly string[] = ["(list_flows.limit)", "(list_flows.status)"];

/** What of a trace's mismatches is not such an answer: it must be a success, and what differs beside goes with that. */
export const unexpected = (mismatches: readonly string[]): readonly string[] =>
  mismatches.filter((line) => {
    const isTaken = TAKEN.some((step) => line.includes(` ${step}: `));
    return !isTaken || (line.includes(": status: ") && !line.endsWith("status: expected 400, got 200"));
  });
