// The in-flight limit: at most 8 unfinished requests of one peer, IPv6 by its /64, on one route (M-15).

import { err, ok, type Result } from "neverthrow";
import type { Rejection } from "./rejection.ts";

/** The limit of every route. */
export const SLOT_LIMIT = 8;

/** Milliseconds that a caller without a slot is told to wait: slots have no schedule, so the least that can be said. */
const RETRY_AFTER_MS = 1000;

//= SLOT-1
/** Whether one more slot may be taken. Errs with `too_many_in_flight`. */
export const takeSlot = (held: number, limit: number = SLOT_LIMIT): Result<void, Rejection> =>
  held >= limit ? err({ code: "too_many_in_flight", retryAfterMs: RETRY_AFTER_MS }) : ok();
