// The fixed-window rate limit: at most 120 requests of one client in one window of 60 s (M-14), or what its route says.
// A window opens with its bucket's first request. Time is an argument: milliseconds of a clock that never goes back.

import type { RouteLimits } from "./route.ts";

/** `limit`: requests that pass in one window; `ms`: its length, milliseconds. */
export type WindowRule = { readonly limit: number; readonly ms: number };

/** The rule of a route that says nothing else. Smaller ones are for exploring the limiter at a small scale. */
export const WINDOW: WindowRule = { limit: 120, ms: 60_000 };

//= LIMIT-10
/** A window that is open keeps its count when the route's number changes. */
export const windowOf = (rule: WindowRule, limits: RouteLimits | undefined): WindowRule =>
  limits === undefined ? rule : { limit: limits.perMinute, ms: rule.ms };

/** `endsAt`: the moment at which its window ends; `count`: the requests that passed in it. */
export type Bucket = { readonly endsAt: number; readonly count: number };

/** Where a request is counted: the client's own bucket, or the one that a route's newcomers share when memory is full. */
export type Place = "own" | "overflow";

/** What the table of buckets holds for one request. `room`: one more bucket can be kept. */
export type WindowState = {
  readonly own: Bucket | undefined;
  readonly overflow: Bucket | undefined;
  readonly room: boolean;
};

/** The one write that a request causes, and whether it passes. */
export type WindowStep = { readonly place: Place; readonly bucket: Bucket; readonly passes: boolean };

//= LIMIT-3
/** Whether the bucket still counts. A clock that went back keeps it: no jump releases a client early. */
export const isLive = (bucket: Bucket, now: number): boolean => now < bucket.endsAt;

const live = (bucket: Bucket | undefined, now: number): Bucket | undefined =>
  bucket !== undefined && isLive(bucket, now) ? bucket : undefined;

//= LIMIT-4
/**
 * A client without a bucket of its own stays in its route's overflow bucket while that one is live, so that nobody is
 * counted in two places within one window.
 */
const placeOf = (view: WindowState, now: number): Place => {
  if (view.own !== undefined) return "own";
  return live(view.overflow, now) !== undefined || !view.room ? "overflow" : "own";
};

//= LIMIT-1, LIMIT-2
/** Counts one request, unless its bucket is full: then the bucket stays as it is, and the request does not pass. */
export const stepWindow = (view: WindowState, now: number, rule: WindowRule = WINDOW): WindowStep => {
  const place = placeOf(view, now);
  const bucket = live(view[place], now) ?? { endsAt: now + rule.ms, count: 0 };
  if (bucket.count >= rule.limit) return { place, bucket, passes: false };
  return { place, bucket: { endsAt: bucket.endsAt, count: bucket.count + 1 }, passes: true };
};
