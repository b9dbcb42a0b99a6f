// Limits may be other code, whatever their types say: only a verdict lets a request in. Each part is read once.

import { type Allowance, isNamed, type Unavailable, type Verdict } from "../../core/index.ts";

/** Most that a header field may say of a number of requests or of milliseconds. */
const MOST = 1_000_000_000_000;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MOST;

const isTime = (value: unknown): value is number => typeof value === "number" && value >= 0 && value <= MOST;

//= LIMIT-11
/** What an authenticated client is told, or undefined when it cannot be told as it is. */
const readAllowance = (said: unknown): Allowance | undefined => {
  if (!isNamed(said)) return undefined;
  const { limit, windowMs, remaining, endsInMs, inFlight } = said;
  if (!isCount(limit) || !isTime(windowMs) || !isCount(remaining) || !isTime(endsInMs)) return undefined;
  return { limit, windowMs, remaining, endsInMs, inFlight: isCount(inFlight) ? inFlight : undefined };
};

const read = (said: unknown): Verdict | undefined => {
  if (!isNamed(said)) return undefined;
  const kind = said["kind"];
  if (kind === "admitted") {
    const allowance = readAllowance(said["allowance"]);
    const isKnown = said["isKnown"] === true;
    return allowance === undefined ? { kind, isKnown } : { kind, isKnown, allowance };
  }
  if (kind !== "rate_limited" && kind !== "too_many_in_flight" && kind !== "admission_unavailable") return undefined;
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

//= LIMIT-15
/** What limits answered of a slot for a request that is proved: whether there is one, or that they cannot be asked. Total. */
export const readConfirmed = (said: unknown): boolean | Unavailable => {
  const verdict = readVerdict(said);
  return verdict?.kind === "admission_unavailable" ? verdict : said !== false;
};
