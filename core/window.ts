// The fixed-window rate limit: at most 120 requests of one client on one route in one window of 60 s (M-14).
// A window opens with its bucket's first request. Time is an argument: milliseconds of a clock that never goes back.

import { err, ok, type Result } from "neverthrow";
import type { Rejection } from "./rejection.ts";

/** `limit`: requests that pass in one window; `ms`: its length, milliseconds. */
export type WindowRule = { readonly limit: number; readonly ms: number };

/** The rule of every route. Others are for whoever explores the limiter at a smaller scale. */
export const WINDOW: WindowRule = { limit: 120, ms: 60_000 };

export type Bucket = { readonly openedAt: number; readonly count: number };

/** Where a request is counted: the client's own bucket, or the one that a route's newcomers share when memory is full. */
export type Place = "own" | "overflow";

/** What the owner of the buckets knows about one request. `room`: a bucket more can be kept. */
export type WindowView = {
  readonly own: Bucket | undefined;
  readonly overflow: Bucket | undefined;
  readonly room: boolean;
};

/** The one write that a request causes, and whether it may go on. */
export type WindowStep = {
  readonly place: Place;
  readonly bucket: Bucket;
  readonly verdict: Result<void, Rejection>;
};

//= LIMIT-3
/** Whether the bucket still counts. A clock that went back keeps it: no jump releases a client early. */
export const isLive = (bucket: Bucket, now: number, rule: WindowRule = WINDOW): boolean =>
  now - bucket.openedAt < rule.ms;

const live = (bucket: Bucket | undefined, now: number, rule: WindowRule): Bucket | undefined =>
  bucket !== undefined && isLive(bucket, now, rule) ? bucket : undefined;

//= LIMIT-4
/**
 * A client without a bucket of its own stays in its route's overflow bucket while that one is live, so that nobody is
 * counted in two places within one window.
 */
const placeOf = (view: WindowView, now: number, rule: WindowRule): Place => {
  if (view.own !== undefined) return "own";
  return live(view.overflow, now, rule) !== undefined || !view.room ? "overflow" : "own";
};

const limited = (bucket: Bucket, now: number, rule: WindowRule): Rejection => ({
  code: "rate_limited",
  retryAfterMs: bucket.openedAt + rule.ms - now,
});

//= LIMIT-1, LIMIT-2
/** Counts one request. Errs with `rate_limited` and the milliseconds until the window ends. */
export const stepWindow = (view: WindowView, now: number, rule: WindowRule = WINDOW): WindowStep => {
  const place = placeOf(view, now, rule);
  const bucket = live(view[place], now, rule) ?? { openedAt: now, count: 0 };
  if (bucket.count >= rule.limit) return { place, bucket, verdict: err(limited(bucket, now, rule)) };
  return { place, bucket: { openedAt: bucket.openedAt, count: bucket.count + 1 }, verdict: ok() };
};
