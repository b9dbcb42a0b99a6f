// What the limits leave a client, and how an authenticated one is told of it: the header fields RateLimit-Policy and RateLimit
// of the draft httpapi-ratelimit-headers-11. Strangers are told nothing, because the numbers help to probe.

import { type SlotRule, SLOTS } from "./slot.ts";
import { type Bucket, WINDOW, type WindowRule } from "./window.ts";

/** As it was when the request was admitted. */
export type Allowance = {
  /** Requests that pass in one window. */
  readonly limit: number;
  /** Length of a window, milliseconds. */
  readonly windowMs: number;
  /** Further requests that pass in this window. */
  readonly remaining: number;
  /** Milliseconds until it ends. */
  readonly endsInMs: number;
  /** Unfinished requests that the client may have at once, if there is such a limit. */
  readonly inFlight: number | undefined;
};

//= LIMIT-11
/** `bucket`: with the request at hand counted. More may have passed than a rule that has been changed allows. */
export const allowanceOf = (bucket: Bucket, rule: WindowRule, slots: SlotRule, now: number): Allowance => ({
  limit: rule.limit,
  windowMs: rule.ms,
  remaining: Math.max(0, rule.limit - bucket.count),
  endsInMs: bucket.endsAt - now,
  inFlight: slots.client,
});

/**
 * Rounded up, so that what is said to remain holds for at least this long; but what is less than a microsecond comes from adding
 * fractions, and would make 61 seconds of 60.
 */
const seconds = (milliseconds: number): string => String(Math.ceil(Math.round(milliseconds * 1000) / 1_000_000));

const policy = (limit: number, windowMs: number, inFlight: number | undefined): string => {
  const window = `"default";q=${String(limit)};w=${seconds(windowMs)}`;
  return inFlight === undefined ? window : `${window}, "in-flight";q=${String(inFlight)};qu="concurrent-requests"`;
};

/** Of most routes: made once. */
const USUAL = policy(WINDOW.limit, WINDOW.ms, SLOTS.client);

const policyOf = ({ limit, windowMs, inFlight }: Allowance): string =>
  limit === WINDOW.limit && windowMs === WINDOW.ms && inFlight === SLOTS.client
    ? USUAL
    : policy(limit, windowMs, inFlight);

//= LIMIT-11
/** The header with the two fields. `t` of RateLimit: seconds for which no more than `r` requests may be sent. */
export const withRateLimit = (
  headers: Readonly<Record<string, string>>,
  allowance: Allowance,
): Readonly<Record<string, string>> => ({
  ...headers,
  "RateLimit-Policy": policyOf(allowance),
  RateLimit: `"default";r=${String(allowance.remaining)};t=${seconds(allowance.endsInMs)}`,
});
