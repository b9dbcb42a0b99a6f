// Limits may be other code, whatever their types say: only a verdict lets a request in. Each part is read once.

import { isNamed, type Verdict } from "../../core/index.ts";

const ADMITTED: Verdict = { kind: "admitted" };
const KNOWN: Verdict = { kind: "admitted", isKnown: true };

const read = (said: unknown): Verdict | undefined => {
  if (!isNamed(said)) return undefined;
  const kind = said["kind"];
  if (kind === "admitted") return said["isKnown"] === true ? KNOWN : ADMITTED;
  if (kind !== "rate_limited" && kind !== "too_many_in_flight") return undefined;
  const retryAfterMs = said["retryAfterMs"];
  return typeof retryAfterMs === "number" && Number.isFinite(retryAfterMs) ? { kind, retryAfterMs } : undefined;
};

//= REPLY-4
/** What limits answered, or undefined when it is not a verdict. Total, whatever `said` is. */
export const readVerdict = (said: unknown): Verdict | undefined => {
  try {
    return read(said);
  } catch {
    return undefined;
  }
};
